import pytest

from nmt_keras.metrics.adequacy import Recall, rare_word_recall, repetition, word_counts

SEEN = word_counts(["le chat dort.", "le chat mange.", "le chien dort.", "un loup dort."])


def test_rare_words_are_counted_by_hand() -> None:
    references = ["le loup et le loup", "le chien dort", "zèbre !"]
    hypotheses = ["le loup dort", "un chien chien", "le zèbre zèbre"]
    # Seen at most once: loup (twice wanted, once found), et, chien (1 of 1), zèbre (1 of 1), "!".
    assert rare_word_recall(hypotheses, references, SEEN, at_most=1) == Recall(found=3, wanted=6)
    # Unseen: et, zèbre, "!".
    assert rare_word_recall(hypotheses, references, SEEN, at_most=0) == Recall(found=1, wanted=3)
    assert Recall(3, 6).share == 0.5


def test_punctuation_is_a_word_of_its_own() -> None:
    assert rare_word_recall(["un zèbre."], ["le zèbre, oui"], SEEN, at_most=0) == Recall(found=1, wanted=3)


def test_without_rare_words_there_is_no_recall() -> None:
    assert rare_word_recall(["le"], ["le chat"], SEEN, at_most=1).share is None


def test_repetition_is_counted_by_hand() -> None:
    # a b a b: ab ba ab, 1 of 3 again. c c c c: cc cc cc, 2 of 3 again. a b: none of 1.
    assert repetition(["a b a b", "c c c c", "a b", "a", ""]) == pytest.approx(3 / 7)
    assert repetition(["a b a b", "a b c"], n=1) == pytest.approx(2 / 7)
    assert repetition(["a"]) == 0


def test_languages_without_spaces_have_words_of_one_character() -> None:
    assert word_counts(["猫坐在", "猫"], "zh") == {"猫": 2, "坐": 1, "在": 1}
    assert repetition(["猫坐猫坐"], "zh") == pytest.approx(1 / 3)
    assert repetition(["猫坐猫坐"]) == 0
    seen = word_counts(["猫" * 11 + "狗"], "zh")
    assert rare_word_recall(["猫狗"], ["狗马猫"], seen, "zh") == Recall(found=1, wanted=2)
