"""The lexicon: verbs, nouns, adjectives and fixed phrases, read from the data files."""

import csv
import functools
from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True)
class Verb:
    """An English verb and the French verb that translates it.

    Args:
        english, past, participle, gerund: the English forms, with their particle ("look for").
        french: the infinitive, with "se " or "s'" if it is reflexive.
        auxiliary: "avoir" or "être".
        french_participle: masculine singular.
        present: the six persons.
        future_stem: what the endings of the future are put to.
        aspect: "event" (progressive in English), "once" (over at once: no present), "state" (never progressive)
            or "feeling" (a state without a future).
        frames: the constructions it is used in: i intransitive, t direct object, a object with "à", d both,
            c clause, l stays in a place, p goes to a place, m with an adverb of manner, q of quality, w with
            companions, o outdoors, g as what somebody goes somewhere for.
        subjects: classes of nouns.
        objects: classes of nouns, if a person does it.
        animal_objects: classes of nouns, if an animal does it.
    """

    english: str
    past: str
    participle: str
    gerund: str
    french: str
    auxiliary: str
    french_participle: str
    present: tuple[str, ...]
    future_stem: str
    aspect: str
    frames: tuple[str, ...]
    subjects: tuple[str, ...]
    objects: tuple[str, ...]
    animal_objects: tuple[str, ...]

    @property
    def reflexive(self) -> bool:
        return self.french.startswith(("se ", "s'"))

    @property
    def infinitive(self) -> str:
        """The French infinitive without its reflexive pronoun."""
        return self.french.removeprefix("se ").removeprefix("s'")

    def objects_of(self, animal: bool) -> tuple[str, ...]:
        """The classes of its objects."""
        return self.animal_objects if animal else self.objects


@dataclass(frozen=True)
class Noun:
    """A noun in both languages.

    Args:
        english, english_plural, french, french_plural: its forms.
        feminine: whether its gender is feminine.
        count: "count", "mass" (bread) or "single" (father: no plural, not "a").
        classes: what verbs, adjectives and prepositions select.
    """

    english: str
    english_plural: str
    french: str
    french_plural: str
    feminine: bool
    count: str
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Adjective:
    """An adjective in both languages.

    Args:
        comparative: the English comparative, empty if it is not compared.
        forms: masculine, feminine, masculine plural, feminine plural.
        before_vowel: the masculine before a vowel ("bel"), empty if it is the usual one.
        before: whether it stands before the French noun.
        classes: the nouns it is said of; "passing" if it does not last, "attributive" if it is used with nouns only,
            "predicative" if after "be" only ("un grand homme" is not tall).
    """

    english: str
    comparative: str
    forms: tuple[str, str, str, str]
    before_vowel: str
    before: bool
    classes: tuple[str, ...]

    def form(self, feminine: bool, plural: bool) -> str:
        """The French form that agrees."""
        return self.forms[2 * plural + feminine]


def _rows(name: str) -> list[dict[str, str]]:
    path = resources.files("nmt_keras.data") / "lexicon" / f"{name}.tsv"
    lines = path.read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


@functools.cache
def verbs() -> tuple[Verb, ...]:
    """All verbs, in the order of the file."""
    return tuple(
        Verb(
            english=row["english"],
            past=row["past"],
            participle=row["participle"],
            gerund=row["gerund"],
            french=row["french"],
            auxiliary=row["auxiliary"],
            french_participle=row["french_participle"],
            present=tuple(row["present"].split()),
            future_stem=row["future_stem"],
            aspect=row["aspect"],
            frames=tuple(row["frames"].split()),
            subjects=tuple(row["subjects"].split()),
            objects=tuple(row["objects"].split()),
            animal_objects=tuple(row["animal_objects"].split()),
        )
        for row in _rows("verbs")
    )


@functools.cache
def nouns() -> tuple[Noun, ...]:
    """All nouns, in the order of the file."""
    return tuple(
        Noun(
            english=row["english"],
            english_plural=row["english_plural"],
            french=row["french"],
            french_plural=row["french_plural"],
            feminine=row["gender"] == "f",
            count=row["count"],
            classes=tuple(row["classes"].split()),
        )
        for row in _rows("nouns")
    )


@functools.cache
def adjectives() -> tuple[Adjective, ...]:
    """All adjectives, in the order of the file."""
    return tuple(
        Adjective(
            english=row["english"],
            comparative=row["comparative"].strip("."),
            forms=(row["masculine"], row["feminine"], row["masculine_plural"], row["feminine_plural"]),
            before_vowel=row["before_vowel"].strip("-"),
            before=row["position"] == "before",
            classes=tuple(row["classes"].split()),
        )
        for row in _rows("adjectives")
    )


@functools.cache
def phrases(kind: str) -> tuple[tuple[str, str], ...]:
    """The fixed (English, French) phrases of a kind, e.g. "past time"."""
    return tuple((row["english"], row["french"]) for row in _rows("phrases") if row["kind"] == kind)


@functools.cache
def nouns_of(classes: tuple[str, ...]) -> tuple[Noun, ...]:
    """The nouns of any of the classes."""
    return tuple(noun for noun in nouns() if any(name in noun.classes for name in classes))


@functools.cache
def adjectives_of(classes: tuple[str, ...]) -> tuple[Adjective, ...]:
    """The adjectives said of a noun of these classes."""
    return tuple(item for item in adjectives() if any(name in item.classes for name in classes))


@functools.cache
def objects_of(classes: tuple[str, ...]) -> tuple[Noun, ...]:
    """The nouns of any of the classes; those that few verbs take as objects are repeated, to be drawn as often."""
    found: list[Noun] = []
    for noun in nouns_of(classes):
        takers = sum(any(name in noun.classes for name in verb.objects) for verb in verbs())
        found += [noun] * max(1, round(24 / takers))
    return tuple(found)


@functools.cache
def attributes_of(classes: tuple[str, ...]) -> tuple[Adjective, ...]:
    """The adjectives put to a noun of these classes; those said of few nouns are repeated, to be drawn as often."""
    found: list[Adjective] = []
    for adjective in adjectives_of(classes):
        if "predicative" not in adjective.classes:
            found += [adjective] * max(1, round(60 / len(nouns_of(adjective.classes))))
    return tuple(found)


@functools.cache
def predicates_of(classes: tuple[str, ...]) -> tuple[Adjective, ...]:
    """The adjectives that stand after "be", of a noun of these classes."""
    return tuple(item for item in adjectives_of(classes) if "attributive" not in item.classes)


@functools.cache
def verbs_of(frames: tuple[str, ...], subject: str) -> tuple[Verb, ...]:
    """The verbs with any of these frames that a noun of class `subject` can be the subject of."""
    return tuple(verb for verb in verbs() if subject in verb.subjects and any(name in verb.frames for name in frames))


@functools.cache
def verb(english: str, frame: str) -> Verb:
    """The verb of that name and frame."""
    return next(item for item in verbs() if item.english == english and frame in item.frames)
