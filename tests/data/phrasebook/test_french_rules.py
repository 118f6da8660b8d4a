"""Rules of French, written without the generator, on the sentences of the corpus."""

import re
from collections.abc import Iterator

import pytest

from nmt_keras.data.phrasebook import PhrasePair, phrasebook_pairs
from nmt_keras.data.phrasebook.lexicon import adjectives, nouns, verbs

VOWELS = tuple("aàâeéèêiîoôuyhœ")
NOT_ELIDED_BEFORE = ("héros", "hibou", "haricot", "huit", "onze")
# Determiners that show gender and number; those that show less are left out.
DETERMINERS = {
    "le": "ms",
    "un": "ms",
    "ce": "ms",
    "cet": "ms",
    "du": "ms",
    "au": "ms",
    "la": "fs",
    "une": "fs",
    "cette": "fs",
    "ma": "fs",
    "sa": "fs",
    "tous les": "mp",
    "toutes les": "fp",
}
NUMBER_ONLY = {
    **dict.fromkeys(("l'", "mon", "son", "notre", "leur", "chaque"), "s"),
    **dict.fromkeys(("les", "des", "ces", "mes", "ses", "nos", "leurs", "aux", "plusieurs", "deux", "trois"), "p"),
}
NAMES = {
    **dict.fromkeys(("Paul", "Pierre", "Louis", "Thomas", "Nicolas", "Antoine"), "ms"),
    **dict.fromkeys(("Marie", "Anne", "Julie", "Sophie", "Alice", "Claire"), "fs"),
}
PRONOUNS = {"il": "ms", "elle": "fs", "ils": "mp", "elles": "fp"}
NOUNS: dict[str, set[str]] = {}
for _noun in nouns():
    _gender = "f" if _noun.feminine else "m"
    NOUNS.setdefault(_noun.french, set()).add(_gender + "s")
    if _noun.count == "count":
        NOUNS.setdefault(_noun.french_plural, set()).add(_gender + "p")
ADJECTIVES: dict[str, set[str]] = {}
for _adjective in adjectives():
    for _code, _form in zip(("ms", "fs", "mp", "fp"), _adjective.forms, strict=True):
        ADJECTIVES.setdefault(_form, set()).add(_code)
    if _adjective.before_vowel:
        ADJECTIVES[_adjective.before_vowel] = {"ms"}
PARTICIPLES: dict[str, set[str]] = {}
for _verb in verbs():
    for _code, _ending in (("ms", ""), ("fs", "e"), ("mp", "s"), ("fp", "es")):
        _form = _verb.french_participle + _ending
        PARTICIPLES.setdefault(re.sub("ss$", "s", _form), set()).add(_code)


@pytest.fixture(scope="module")
def pairs() -> list[PhrasePair]:
    return [pair for split in phrasebook_pairs().values() for pair in split]


@pytest.fixture(scope="module")
def sentences(pairs: list[PhrasePair]) -> list[list[str]]:
    """The French words, with elided words and commas apart: l' homme , qui"""
    found = []
    for pair in pairs:
        text = pair.target[:-1] if pair.target.split()[0] in NAMES else pair.target[0].lower() + pair.target[1:-1]
        text = text.replace("aujourd'hui", "aujourd_hui").replace("uelqu'un", "uelqu_un").replace("est-ce", "est_ce")
        found.append(re.sub(r"'", "' ", text).replace(",", " ,").split())
    return found


def windows(sentences: list[list[str]], size: int) -> Iterator[list[str]]:
    for words in sentences:
        for start in range(len(words)):
            yield words[start : start + size]


def test_sentences_begin_and_end_as_written_french(pairs: list[PhrasePair]) -> None:
    assert len(pairs) > 40_000
    for pair in pairs:
        for text in (pair.source, pair.target):
            assert re.fullmatch(r"[A-ZÀÉŒÔ][^.?]*[\w][.?]", text), text
            assert "  " not in text
            assert not re.search(r" [.,?]|[’`\"!;:]", text), text
        assert pair.source[-1] == pair.target[-1]


def test_elision(sentences: list[list[str]]) -> None:
    elided = {"le", "la", "de", "ne", "que", "je", "me", "te", "se"}
    bad, good = [], 0
    for first, second in (pair for pair in windows(sentences, 2) if len(pair) == 2):
        vowel = second.startswith(VOWELS) and not second.startswith(NOT_ELIDED_BEFORE)
        if second in ("et", "ou", "avec", "à", "est_ce") and first in ("la", "le"):
            continue
        if second[0].isupper():
            vowel = second[0] in "AEIOU"
        if first.endswith("'") and first != "d_hui":
            good += 1
            if not vowel or (first == "s'" and second == "elle"):
                bad.append(f"{first}{second}")
        elif (first in elided and vowel) or (first == "si" and second in ("il", "ils")):
            bad.append(f"{first} {second}")
    assert bad == []
    assert good > 10_000


def test_contraction(sentences: list[list[str]]) -> None:
    text = "\n".join(" ".join(words) for words in sentences)
    assert not re.findall(r"\b(?:de|à) les?\b.*", text)
    assert not re.findall(r"\b(?:du|au) (?!hé|hi|ha|ho(?:m|t)?\b)[aeiouyéèêœ]\w*", text)
    assert len(re.findall(r"\b(?:du|des|au|aux) \w+", text)) > 3_000


def _gender_and_number(words: list[str], index: int) -> set[str] | None:
    """What the determiner before the noun at `index` allows; None if it cannot be told."""
    start = index - 1
    while start > 0 and words[start] in ADJECTIVES:
        start -= 1
    determiner = words[start]
    if determiner in ("un", "une") and words[start - 1] == "et" and words[start - 2] in TENS:
        return {"mp" if determiner == "un" else "fp"}
    if determiner in ("le", "la", "l'", "les", "leur") and (
        words[start - 1] in CLITIC_BEFORE
        or (start == index - 1 and words[index] in VERB_FORMS and words[start - 1] in {*NAMES, *NOUNS, *ADJECTIVES})
    ):
        return None  # a pronoun before a verb
    if determiner == "les" and start > 0 and words[start - 1] in ("tous", "toutes"):
        return {DETERMINERS[f"{words[start - 1]} les"]}
    if determiner in DETERMINERS:
        return {DETERMINERS[determiner]}
    if determiner in NUMBER_ONLY:
        return {"m" + NUMBER_ONLY[determiner], "f" + NUMBER_ONLY[determiner]}
    return None


def test_determiners_and_adjectives_agree_with_their_nouns(sentences: list[list[str]]) -> None:
    bad, checked = [], 0
    for words in sentences:
        for index, word in enumerate(words):
            if word not in NOUNS or index == 0:
                continue
            allowed = _gender_and_number(words, index)
            if allowed is None or words[index - 1] in ("ne", "n'", "se", "s'", "qui"):
                continue
            codes = NOUNS[word] & allowed
            before = index - 1
            while words[before] in ADJECTIVES:
                codes &= ADJECTIVES[words[before]]
                before -= 1
            if index + 1 < len(words) and words[index + 1] in ADJECTIVES:
                codes &= ADJECTIVES[words[index + 1]]
            checked += 1
            if not codes:
                bad.append(" ".join(words[max(0, index - 3) : index + 3]))
    assert bad == []
    assert checked > 30_000


def test_vowel_forms_of_adjectives_and_demonstratives(sentences: list[list[str]]) -> None:
    bad = []
    for pair in windows(sentences, 2):
        if len(pair) < 2 or pair[1] in ("et", "est", "à", "avec", "ici", "aujourd_hui", "encore", "hier"):
            continue
        vowel = pair[1].startswith(VOWELS) and not pair[1].startswith(NOT_ELIDED_BEFORE)
        if (pair[0] in ("beau", "nouveau", "vieux", "ce") and vowel and NOUNS.get(pair[1]) == {"ms"}) or (
            pair[0] in ("bel", "nouvel", "vieil", "cet") and not vowel
        ):
            bad.append(" ".join(pair))
    assert bad == []


CLITIC_BEFORE = {"je", "tu", "il", "elle", "ils", "elles", "vous", "qui", "ne", "me", "te", "se", "monde", "personne"}
TENS = {"vingt", "trente", "quarante", "cinquante", "soixante"}
VERB_FORMS = {form for verb in verbs() for form in verb.present}
SUBJECT_START = {"que", "qu'", "donc", "mais", "où", "dont", "quand", ","}


def _subject(words: list[str], start: int) -> tuple[set[str], int] | None:
    """The codes and the end of the noun phrase that begins at `start`."""
    word = words[start]
    if word in PRONOUNS:
        return {PRONOUNS[word]}, start + 1
    if word in NAMES:
        if words[start + 1 : start + 2] == ["et"] and words[start + 2] in NAMES:
            feminine = NAMES[word] == NAMES[words[start + 2]] == "fs"
            return {"fp" if feminine else "mp"}, start + 3
        return {NAMES[word]}, start + 1
    index = start + 1
    while index < len(words) and words[index] in ADJECTIVES and words[index] not in NOUNS:
        index += 1
    if index >= len(words) or words[index] not in NOUNS:
        return None
    allowed = _gender_and_number(words, index)
    end = index + 1
    if end < len(words) and words[end] in ADJECTIVES:
        end += 1
    return (NOUNS[words[index]] & allowed, end) if allowed else None


def test_predicates_agree_with_their_subjects(sentences: list[list[str]]) -> None:
    singular = {"est", "était", "sera"}
    plural = {"sont", "étaient", "seront"}
    between = {"pas", "jamais", "plus", "encore", "très", "trop", "si", "déjà", "aussi", "moins"}
    bad, checked = [], 0
    for words in sentences:
        starts = [0, *(index + 1 for index, word in enumerate(words[:-1]) if word in SUBJECT_START)]
        for start in starts:
            found = _subject(words, start)
            if found is None:
                continue
            codes, end = found
            end += end < len(words) and words[end] in ("ne", "n'")
            if end + 1 >= len(words) or words[end] not in singular | plural:
                continue
            if codes and {code[1] for code in codes} != {"p" if words[end] in plural else "s"}:
                bad.append(" ".join(words))
                continue
            end += 1
            while end < len(words) and words[end] in between:
                end += 1
            predicate = words[end] if end < len(words) else ""
            forms = ADJECTIVES.get(predicate) or PARTICIPLES.get(predicate)
            if forms is None:
                continue
            checked += 1
            if not forms & codes:
                bad.append(" ".join(words))
    assert bad == []
    assert checked > 2_000


def test_participles_agree_with_an_object_before_them(sentences: list[list[str]]) -> None:
    bad, checked = [], 0
    for words in ([*sentence, "", "", ""] for sentence in sentences):
        for index, word in enumerate(words):
            if word not in ("que", "qu'") or index < 2:
                continue
            noun = index - 1 if words[index - 1] in NOUNS else index - 2
            allowed = _gender_and_number(words, noun) if words[noun] in NOUNS else None
            subject = ({"1"}, index + 2) if words[index + 1] in ("je", "j'", "nous") else _subject(words, index + 1)
            if allowed is None or subject is None or not {*words[noun + 1 : index]} <= {*ADJECTIVES}:
                continue
            helper = subject[1] + (words[subject[1]] in ("ne", "n'"))
            if words[helper] in ("ai", "a", "avons", "ont"):
                adverb = words[helper + 1] in ("déjà", "jamais", "pas")
                participle = words[helper + 1 + adverb]
                checked += participle in PARTICIPLES
                if not PARTICIPLES.get(participle, allowed) & NOUNS[words[noun]] & allowed:
                    bad.append(" ".join(words))
    assert bad == []
    assert checked > 300


def test_negations_are_complete(sentences: list[list[str]]) -> None:
    bad, checked = [], 0
    for words in sentences:
        for index, word in enumerate(words):
            if word in ("ne", "n'"):
                checked += 1
                window = words[index + 1 : index + 7]
                if not {"pas", "jamais", "plus"} & set(window) and "personne" not in words[:index]:
                    bad.append(" ".join(words))
            if word in ("pas", "jamais") and not {"ne", "n'"} & set(words[max(0, index - 6) : index]):
                bad.append(" ".join(words))
    assert bad == []
    assert checked > 3_000
