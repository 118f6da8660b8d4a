import math

import pytest

from nmt_keras.data.cleaning import Limits, clean, clean_corpus
from nmt_keras.data.parallel_text import Corpus, ParallelText
from nmt_keras.errors import ConfigError, CorpusError


def text_of(pairs: list[tuple[str, str]]) -> ParallelText:
    return ParallelText([s for s, _ in pairs], [t for _, t in pairs], "somewhere", "some.en", "some.fr")


def words(count: int) -> str:
    return " ".join(["word"] * count)


def pairs_of(text: ParallelText) -> list[tuple[str, str]]:
    return list(zip(text.sources, text.targets, strict=True))


def test_pairs_are_dropped_by_reason_and_the_rest_keeps_its_order() -> None:
    good = [("A house.", "Une maison."), (" a\u2028b ", "c"), (words(200), words(150))]
    text = text_of(
        [
            ("", "x"),
            good[0],
            ("x", " \t"),
            ("\u00a0", "\u3000"),
            (words(201), words(190)),
            good[1],
            (words(190), words(201)),
            ("x" * 80, "y"),
            (words(300), "y"),  # both reasons: counts once, under the first
            good[2],
            ("y", "x" * 60),
            ("", words(300)),
        ]
    )
    cleaned, dropped = clean(text)
    assert pairs_of(cleaned) == good
    assert dropped == {"empty": 4, "too_long": 3, "length_ratio": 2}
    assert len(text) == 12, "the given text must not change"
    assert (cleaned.source_path, cleaned.target_path) == ("", ""), "its indices are not the files' line numbers"
    assert "somewhere" in cleaned.origin


def test_text_without_faults_stays_as_it_is() -> None:
    text = text_of([("A house.", "Une maison."), ("No.", "Non.")])
    cleaned, dropped = clean(text)
    assert cleaned == text
    assert dropped == {"empty": 0, "too_long": 0, "length_ratio": 0}


def test_cleaning_no_text_gives_no_text() -> None:
    cleaned, dropped = clean(text_of([]))
    assert len(cleaned) == 0
    assert sum(dropped.values()) == 0


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("Oui.", "Yes, of course, I will do that."),
        ("OK", "Das ist in Ordnung, einverstanden."),
        ("I", "我"),
        (
            "The committee will meet again next Thursday to decide on the budget.",
            "委员会将于下周四再次开会决定预算。",
        ),
    ],
)
def test_short_sentences_and_dense_scripts_are_kept(source: str, target: str) -> None:
    for pair in ((source, target), (target, source)):
        assert clean(text_of([pair]))[1]["length_ratio"] == 0


@pytest.mark.parametrize(("longer", "dropped"), [(110, 0), (111, 1)])
def test_the_ratio_has_an_additive_slack(longer: int, dropped: int) -> None:
    # (110 + 10) / (10 + 10) = 6: the limit itself is allowed
    for pair in (
        ("x" * 10, "y" * longer),
        ("y" * longer, "x" * 10),
        ("y" * longer, "   " + "x" * 10 + "   "),
    ):
        assert clean(text_of([pair]))[1]["length_ratio"] == dropped


@pytest.mark.parametrize(("count", "dropped"), [(5, 0), (6, 1)])
def test_max_words_is_the_last_length_that_stays(count: int, dropped: int) -> None:
    assert clean(text_of([(words(count), words(5))]), Limits(max_words=5))[1]["too_long"] == dropped
    assert clean(text_of([(words(5), words(count))]), Limits(max_words=5))[1]["too_long"] == dropped
    letters = " ".join("abcdef"[:count])
    assert clean(text_of([(letters, "x")]), Limits(max_words=5))[1]["too_long"] == dropped


@pytest.mark.parametrize(("length", "dropped"), [(50, 0), (51, 1)])
def test_text_without_spaces_is_measured_by_characters(length: int, dropped: int) -> None:
    assert clean(text_of([("字" * length, words(5))]), Limits(max_words=5))[1]["too_long"] == dropped


def test_max_ratio_can_be_chosen() -> None:
    pair = ("x" * 10, "y" * 32)  # 42 / 20 = 2.1
    assert clean(text_of([pair]), Limits(max_ratio=2.0))[1]["length_ratio"] == 1
    assert clean(text_of([pair]), Limits(max_ratio=2.2))[1]["length_ratio"] == 0


def test_impossible_limits_are_refused_together() -> None:
    with pytest.raises(ConfigError) as caught:
        Limits(max_words=0, max_ratio=0.5)
    assert "Received: max_words=0." in str(caught.value)
    assert "Received: max_ratio=0.5." in str(caught.value)
    with pytest.raises(ConfigError, match="max_ratio=nan"):
        Limits(max_ratio=math.nan)


def test_test_splits_are_never_cleaned() -> None:
    text = text_of([("good", "bon"), ("", "x")])
    names = ("train", "valid", "test", "test_2017_flickr", "train_more")
    corpus = Corpus("c", "en", "fr", dict.fromkeys(names, text), "notice")
    cleaned, dropped = clean_corpus(corpus)
    assert {name: len(split) for name, split in cleaned.splits.items()} == {
        "train": 1,
        "valid": 1,
        "test": 2,
        "test_2017_flickr": 2,
        "train_more": 2,
    }
    one_empty = {"empty": 1, "too_long": 0, "length_ratio": 0}
    assert dropped == {"train": one_empty, "valid": one_empty}
    assert (cleaned.name, cleaned.notice) == ("c", "notice")
    assert len(corpus.split("train")) == 2, "the given corpus must not change"


def test_a_corpus_of_which_nothing_is_left_is_refused() -> None:
    good = text_of([("good", "bon")])
    corpus = Corpus("c", "en", "fr", {"train": text_of([("", "x")] * 3), "valid": good, "test": good})
    with pytest.raises(CorpusError) as caught:
        clean_corpus(corpus)
    (fault,) = caught.value.faults
    assert "split train" in fault
    assert "Received: 3 pairs, dropped: empty 3, too_long 0, length_ratio 0." in fault
