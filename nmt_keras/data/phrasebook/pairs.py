"""Finished sentences: elided, contracted, capitalized and aligned."""

from dataclasses import dataclass

from nmt_keras.data.phrasebook.french import elide_and_contract
from nmt_keras.data.phrasebook.words import Phrase, Word


@dataclass(frozen=True)
class PhrasePair:
    """An English sentence, its French translation, and which words translate which.

    Args:
        source: the English sentence.
        target: the French sentence.
        alignment: pairs (index in source.split(), index in target.split()), sorted.
    """

    source: str
    target: str
    alignment: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class DrawnSentence:
    """A pair, and the clauses that it combines, whatever their order."""

    pair: PhrasePair
    combination: tuple[str, ...]


def finished(phrase: Phrase, mark: str) -> PhrasePair:
    """The sentence as it is written.

    Args:
        phrase: its words, neither elided nor capitalized.
        mark: "." or "?".
    """
    english, french = phrase.english, elide_and_contract(phrase.french)
    linked: dict[int, list[int]] = {}
    for index, word in enumerate(french):
        for link in word.links:
            linked.setdefault(link, []).append(index)
    pairs = {
        (index, other) for index, word in enumerate(english) for link in word.links for other in linked.get(link, ())
    }
    return PhrasePair(_text(english, mark), _text(french, mark), tuple(sorted(pairs)))


def _text(sentence: list[Word], mark: str) -> str:
    text = " ".join(word.text for word in sentence)
    return text[0].upper() + text[1:] + mark
