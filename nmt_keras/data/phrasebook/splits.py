"""The splits of the phrasebook: disjoint by English sentence and by combination of clauses."""

import functools
import zlib

from nmt_keras.data.parallel_text import Corpus, ParallelText
from nmt_keras.data.phrasebook.listed import LISTED_SENTENCES
from nmt_keras.data.phrasebook.sentences import DrawnSentence, PhrasePair, draw_long, draw_sentence
from nmt_keras.data.phrasebook.words import Draw

NOTICE = (
    "The phrasebook is synthetic: a grammar writes its sentences. Figures on it check that the machinery works; "
    "they say nothing about the quality of real translation."
)
HELD_OUT = 1_000
LONGEST_TRAINED = 30


def _bucket(clauses: tuple[str, ...]) -> str:
    """Which split a combination of clauses belongs to: one in twenty to valid, one in twenty to test."""
    place = zlib.crc32("; ".join(clauses).encode()) % 20
    return {0: "test", 1: "valid"}.get(place, "train")


def _length(pair: PhrasePair) -> int:
    return len(pair.source.split())


@functools.lru_cache(maxsize=2)
def phrasebook_pairs(train_size: int = 40_000, seed: int = 1) -> dict[str, tuple[PhrasePair, ...]]:
    """The pairs of each split, with their word alignments.

    Args:
        train_size: pairs of the training split.
        seed: what all draws come from.

    Returns:
        The splits train, valid, test, test_long and test_longer.
    """
    draw = Draw(seed)
    sizes = {"train": train_size, "valid": HELD_OUT, "test": HELD_OUT}
    splits: dict[str, list[PhrasePair]] = {name: [] for name in sizes}
    trained: set[tuple[str, ...]] = set()
    seen = {source for source, _ in LISTED_SENTENCES}
    while any(len(splits[name]) < size for name, size in sizes.items()):
        drawn = draw_sentence(draw)
        name = _bucket(drawn.clauses)
        if len(splits[name]) < sizes[name] and _is_new(drawn, seen) and _length(drawn.pair) <= LONGEST_TRAINED:
            splits[name].append(drawn.pair)
            if name == "train":
                trained.add(drawn.clauses)
    lengths = sorted(_length(pair) for pair in splits["train"])
    longest = lengths[-1]
    from_length = lengths[int(0.95 * len(lengths))]
    splits["test_long"], splits["test_longer"] = [], []
    while len(splits["test_long"]) < 400 or len(splits["test_longer"]) < 400:
        drawn = draw_long(draw)
        size = _length(drawn.pair)
        name = "test_longer" if size > longest else "test_long"
        wanted = size >= from_length and len(splits[name]) < 400 and size <= 70
        if wanted and drawn.clauses not in trained and _is_new(drawn, seen):
            splits[name].append(drawn.pair)
    return {name: tuple(pairs) for name, pairs in splits.items()}


def _is_new(drawn: DrawnSentence, seen: set[str]) -> bool:
    if drawn.pair.source in seen:
        return False
    seen.add(drawn.pair.source)
    return True


def phrasebook_corpus(train_size: int = 40_000, seed: int = 1) -> Corpus:
    """The embedded synthetic English-French corpus.

    Args:
        train_size: pairs of the training split.
        seed: what all draws come from; the same seed gives the same corpus on every machine.

    Returns:
        A corpus with the splits train, valid (1,000), test (1,000), test_long (the lengths of the longest
        5% of train) and test_longer (beyond them).
    """
    origin = f"phrasebook, seed {seed}"
    splits = {
        name: ParallelText(tuple(p.source for p in pairs), tuple(p.target for p in pairs), f"{origin}, {name}")
        for name, pairs in phrasebook_pairs(train_size, seed).items()
    }
    return Corpus("phrasebook", "en", "fr", splits, NOTICE, dict(LISTED_SENTENCES))
