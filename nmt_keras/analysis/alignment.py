"""What a model attends to in a sentence pair, and how well its links of words match gold ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from nmt_keras.data.dataset import TokenizedText
from nmt_keras.data.parallel_text import ParallelText
from nmt_keras.decoding.compilation import compile_inference
from nmt_keras.errors import ConfigError, ModelError
from nmt_keras.metrics.alignment_error import AlignmentScore, Link, alignment_error_rate, word_links
from nmt_keras.models.directory import LoadedModel
from nmt_keras.text.special_tokens import BOS_ID
from nmt_keras.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from nmt_keras.data.phrasebook import PhrasePair

AXES = {
    "cross": ("target, predicted", "source"),
    "encoder_self": ("source, attending", "source, attended to"),
    "decoder_self": ("target, predicted", "target, read"),
}
"""What the rows and the columns of each kind of attention are."""


@dataclass(frozen=True)
class AttentionMap:
    """Attention weights of one kind for one sentence pair. The decoder reads y_{t-1} while it predicts y_t.

    Args:
        rows: what attends. "cross" and "decoder_self": the tokens y_t that are predicted, EOS last. "encoder_self":
            the source tokens, EOS last.
        columns: what is attended to. "cross" and "encoder_self": the source tokens, EOS last. "decoder_self": the
            target tokens that are read, BOS first.
        weights: (layers, heads, rows, columns) float; each row sums to 1.
    """

    rows: list[str]
    columns: list[str]
    weights: np.ndarray

    def mean(self, layer: int | None = None, head: int | None = None) -> np.ndarray:
        """The weights (rows, columns) of one layer and one head, counted from 0, or the mean over all of them.

        Raises:
            ConfigError: there is no such layer or head.
        """
        chosen = self.weights
        for axis, (name, index) in enumerate({"layer": layer, "head": head}.items()):
            if index is None:
                continue
            if not 0 <= index < chosen.shape[axis]:
                raise ConfigError(
                    f"--{name} must be at least 0 and below {chosen.shape[axis]}. Received: --{name} {index}."
                )
            chosen = chosen.take([index], axis)
        return chosen.mean(axis=(0, 1))

    def as_json(self) -> dict[str, Any]:
        """What `nmt-keras attention --output FILE.json` holds of it."""
        return {"rows": self.rows, "columns": self.columns, "weights": self.weights.astype(float).round(6).tolist()}


def attention_maps(loaded: LoadedModel, source: str, target: str, words: bool = False) -> dict[str, AttentionMap]:
    """What the model attends to while it reads `source` and predicts `target` (forced decoding).

    Args:
        loaded: a model with attention.
        source: raw text.
        target: raw text, cut into tokens as in training, be it a reference or the model's own translation.
        words: merge the tokens of each word. The weight between two words is the sum over the tokens attended to,
            averaged over the tokens that attend. BOS and EOS stay alone.

    Returns:
        The maps by kind: "cross" and, for the Transformer, "encoder_self" and "decoder_self".

    Raises:
        ModelError: the model has no attention.
    """
    source_ids, target_out_ids = loaded.tokenizer.encode_all([source, target])
    target_in_ids = np.append(np.int32(BOS_ID), target_out_ids[:-1])
    weights = loaded.model.attention_weights(source_ids[None], target_in_ids[None])
    _check_attends(loaded, weights)
    sides = {
        "cross": (target_out_ids, source_ids),
        "encoder_self": (source_ids, source_ids),
        "decoder_self": (target_out_ids, target_in_ids),
    }
    return {
        kind: _attention_map(loaded.tokenizer, *sides[kind], keras.ops.convert_to_numpy(of_kind)[0], words)
        for kind, of_kind in weights.items()
    }


def _check_attends(loaded: LoadedModel, weights: dict[str, Any]) -> None:
    if not weights:
        raise ModelError(
            "Attention weights need an architecture with attention, such as lstm-attention or transformer. "
            f"Received: a model of architecture {loaded.description.architecture}, which has none."
        )


def _attention_map(
    tokenizer: Tokenizer, row_ids: np.ndarray, column_ids: np.ndarray, weights: np.ndarray, words: bool
) -> AttentionMap:
    if not words:
        return AttentionMap(tokenizer.pieces(row_ids), tokenizer.pieces(column_ids), weights)
    rows, row_tokens = _words(tokenizer, row_ids)
    columns, column_tokens = _words(tokenizer, column_ids)
    shares = row_tokens / row_tokens.sum(axis=1, keepdims=True)
    return AttentionMap(rows, columns, shares @ weights @ column_tokens.T)


def _words(tokenizer: Tokenizer, ids: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Token ids (L,) -> the N words that they spell, and which tokens each one has: (N, L) float, 0 or 1."""
    starts = np.flatnonzero(np.diff(tokenizer.word_indices(ids), prepend=-2))  # BOS and EOS have the index -1
    texts = []
    for token_ids in np.split(ids, starts[1:]):
        (text,) = tokenizer.decode_all(token_ids[None])
        texts.append(text or tokenizer.pieces(token_ids)[0])
    positions = np.arange(len(ids))
    word_of_token = np.searchsorted(starts, positions, side="right") - 1
    return texts, (np.arange(len(starts))[:, None] == word_of_token).astype("float32")


def alignment_errors(loaded: LoadedModel, pairs: Sequence["PhrasePair"]) -> list[AlignmentScore]:
    """The alignment error rate of each decoder layer's cross-attention, averaged over its heads.

    The references are decoded by force, and each target word is linked to the source word that it attends to most
    (`word_links`). All gold links are sure.

    Args:
        loaded: a model with attention.
        pairs: with gold links, at least one.

    Raises:
        ModelError: the model has no attention.
    """
    text = ParallelText([pair.source for pair in pairs], [pair.target for pair in pairs])
    tokenized = TokenizedText(text, loaded.tokenizer)
    attention_weights = compile_inference(loaded.model, loaded.model.attention_weights, 2)
    links: list[list[set[Link]]] = [[]] * len(pairs)  # of each pair, by layer
    for members, (inputs, target_out_ids, _) in tokenized.batches(batch_tokens=4096):
        weights = attention_weights(inputs["source_ids"], inputs["target_in_ids"])
        _check_attends(loaded, weights)
        source_words, target_words = map(loaded.tokenizer.word_indices, (inputs["source_ids"], target_out_ids))
        for row, member in enumerate(members):
            by_layer = weights["cross"][row].mean(axis=1)  # (layers, T, S)
            links[member] = [word_links(of_layer, source_words[row], target_words[row]) for of_layer in by_layer]
    gold = [pair.alignment for pair in pairs]
    return [alignment_error_rate(of_layer, gold) for of_layer in zip(*links, strict=True)]
