"""Aligned sentences in two languages, and the corpus that holds them by split."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from nmt_keras.errors import CorpusError


@dataclass(frozen=True)
class ParallelText:
    """The sentences of one split: `targets[i]` translates `sources[i]`.

    Args:
        sources: sentences in the source language, without line ends.
        targets: their translations, as many.
        origin: where they come from, for messages and for the tracked data set: a path, an address or a seed.
        source_path: the file in which `sources[i]` is line i + 1; empty when no file holds them so.
        target_path: the same for the targets; equal to `source_path` when one file holds both columns.

    Example:
        >>> text = nmt_keras.ParallelText(["I see.", "You see."], ["Je vois.", "Tu vois."])
        >>> len(text)
        2
    """

    sources: Sequence[str]
    targets: Sequence[str]
    origin: str = ""
    source_path: str = ""
    target_path: str = ""

    def __post_init__(self) -> None:
        if len(self.sources) != len(self.targets):
            raise CorpusError(
                [
                    f"{self.origin}: a split must have as many targets as sources. "
                    f"Received: {len(self.sources)} sources, {len(self.targets)} targets."
                ]
            )

    def __len__(self) -> int:
        return len(self.sources)

    @cached_property
    def sha256(self) -> str:
        """The hash of all pairs, in their order (hexadecimal)."""
        digest = hashlib.sha256()
        for source, target in zip(self.sources, self.targets, strict=True):
            digest.update(f"{source}\t{target}\n".encode())
        return digest.hexdigest()


@dataclass(frozen=True)
class AgreementPair:
    """A sentence, its translation, and the translation with one word in the wrong gender or number.

    Args:
        source: the sentence to translate.
        target: the right translation.
        wrong_target: the same, but for the adjective or participle that does not agree with the subject.
        distance: words of the source between the subject and its verb.
    """

    source: str
    target: str
    wrong_target: str
    distance: int


@dataclass(frozen=True)
class Corpus:
    """Named splits of parallel text.

    Args:
        name: what the user asked for (`--corpus`).
        source_language: code of the source language, as in file names ("en").
        target_language: code of the target language ("fr").
        splits: at least "train", "valid" and "test".
        notice: what a reader of figures on this corpus must know; empty for ordinary text.
        listed: a few sentences that no split holds, with their translations, to show at the end of a run.
        agreement: pairs of a right and a wrong translation, to measure long-distance agreement with.

    Example:
        >>> own = nmt_keras.Corpus("mine", "en", "fr", {"train": text, "valid": text, "test": text})
        >>> own.split("test").sources[0]
        'I see.'
    """

    name: str
    source_language: str
    target_language: str
    splits: Mapping[str, ParallelText] = field(repr=False)
    notice: str = ""
    listed: Mapping[str, str] = field(default_factory=dict, repr=False)
    agreement: Sequence[AgreementPair] = field(default=(), repr=False)

    def split(self, name: str) -> ParallelText:
        """The split of that name.

        Raises:
            CorpusError: the corpus has no such split.
        """
        if name not in self.splits:
            raise CorpusError(
                [f"Corpus {self.name} has the splits {', '.join(self.splits)}. Received: split={name!r}."]
            )
        return self.splits[name]
