"""What counts as a word: by spaces where a language writes them, else by character."""

import functools
from collections.abc import Sequence
from typing import Any

from nmt_keras.data.scripts import scripts_of

_TOKENIZATIONS = dict.fromkeys(("Hani", "Hans", "Hant"), "zh") | dict.fromkeys(
    ("Jpan", "Khmr", "Laoo", "Mymr", "Thai"), "char"
)


@functools.cache  # asked for each sentence
def tokenization(language: str) -> str:
    """sacreBLEU's name of how BLEU parts words: 13a, but characters in scripts that put no spaces between words."""
    return next((_TOKENIZATIONS[script] for script in scripts_of(language) if script in _TOKENIZATIONS), "13a")


def words(sentence: str, language: str = "") -> list[str]:
    """The words and characters of a sentence, as BLEU parts them in that language."""
    return str(_tokenizer(tokenization(language))(sentence)).split()


def sentence_lengths(sentences: Sequence[str], language: str = "") -> list[int]:
    """The length of each sentence in words, or in characters where the language has no spaces (`length_unit`)."""
    if tokenization(language) == "13a":
        return [len(sentence.split()) for sentence in sentences]
    return [len(words(sentence, language)) for sentence in sentences]


def length_unit(language: str = "") -> str:
    """What `sentence_lengths` counts: "words" or "characters"."""
    return "words" if tokenization(language) == "13a" else "characters"


@functools.cache
def _tokenizer(name: str) -> Any:
    """One for all: it keeps what it has parted."""
    from sacrebleu.metrics import BLEU

    return BLEU(tokenize=name).tokenizer
