"""One model of a server: what it answers, and how a newer one takes its place."""

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf

from nmt_keras.errors import DamagedFileError
from nmt_keras.serving.savedmodel import ExportedModel, check_export, load_export, read_card

STATUS = ("fine", "split", "cut", "repaired")
"""What became of a source, by the number that signatures give."""
_FIRST_PAUSE, _LAST_PAUSE = 30.0, 3600.0  # seconds between attempts to load a model that failed
_NOTHING_FAILED = object()


class Translate(NamedTuple):
    """What is asked of sentences: translations.

    Args:
        beam_size: hypotheses; 0 for the model's own number.
        n_best: translations of each sentence; 0 for the best alone. Where both are 0, a source that is too long is
            split into sentences; else it is cut.
    """

    beam_size: int = 0
    n_best: int = 0


class Attend(NamedTuple):
    """What is asked of sentences: their translations, and what these attend to."""


class ServedModel:
    """An exported model that is replaced when its reference comes to mean another, or another lies in its place.

    Args:
        reference: what the user calls it.
        locate: the directory of the exported model that the reference means now.

    Raises:
        UserError: the model cannot be loaded, or does not translate as it should.
    """

    def __init__(self, reference: str, locate: Callable[[], Path]) -> None:
        self.reference = reference
        self._locate = locate
        self._exported = self._load(locate())
        self._failed: Any = _NOTHING_FAILED
        self._pause = _FIRST_PAUSE
        self._next_try = 0.0

    @property
    def exported(self) -> ExportedModel:
        """The present model."""
        return self._exported

    @staticmethod
    def _load(path: Path) -> ExportedModel:
        exported = load_export(path)
        check_export(exported)
        return exported

    def refresh(self) -> bool | None:
        """Loads the model that the reference means now; where that fails, the present one stays.

        A model that failed is tried again after longer and longer times, an hour at most. So is told that there is
        none; but one that is there again is loaded at once.

        Returns:
            Whether another model was loaded; None where there was none to load.
        """
        found: tuple[Path, Any] | None = None
        try:
            path = self._locate()
            found = path, _hashes(path)
            if found == (self._exported.path, self._exported.card["files"]):
                self._failed = _NOTHING_FAILED
                return None
            if not self._is_due(found):
                return False
            self._exported = self._load(path)
        except Exception as error:  # whatever is wrong with the new one, the present one serves
            if found is not None or self._is_due(None):
                print(f"{self.reference} goes on with {self._exported.path}: {error}", file=sys.stderr)
            return False
        self._failed = _NOTHING_FAILED
        print(f"{self.reference} is now {path}", file=sys.stderr)
        return True

    def _is_due(self, found: tuple[Path, Any] | None) -> bool:
        """Whether what was found is another than what failed last, or was left alone for long enough."""
        now = time.monotonic()
        if found != self._failed:
            self._failed, self._pause = found, _FIRST_PAUSE
        elif now < self._next_try:
            return False
        self._next_try = now + self._pause
        self._pause = min(2 * self._pause, _LAST_PAUSE)
        return True

    @staticmethod
    def answer(exported: ExportedModel, asked: Translate | Attend, sentences: list[str]) -> list[dict[str, Any]]:
        """What is asked of each sentence, ready for JSON, by the model that was present when it was asked."""
        signatures = exported.signatures
        source = tf.constant(sentences, tf.string)
        match asked:
            case Attend():
                found = _as_numpy(signatures["attention"](source=source))
                return [_attention(found, row) for row in range(len(sentences))]
            case Translate(0, 0):
                found = _as_numpy(signatures["serving_default"](source=source))
                texts, scores = found["translation"][:, None], found["score"][:, None]
            case Translate(beam_size, n_best):
                found = _as_numpy(
                    signatures["translate_n_best"](
                        source=source, beam_size=tf.constant(beam_size), n_best=tf.constant(max(n_best, 1))
                    )
                )
                texts, scores = found["translation"], found["score"]
        return [
            {
                "translation": of_sentence[0].decode(),
                "score": float(scores_of_sentence[0]),
                "status": STATUS[status],
                "n_best": [
                    {"translation": text.decode(), "score": float(score)}
                    for text, score in zip(of_sentence, scores_of_sentence, strict=True)
                ],
            }
            for of_sentence, scores_of_sentence, status in zip(texts, scores, found["status"], strict=True)
        ]


def _hashes(path: Path) -> Any:
    """What tells an exported model from another in its place; None where the card does not say it."""
    with suppress(OSError, KeyError, DamagedFileError):  # of which loading the model tells
        return read_card(path)["files"]
    return None


def _as_numpy(tensors: dict[str, Any]) -> dict[str, Any]:
    return {name: tensor.numpy() for name, tensor in tensors.items()}


def _attention(found: dict[str, Any], row: int) -> dict[str, Any]:
    source, target = (
        [token.decode(errors="replace") for token in found[side][row] if token]
        for side in ("source_tokens", "target_tokens")
    )
    return {
        "translation": found["translation"][row].decode(),
        "status": STATUS[found["status"][row]],
        "source_tokens": source,
        "target_tokens": target,
        "attention": found["attention"][row, : len(target), : len(source)].astype(float).round(4).tolist(),
    }
