"""The embedded corpus as its users see it."""

import pytest

from nmt_keras.data.parallel_text import Corpus
from nmt_keras.data.phrasebook import LISTED_SENTENCES, phrasebook_corpus, phrasebook_pairs


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return phrasebook_corpus(train_size=40_000)


def test_splits_have_their_sizes_and_share_no_english_sentence(corpus: Corpus) -> None:
    assert len(corpus.split("train")) == 40_000
    assert len(corpus.split("valid")) == len(corpus.split("test")) == 1_000
    assert len(corpus.split("test_long")) >= 300
    assert len(corpus.split("test_longer")) >= 300
    sources = [source for split in corpus.splits.values() for source in split.sources]
    assert len(sources) == len(set(sources))


def test_long_splits_begin_where_training_lengths_end(corpus: Corpus) -> None:
    def lengths(name: str) -> list[int]:
        return sorted(len(source.split()) for source in corpus.split(name).sources)

    train = lengths("train")
    assert lengths("test_long")[0] >= train[int(0.95 * len(train))]
    assert lengths("test_long")[-1] <= train[-1] < lengths("test_longer")[0]
    assert lengths("test_longer")[-1] > 60


def test_listed_sentences_are_in_no_split_and_written_with_words_of_train(corpus: Corpus) -> None:
    assert len(LISTED_SENTENCES) == 21
    assert LISTED_SENTENCES[0] == ("I am eating.", "Je mange.")
    sources = {source for split in corpus.splits.values() for source in split.sources}
    english = {word.strip(".,?").lower() for text in corpus.split("train").sources for word in text.split()}
    french = {word.strip(".,?").lower() for text in corpus.split("train").targets for word in text.split()}
    for source, target in LISTED_SENTENCES:
        assert source not in sources
        assert {word.strip(".,?").lower() for word in source.split()} <= english
        assert {word.strip(".,?").lower() for word in target.split()} <= french


def test_the_seed_decides_the_corpus() -> None:
    first = phrasebook_corpus(train_size=300, seed=5).split("train").sha256
    phrasebook_pairs.cache_clear()
    assert phrasebook_corpus(train_size=300, seed=5).split("train").sha256 == first
    assert phrasebook_corpus(train_size=300, seed=6).split("train").sha256 != first


def test_alignment_is_within_the_sentence_and_leaves_few_words_alone() -> None:
    words = aligned = 0
    for pair in phrasebook_pairs(300, 5)["train"]:
        source, target = pair.source.split(), pair.target.split()
        assert all(i < len(source) and j < len(target) for i, j in pair.alignment)
        words += len(source)
        aligned += len({i for i, _ in pair.alignment})
    assert aligned / words > 0.97
