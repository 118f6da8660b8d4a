import math

import pytest

from nmt_keras.errors import UserError
from nmt_keras.metrics.corpus_scores import Score, bleu, chrf, ter

FOX = "the quick brown fox jumps over the lazy dog"
SHORT_FOX = "the quick brown fox jumps over a dog"


def test_bleu_is_the_geometric_mean_of_the_precisions_times_the_brevity_penalty() -> None:
    # 7 of 8 words, 5 of 7 pairs, 4 of 6 triples, 3 of 5 quadruples; 8 words where the reference has 9.
    precisions = 7 / 8 * 5 / 7 * 4 / 6 * 3 / 5
    assert bleu([SHORT_FOX], [FOX]).score == pytest.approx(100 * math.exp(1 - 9 / 8) * precisions**0.25)


def test_bleu_pools_the_counts_of_all_sentences() -> None:
    precisions = (7 + 9) / (8 + 9) * (5 + 8) / (7 + 8) * (4 + 7) / (6 + 7) * (3 + 6) / (5 + 6)
    brevity = math.exp(1 - 18 / 17)
    assert bleu([SHORT_FOX, FOX], [FOX, FOX]).score == pytest.approx(100 * brevity * precisions**0.25)


def test_bleu_splits_punctuation_and_minds_case() -> None:
    reference = ["A dog runs on the grass, slowly."]
    apart = bleu(["A dog runs on the grass , slowly ."], reference)
    lower = bleu(["a dog runs on the grass, slowly."], reference)
    assert apart.score == pytest.approx(100)
    assert 0 < lower.score < 100


def test_bleu_has_the_signature_of_sacrebleu() -> None:
    import sacrebleu

    signature = f"nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:{sacrebleu.__version__}"
    assert bleu([FOX], [FOX]) == Score(pytest.approx(100), signature)


def test_chrf_weighs_recall_twice_as_much_as_precision() -> None:
    # "ab" for "abc": every 1- and 2-gram is right; they are 2 of 3 and 1 of 2 of the reference.
    recall = (2 / 3 + 1 / 2) / 2
    score = chrf(["ab"], ["abc"])
    assert score.score == pytest.approx(100 * 5 * recall / (4 + recall))
    assert "case:mixed" in score.signature
    assert "nc:6|nw:0" in score.signature


def test_an_empty_translation_scores_nothing_but_is_no_error() -> None:
    assert bleu(["", ""], [FOX, FOX]).score == 0
    assert chrf([""], [FOX]).score == 0


@pytest.mark.parametrize("metric", [bleu, chrf])
@pytest.mark.parametrize(("hypotheses", "references"), [([], []), ([FOX], []), ([FOX], [FOX, FOX])])
def test_lengths_must_agree_and_be_positive(metric, hypotheses, references) -> None:
    received = f"{len(hypotheses)} hypotheses, {len(references)} references"
    with pytest.raises(UserError, match=received):
        metric(hypotheses, references)


def test_ter_counts_edits_and_shifts_of_phrases() -> None:
    # One deletion and one substitution of 9 words; "over" for "over the lazy" is no shift.
    score = ter([SHORT_FOX], [FOX])
    assert score.score == pytest.approx(100 * 2 / 9)
    assert "case:mixed" in score.signature
    # A phrase that stands elsewhere is one shift, however long it is.
    assert ter(["over the lazy dog the quick brown fox jumps"], [FOX]).score == pytest.approx(100 / 9)
    assert ter(["The quick brown fox jumps over the lazy dog"], [FOX]).score == pytest.approx(100 / 9)


@pytest.mark.parametrize(
    ("language", "name"),
    [("fr", "13a"), ("", "13a"), ("zh", "zh"), ("zh-Hant", "zh"), ("jpn", "char"), ("th", "char"), ("ko", "13a")],
)
def test_words_are_parted_as_the_language_does(language: str, name: str) -> None:
    score = bleu(["一个男人在长椅上睡觉。"], ["一个女人在长椅上睡觉。"], language)
    assert f"tok:{name}|" in score.signature
    # One of eleven characters is another one; as a single word all is wrong.
    right = 100 * (10 / 11 * 8 / 10 * 6 / 9 * 5 / 8) ** 0.25
    assert score.score == pytest.approx(0 if name == "13a" else right)


def test_ter_parts_languages_without_spaces() -> None:
    thai = ("แมวนั่งบนเสื่อ", "แมวนอนบนเสื่อ")
    assert ter(thai[:1], thai[1:]).score == 100
    score = ter(thai[:1], thai[1:], "th")
    assert 0 < score.score < 50
    assert score.signature.endswith("|characters:parted")
    assert ter(["猫坐在垫子上"], ["狗坐在垫子上"], "zh").score == pytest.approx(100 / 6)
