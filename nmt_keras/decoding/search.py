"""Beam search, the same for every architecture; greedy search is a beam of one."""

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from nmt_keras.config import SearchConfig
from nmt_keras.decoding.scoring import length_penalty
from nmt_keras.layers.masks import padding_mask, set_slice
from nmt_keras.models.base import Memory, State, TranslationModel
from nmt_keras.text.special_tokens import BOS_ID, EOS_ID, PAD_ID, UNKNOWN_ID

Tensor = Any

IMPOSSIBLE = -1e9  # finite, so that sums and products of it stay numbers


class Beam(NamedTuple):
    """The search after some steps: K live hypotheses and the N best finished ones of each sentence."""

    step: Tensor  # scalar int32
    live_ids: Tensor  # (B, K, L) int32
    live_log_probs: Tensor  # (B, K) float32, sums over tokens
    finished_ids: Tensor  # (B, N, L) int32, PAD after EOS
    finished_scores: Tensor  # (B, N) float32, with the length penalty
    num_finished: Tensor  # (B,) int32
    state: State  # of the live hypotheses; leaves (B * K, ...)


def beam_search(
    model: TranslationModel,
    source_ids: Tensor,
    config: SearchConfig,
    num_best: int | Tensor = 1,
    beam_size: int | Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The N best translations that a beam of K finds.

    At each step the 2K best continuations of the live hypotheses are taken. Those among the K best that end a
    sentence are finished; the K best that do not end stay live. A sentence is done when K hypotheses have finished,
    or when none that lives can still become one of the N best, however long and likely its continuation.
    A translation has at most `max_length_ratio` * source tokens + `extra_length` tokens: at that length only EOS may
    follow. PAD, BOS and the unknown token are never output.

    score = log p(translation) / ((5 + length) / 6)^length_penalty

    Args:
        model: any architecture.
        source_ids: (B, S) int32, ended by EOS, then PAD.
        config: beam size K, length penalty and longest translation.
        num_best: N, at most K. With TensorFlow it may be a scalar int32 tensor, as may `beam_size`.
        beam_size: K, where it is not the one of `config`.

    Returns:
        Ids (B, N, L) int32, each ended by EOS, best first, and their scores (B, N) float32. Where fewer than N
        translations exist the rest have scores of -1e9.

    References: Sutskever et al. 2014; Wu et al. 2016, section 7.
    """
    batch_size = ops.shape(source_ids)[0]
    beam_size = config.beam_size if beam_size is None else beam_size
    limits = length_limits(ops.sum(ops.cast(padding_mask(source_ids), "int32"), axis=1), config)  # (B,)
    max_length = length_limits(ops.shape(source_ids)[1], config)
    memory = model.encode(source_ids, training=False)
    state = model.initial_state(memory, max_length)
    if not _is_one(beam_size):
        memory = _map(lambda leaf: ops.repeat(leaf, beam_size, axis=0), memory)
        state = _map(lambda leaf: ops.repeat(leaf, beam_size, axis=0), state)
    first = ops.where(ops.arange(beam_size) > 0, IMPOSSIBLE, 0.0)  # the hypotheses are alike at first
    beam = Beam(
        step=ops.zeros((), "int32"),
        live_ids=ops.full((batch_size, beam_size, max_length), PAD_ID, "int32"),
        live_log_probs=ops.broadcast_to(first, (batch_size, beam_size)),
        finished_ids=ops.full((batch_size, num_best, max_length), PAD_ID, "int32"),
        finished_scores=ops.full((batch_size, num_best), IMPOSSIBLE, "float32"),
        num_finished=ops.zeros((batch_size,), "int32"),
        state=state,
    )

    # Log-probabilities only fall and the penalty only grows: no continuation scores better than this.
    longest_penalty = length_penalty(limits, config.length_penalty)  # (B,)

    def unfinished(*fields: Any) -> Tensor:
        beam = Beam(*fields)
        hopeful = beam.live_log_probs[:, 0] / longest_penalty > beam.finished_scores[:, -1]
        return ops.any((beam.num_finished < beam_size) & (beam.step < limits) & hopeful)

    def extend(*fields: Any) -> Beam:
        return _extend(model, Beam(*fields), memory, limits, config)

    beam = Beam(*ops.while_loop(unfinished, extend, tuple(beam)))
    found = beam.finished_scores[:, :, None] > IMPOSSIBLE / 2  # what else is there is a matter of ties
    return ops.where(found, beam.finished_ids, PAD_ID), beam.finished_scores


def length_limits(source_lengths: Any, config: SearchConfig) -> Any:
    """Tokens of the longest translation; a number, where `source_lengths` is one."""
    if isinstance(source_lengths, int):  # in float32 as below, lest the longest source's limit be one off
        return int(np.float32(config.max_length_ratio) * np.float32(source_lengths)) + config.extra_length
    return ops.cast(config.max_length_ratio * ops.cast(source_lengths, "float32"), "int32") + config.extra_length


def _is_one(beam_size: int | Tensor) -> bool:
    """Whether the search is known to be greedy: its state then stays where it is."""
    return isinstance(beam_size, int) and beam_size == 1


def _map(function: Any, nest: Any) -> Any:
    return keras.tree.map_structure(function, nest)


def _gather(rows: Tensor, index: Tensor) -> Tensor:
    """rows (B, N, ...), index (B, M) -> (B, M, ...): rows of the same sentence."""
    index = ops.reshape(index, (*ops.shape(index), *(1,) * (len(rows.shape) - 2)))
    return ops.take_along_axis(rows, index, axis=1)


def _extend(model: TranslationModel, beam: Beam, memory: Memory, limits: Tensor, config: SearchConfig) -> Beam:
    """One step of every live hypothesis."""
    batch_size, beam_size, _ = ops.shape(beam.live_ids)
    num_best = ops.shape(beam.finished_ids)[1]
    previous = ops.where(
        beam.step == 0,
        BOS_ID,
        ops.take(beam.live_ids, ops.maximum(beam.step - 1, 0), axis=2),
    )  # (B, K)
    logits, state = model.decode_step(ops.reshape(previous, (-1,)), beam.step, beam.state, memory)
    vocabulary_size = logits.shape[-1]
    log_probs = ops.reshape(
        ops.log_softmax(ops.cast(logits, "float32"), axis=-1), (batch_size, beam_size, vocabulary_size)
    )
    candidates = beam.live_log_probs[:, :, None] + _forbid(log_probs, beam.step + 1 >= limits)

    # At most K of the 2K best can end a sentence, one for each parent, so K are left to live on.
    log_probs, index = ops.top_k(ops.reshape(candidates, (batch_size, -1)), 2 * beam_size)  # (B, 2K)
    index = ops.cast(index, "int32")
    parents, tokens = index // vocabulary_size, index % vocabulary_size
    ends = tokens == EOS_ID
    ids = set_slice(_gather(beam.live_ids, parents), beam.step, tokens[:, :, None], axis=2)  # (B, 2K, L)

    finishes = ends & (ops.arange(2 * beam_size) < beam_size) & (log_probs > IMPOSSIBLE / 2)
    finishes = finishes & (beam.num_finished < beam_size)[:, None]
    scores = ops.where(finishes, log_probs / length_penalty(beam.step + 1, config.length_penalty), IMPOSSIBLE)
    finished_scores, best = ops.top_k(ops.concatenate([beam.finished_scores, scores], axis=1), num_best)
    finished_ids = _gather(ops.concatenate([beam.finished_ids, ids], axis=1), best)

    live_log_probs, best = ops.top_k(ops.where(ends, 2 * IMPOSSIBLE, log_probs), beam_size)
    if not _is_one(beam_size):
        kept = _gather(parents, best) + ops.arange(batch_size, dtype="int32")[:, None] * beam_size
        kept = ops.reshape(kept, (-1,))  # (B * K,)
        state = _map(lambda leaf: ops.take(leaf, kept, axis=0), state)
    return Beam(
        step=beam.step + 1,
        live_ids=_gather(ids, best),
        live_log_probs=live_log_probs,
        finished_ids=finished_ids,
        finished_scores=finished_scores,
        num_finished=beam.num_finished + ops.sum(ops.cast(finishes, "int32"), axis=1),
        state=state,
    )


def _forbid(log_probs: Tensor, must_end: Tensor) -> Tensor:
    """Log-probabilities (B, K, V) without the tokens that may not follow: PAD, BOS and unknown never, and only EOS
    in the sentences (B,) that have reached their longest translation."""
    tokens = ops.arange(log_probs.shape[-1])
    never = (tokens == PAD_ID) | (tokens == BOS_ID) | (tokens == UNKNOWN_ID)
    forbidden = never | (must_end[:, None, None] & (tokens != EOS_ID))
    return ops.where(forbidden, IMPOSSIBLE, log_probs)
