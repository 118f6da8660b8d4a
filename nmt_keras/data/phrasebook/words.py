"""Words that remember what they translate, and draws that are the same on every machine."""

import random
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

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
    """Random choices from a seed, made from `random.Random.random` alone: the one draw that Python keeps stable."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed).random

    def index(self, size: int) -> int:
        """A number from 0 to size - 1."""
        return int(self._random() * size)

    def choice(self, items: Sequence[T]) -> T:
        """One of the items."""
        return items[int(self._random() * len(items))]

    def chance(self, probability: float) -> bool:
        """True with that probability."""
        return self._random() < probability

    def weighted(self, items: Sequence[tuple[T, float]]) -> T:
        """One of the (item, weight) pairs, by weight."""
        point = self._random() * sum(weight for _, weight in items)
        for item, weight in items:
            point -= weight
            if point < 0:
                return item
        return items[-1][0]
