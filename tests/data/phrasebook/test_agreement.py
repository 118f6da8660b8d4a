"""Right and wrong agreement over a distance."""

import re
from collections import Counter

import pytest

from nmt_keras.data.parallel_text import AgreementPair
from nmt_keras.data.phrasebook import agreement_pairs, phrasebook_corpus
from nmt_keras.data.phrasebook.lexicon import adjectives, nouns, verbs


@pytest.fixture(scope="module")
def pairs() -> tuple[AgreementPair, ...]:
    return agreement_pairs()


def changed(pair: AgreementPair) -> tuple[str, str]:
    """The one word that differs: right and wrong."""
    right, wrong = pair.target.split(), pair.wrong_target.split()
    assert len(right) == len(wrong)
    ((first, second),) = [both for both in zip(right, wrong, strict=True) if both[0] != both[1]]
    return first.strip("."), second.strip(".")


def subject(pair: AgreementPair) -> tuple[str, bool, int]:
    """The gender and number of the first noun of the French sentence, and where it stands in the English."""
    english = re.sub("'s", "", pair.source).split()
    for index, word in enumerate(english):
        for noun in nouns():
            if word in (noun.english, noun.english_plural):
                return ("f" if noun.feminine else "m"), word == noun.english_plural, index
    raise AssertionError(pair)


def owned(pair: AgreementPair) -> bool:
    return "'s" in " ".join(pair.source.split()[:4])


def test_there_are_ten_pairs_for_every_distance(pairs: tuple[AgreementPair, ...]) -> None:
    assert Counter(pair.distance for pair in pairs) == dict.fromkeys(range(1, 41), 10)
    assert len({pair.source for pair in pairs}) == 400


def test_the_corpus_holds_the_right_sentences(pairs: tuple[AgreementPair, ...]) -> None:
    split = phrasebook_corpus().split("test_agreement")
    held = dict(zip(split.sources, split.targets, strict=True))
    assert len(held) > 300
    assert held.items() <= {pair.source: pair.target for pair in pairs}.items()


def test_exactly_one_word_is_wrong_and_it_is_another_form_of_the_right_one(pairs: tuple[AgreementPair, ...]) -> None:
    paradigms = [set(item.forms) for item in adjectives()]
    for verb in verbs():
        form = verb.french_participle
        paradigms.append({form, form + "e", form + "s", form + "es"})
    for pair in pairs:
        right, wrong = changed(pair)
        assert any({right, wrong} <= forms for forms in paradigms), (right, wrong)


def test_the_right_word_agrees_with_the_subject_and_the_wrong_one_does_not(pairs: tuple[AgreementPair, ...]) -> None:
    checked = 0
    for pair in pairs:
        if owned(pair):
            continue
        gender, plural, _ = subject(pair)
        right, wrong = changed(pair)
        codes: dict[str, set[str]] = {}
        for item in adjectives():
            for code, form in zip(("m", "f", "mp", "fp"), item.forms, strict=True):
                codes.setdefault(form, set()).add(code)
        for verb in verbs():
            for code, ending in (("m", ""), ("f", "e"), ("mp", "s"), ("fp", "es")):
                codes.setdefault(verb.french_participle + ending, set()).add(code)
        expected = gender + "p" * plural
        assert expected in codes[right]
        assert expected not in codes[wrong]
        checked += 1
    assert checked > 300


def test_the_distance_is_the_length_of_the_relative_clause(pairs: tuple[AgreementPair, ...]) -> None:
    checked = 0
    for pair in pairs:
        if owned(pair) or pair.source.rsplit(" ", 1)[1] == "here.":
            continue
        _, plural, start = subject(pair)
        words = pair.source.split()
        tail = 3 if words[-2] in ("gone", "come") else 2  # "is tired", "has left", "has gone out"
        assert words[-tail] in ("is", "are", "has", "have", "was", "were")
        assert len(words) - tail - start - 1 == pair.distance
        assert (words[-tail] in ("are", "have")) == plural
        checked += 1
    assert checked > 250
