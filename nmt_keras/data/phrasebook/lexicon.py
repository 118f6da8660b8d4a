"""The lexicon: verbs, nouns, adjectives and fixed phrases, read from the data files."""

import csv
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True)
class Verb:
    """An English verb and the French verb that translates it.

    Args:
        english, past, participle, gerund: the English forms, with their particle ("look for").
        french: the infinitive.
        auxiliary: "avoir" or "être".
        french_participle: masculine singular.
        present: the six persons.
        future_stem: what the endings of the future are put to.
        aspect: "event" (progressive in English), "once" (over at once: no present) or "state" (never progressive).
        frames: the constructions it is used in: i intransitive, t direct object, a object with "à", d both,
            c clause, l stays in a place, p goes to a place.
        subjects, objects: classes of nouns.
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


@dataclass(frozen=True)
class Noun:
    """A noun in both languages; `mass` nouns (bread) have no plural."""

    english: str
    english_plural: str
    french: str
    french_plural: str
    feminine: bool
    classes: tuple[str, ...]

    @property
    def mass(self) -> bool:
        return self.english_plural == "-"


@dataclass(frozen=True)
class Adjective:
    """An adjective in both languages.

    Args:
        comparative: the English comparative, empty if it is not compared.
        forms: masculine, feminine, masculine plural, feminine plural.
        before_vowel: the masculine before a vowel ("bel"), empty if it is the usual one.
        before: whether it stands before the French noun.
        classes: the nouns it is said of.
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
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


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
def nouns_of(classes: Sequence[str]) -> tuple[Noun, ...]:
    """The nouns of any of the classes."""
    return tuple(noun for noun in nouns() if any(name in noun.classes for name in classes))


@functools.cache
def adjectives_of(classes: Sequence[str]) -> tuple[Adjective, ...]:
    """The adjectives said of a noun of these classes."""
    return tuple(item for item in adjectives() if any(name in item.classes for name in classes))


@functools.cache
def verbs_of(frames: Sequence[str], subject: str) -> tuple[Verb, ...]:
    """The verbs with any of these frames that a noun of class `subject` can be the subject of."""
    return tuple(verb for verb in verbs() if subject in verb.subjects and any(name in verb.frames for name in frames))


@functools.cache
def verb(english: str, frame: str) -> Verb:
    """The verb of that name and frame."""
    return next(item for item in verbs() if item.english == english and frame in item.frames)
