"""The splits of the phrasebook: disjoint by English sentence and by combination of clauses."""

import functools
import zlib
from collections.abc import Mapping
from types import MappingProxyType

from nmt_keras.config import out_of_range, raise_faults
from nmt_keras.data.parallel_text import Corpus, ParallelText
from nmt_keras.data.phrasebook.agreement import agreement_pairs, agreement_sentences
from nmt_keras.data.phrasebook.listed import LISTED_SENTENCES
from nmt_keras.data.phrasebook.pairs import DrawnSentence, PhrasePair
from nmt_keras.data.phrasebook.sentences import draw_long_sentence, draw_sentence
from nmt_keras.data.phrasebook.words import Draw

NOTICE = (
    "The phrasebook is synthetic: a grammar writes its sentences. Figures on it check that the machinery works; "
    "they say nothing about the quality of real translation."
)
HELD_OUT = 1_000
LONG_SENTENCES = 400
LONGEST_TRAINED = 30
LONGEST = 70
MOST_PAIRS = 1_000_000


class _Chosen:
    """The sentences taken so far, and the split that each combination of clauses belongs to."""

    def __init__(self) -> None:
        self.sources = {source for source, _ in LISTED_SENTENCES}
        self.splits: dict[tuple[str, ...], str] = {}

    def take(self, drawn: DrawnSentence, split: str) -> bool:
        """Whether the sentence is new and its combination of clauses belongs to no other split."""
        if drawn.pair.source in self.sources or self.splits.get(drawn.combination, split) != split:
            return False
        self.sources.add(drawn.pair.source)
        self.splits[drawn.combination] = split
        return True


def _split_of(combination: tuple[str, ...]) -> str:
    """One combination of clauses in twenty belongs to test, one in twenty to valid."""
    return {0: "test", 1: "valid"}.get(zlib.crc32("; ".join(combination).encode()) % 20, "train")


def _length(pair: PhrasePair) -> int:
    return len(pair.source.split())


def phrasebook_pairs(train_size: int = 40_000, seed: int = 1) -> Mapping[str, tuple[PhrasePair, ...]]:
    """The pairs of each split, with their word alignments.

    Args:
        train_size: pairs of the training split.
        seed: what all draws come from.

    Returns:
        The splits train, valid, test, test_long, test_longer and test_agreement.

    Raises:
        ConfigError: `train_size` or `seed` is out of range.
    """
    raise_faults(out_of_range("train_size", train_size, 1, MOST_PAIRS))
    return _pairs(train_size, seed)


@functools.lru_cache(maxsize=2)
def _pairs(train_size: int, seed: int) -> Mapping[str, tuple[PhrasePair, ...]]:
    chosen = _Chosen()
    agreement = [drawn.pair for drawn in agreement_sentences(seed) if chosen.take(drawn, "test_agreement")]
    draw = Draw(seed)
    sizes = {"train": train_size, "valid": HELD_OUT, "test": HELD_OUT}
    splits: dict[str, list[PhrasePair]] = {name: [] for name in sizes}
    while any(len(splits[name]) < size for name, size in sizes.items()):
        drawn = draw_sentence(draw)
        name = _split_of(drawn.combination)
        if _length(drawn.pair) <= LONGEST_TRAINED and len(splits[name]) < sizes[name] and chosen.take(drawn, name):
            splits[name].append(drawn.pair)
    # A few sentences tell nothing about the lengths in training.
    measured = splits["train"] if train_size >= HELD_OUT else [pair for pairs in splits.values() for pair in pairs]
    splits.update(_long_splits(draw, sorted(map(_length, measured)), chosen))
    splits["test_agreement"] = agreement
    return MappingProxyType({name: tuple(pairs) for name, pairs in splits.items()})


def _long_splits(draw: Draw, trained: list[int], chosen: _Chosen) -> dict[str, list[PhrasePair]]:
    """Sentences as long as the longest 5% of the trained lengths, and longer ones."""
    from_length = trained[int(0.95 * len(trained))]
    splits: dict[str, list[PhrasePair]] = {"test_long": [], "test_longer": []}
    while any(len(pairs) < LONG_SENTENCES for pairs in splits.values()):
        drawn = draw_long_sentence(draw)
        length = _length(drawn.pair)
        name = "test_longer" if length > trained[-1] else "test_long"
        if from_length <= length <= LONGEST and len(splits[name]) < LONG_SENTENCES and chosen.take(drawn, name):
            splits[name].append(drawn.pair)
    return splits


def phrasebook_corpus(train_size: int = 40_000, seed: int = 1) -> Corpus:
    """The embedded synthetic English-French corpus.

    Args:
        train_size: pairs of the training split.
        seed: what all draws come from; the same seed gives the same corpus on every machine.

    Returns:
        A corpus with the splits train, valid and test (1,000 pairs each), test_long (the lengths of the longest
        5% of train), test_longer (beyond them) and test_agreement (the right sentences of `agreement_pairs`).
        No English sentence is in two splits, and no combination of clauses is in a test split and another one.

    Raises:
        ConfigError: `train_size` or `seed` is out of range.
    """
    splits = {
        name: ParallelText(
            tuple(pair.source for pair in pairs),
            tuple(pair.target for pair in pairs),
            f"phrasebook, seed {seed}, {name}",
        )
        for name, pairs in phrasebook_pairs(train_size, seed).items()
    }
    return Corpus("phrasebook", "en", "fr", splits, NOTICE, dict(LISTED_SENTENCES), agreement_pairs(seed))
