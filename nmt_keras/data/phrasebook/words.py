"""Words that remember what they translate, and draws that are the same on every machine."""

import random
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from nmt_keras.config import MOST_SEED, out_of_range, raise_faults

T = TypeVar("T")


class Word(NamedTuple):
    """One word of a sentence under construction.

    Args:
        text: the spelling, not yet elided, contracted or capitalized.
        links: numbers shared with the words of the other language that it is aligned to.
        article: a French definite article, which contracts with "de" and "à" (the pronoun "le" does not).
    """

    text: str
    links: tuple[int, ...] = ()
    article: bool = False


class Phrase(NamedTuple):
    """The same content in both languages."""

    english: list[Word]
    french: list[Word]


def words(text: str, *links: int) -> list[Word]:
    """The words of a text, all with the same links."""
    return [Word(part, links) for part in text.split()]


def with_comma(sentence: list[Word]) -> list[Word]:
    """The words with a comma after the last one."""
    return [*sentence[:-1], sentence[-1]._replace(text=sentence[-1].text + ",")]


class Draw:
    """Random choices from a seed.

    They use `random.Random.random` and whole numbers only: the draws that are the same for every version of Python.
    """

    def __init__(self, seed: int) -> None:
        raise_faults(out_of_range("seed", seed, 0, MOST_SEED))  # Python would take -1 for 1
        self._random = random.Random(seed).random

    def index(self, size: int) -> int:
        """A number from 0 to size - 1."""
        return int(self._random() * size)

    def choice(self, items: Sequence[T]) -> T:
        """One of the items."""
        return items[int(self._random() * len(items))]

    def chance(self, percent: int) -> bool:
        """True in so many of a hundred draws."""
        return self._random() * 100 < percent

    def weighted(self, items: Sequence[tuple[T, int]]) -> T:
        """One of the (item, weight) pairs, by weight."""
        total = 0
        for _, weight in items:
            total += weight
        point = int(self._random() * total)
        for item, weight in items:
            point -= weight
            if point < 0:
                return item
        raise ValueError(f"Weights must have a positive sum. Received: {items!r}.")


class Draft:
    """A sentence while it is drawn.

    Args:
        draw: the source of all choices.
    """

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.clauses: list[str] = []  # which clauses the sentence combines, each by its main words
        self.anybody = False  # whether "their" would belong to everyone, someone or whoever is asked for
        self.named = ""  # the last name
        self._links = 0

    def links(self, count: int = 1) -> int:
        """The first of `count` new links."""
        self._links += count
        return self._links - count

    @property
    def combination(self) -> tuple[str, ...]:
        """The clauses, whatever their order."""
        return tuple(sorted(self.clauses))
