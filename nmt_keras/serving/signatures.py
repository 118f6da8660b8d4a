"""What an exported model does: tokenizer, model and beam search in one graph, strings in and strings out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from nmt_keras.config import SearchConfig
from nmt_keras.decoding.scoring import token_log_probs
from nmt_keras.decoding.search import beam_search, length_limits
from nmt_keras.errors import ConfigError
from nmt_keras.models.base import TranslationModel
from nmt_keras.models.directory import LoadedModel
from nmt_keras.serving.source_text import cut_text, split_text
from nmt_keras.text.special_tokens import BOS_ID, PAD_ID

_BATCH_TOKENS = 4096  # source slots searched at once: what bounds the memory that a request takes
_LARGEST_LIMIT = 1_000_000  # lest numbers of tokens become too large for 32 bits
_TEXTS = tf.TensorSpec((None,), tf.string)
_COUNT = tf.TensorSpec((), tf.int32)


@dataclass(frozen=True)
class ServingLimits:
    """What a request to an exported model may ask for.

    Args:
        max_source_tokens: longer sources are split or cut.
        max_beam_size: of `translate_n_best`.
    """

    max_source_tokens: int = 256
    max_beam_size: int = 10

    def __post_init__(self) -> None:
        for name, least in (("max_source_tokens", 2), ("max_beam_size", 1)):
            if not least <= getattr(self, name) <= _LARGEST_LIMIT:
                raise ConfigError(
                    f"--{name.replace('_', '-')} must be at least {least} and at most {_LARGEST_LIMIT:,}. "
                    f"Received: {getattr(self, name)}."
                )


class ServingSignatures:
    """The functions that become the signatures of a SavedModel.

    They take any bytes. Invalid UTF-8 is replaced by U+FFFD, sources of too many tokens are cut (`translate` splits
    them at sentence boundaries first), and `status` tells so: 0 fine, 1 split, 2 cut, 3 repaired. What is empty or
    blank has an empty translation. N is the number of texts.

    Args:
        loaded: the model; it calls cuDNN no longer.
        config: how translations are searched for.
        limits: what a request may ask for.
        xla: compile the search with XLA, once for each shape of batch; sources are padded so that these are few.

    Raises:
        ConfigError: the beam of `config` is larger than the limits allow.
    """

    def __init__(self, loaded: LoadedModel, config: SearchConfig, limits: ServingLimits, xla: bool = False) -> None:
        if config.beam_size > limits.max_beam_size:
            raise ConfigError(
                f"--beam-size must be at most --max-beam-size. "
                f"Received: --beam-size {config.beam_size}, --max-beam-size {limits.max_beam_size}."
            )
        self.tokenizer = loaded.tokenizer
        self.model = loaded.model
        self.config = config
        self.limits = limits
        self.xla = xla
        for layer in self.model._flatten_layers():
            if hasattr(layer, "use_cudnn"):
                layer.use_cudnn = False  # else a graph that is traced beside a GPU runs nowhere else
        self._beam_search = tf.function(
            lambda ids, beam_size, num_best: beam_search(self.model, ids, config, num_best, beam_size),
            input_signature=[tf.TensorSpec((None, None), tf.int32), _COUNT, _COUNT],
            autograph=False,
            jit_compile=xla or None,
        )  # traced once for all signatures

    @property
    def functions(self) -> dict[str, Any]:
        """The functions by the names of their signatures; `attention` where the architecture has attention."""
        functions = {
            "serving_default": self.translate,
            "translate_n_best": self.translate_n_best,
            "score": self.score,
        }
        if type(self.model).attention_weights is not TranslationModel.attention_weights:
            functions["attention"] = self.attention
        return functions

    @property
    def max_target_tokens(self) -> int:
        """Tokens of the longest translation of the longest source."""
        return length_limits(self.limits.max_source_tokens, self.config)

    @tf.function(input_signature=[_TEXTS], autograph=False)
    def translate(self, source: Any) -> dict[str, Any]:
        """Sources (N,) string -> translation (N,) string, score (N,) float32, status (N,) int32.

        The score of a text that was split is the sum of its parts' scores.
        """
        text = split_text(source, self.tokenizer, self.limits.max_source_tokens)
        translations, scores = self._translate_all(text.ids, self.config.beam_size, 1)
        rows = tf.RaggedTensor.from_row_lengths(translations[:, 0], text.parts_of_text)  # (N, None)
        said = tf.ragged.boolean_mask(rows, rows != "")
        return {
            "translation": tf.strings.reduce_join(said, axis=1, separator=" "),
            "score": tf.reduce_sum(rows.with_flat_values(scores[:, 0]), axis=1),
            "status": text.status,
        }

    @tf.function(input_signature=[_TEXTS, _COUNT, _COUNT], autograph=False)
    def translate_n_best(self, source: Any, beam_size: Any, n_best: Any) -> dict[str, Any]:
        """Sources (N,) string, beam size K and n_best M (scalar int32) -> the best translations that a beam of K finds.

        M <= K <= max_beam_size; K = 0 stands for the model's own beam size, or M if that is larger.

        Returns:
            translation (N, M) string and score (N, M) float32, best first, and status (N,) int32. Where fewer are
            found, the rest are empty with the score -1e9.
        """
        largest = self.limits.max_beam_size
        beam_size = tf.where(beam_size == 0, tf.maximum(self.config.beam_size, n_best), beam_size)
        checks = [
            tf.debugging.Assert(
                (beam_size >= 1) & (beam_size <= largest),
                [f"beam_size must be at least 1 and at most {largest}. Received:", beam_size],
            ),
            tf.debugging.Assert(
                (n_best >= 1) & (n_best <= beam_size),
                ["n_best must be at least 1 and at most beam_size. Received:", n_best],
            ),
        ]
        with tf.control_dependencies(checks):
            text = cut_text(source, self.tokenizer, self.limits.max_source_tokens)
        translations, scores = self._translate_all(text.ids, beam_size, n_best)
        return {"translation": translations, "score": scores, "status": text.status}

    @tf.function(input_signature=[_TEXTS, _TEXTS], autograph=False)
    def score(self, source: Any, target: Any) -> dict[str, Any]:
        """Sources and targets (N,) string -> log_prob (N,) float32 in nats, length (N,) int32 of the targets, status.

        Forced decoding: log p(target | source), summed over the target's tokens, EOS included, as `length` is.
        `status` (N,) int32 is the larger of both texts'.
        """
        check = tf.debugging.Assert(
            tf.size(source) == tf.size(target),
            ["source and target must be as many. Received:", tf.size(source), tf.size(target)],
        )
        with tf.control_dependencies([check]):
            sources = cut_text(source, self.tokenizer, self.limits.max_source_tokens)
            targets = cut_text(target, self.tokenizer, self.max_target_tokens)
        lengths = tf.cast(targets.ids.row_lengths(), tf.int32)

        def log_probs(rows: Any) -> tuple[Any]:
            source_ids, target_ids = (tf.gather(side.ids, rows).to_tensor() for side in (sources, targets))
            of_tokens = token_log_probs(self.model, source_ids, _shifted(target_ids), target_ids)
            return (tf.reduce_sum(of_tokens, axis=1),)

        longer = tf.maximum(lengths, tf.cast(sources.ids.row_lengths(), tf.int32))
        (log_prob,) = _in_batches(log_probs, longer, self.config.batch_size, [tf.zeros((0,))])
        return {"log_prob": log_prob, "length": lengths, "status": tf.maximum(sources.status, targets.status)}

    @tf.function(input_signature=[_TEXTS], autograph=False)
    def attention(self, source: Any) -> dict[str, Any]:
        """Sources (N,) string -> what their translations attend to.

        Returns:
            translation (N,) string; source_tokens (N, S) string and target_tokens (N, T) string, EOS last, then "";
            attention (N, T, S) float32, the mean of all layers and heads: each row, of a target token that is
            predicted, sums to 1, and is 0 after the end; status (N,) int32. A blank source has no target token.
        """
        text = cut_text(source, self.tokenizer, self.limits.max_source_tokens)
        lengths = tf.cast(text.ids.row_lengths(), tf.int32)
        longest = tf.reduce_max(tf.concat([lengths, [0]], axis=0))

        def attend(rows: Any) -> tuple[Any, Any]:
            ids = tf.gather(text.ids, rows)
            source_ids = ids.to_tensor()
            hypotheses, _ = self._search(ids, self.config.beam_size, 1)
            target_ids = tf.where(_blank(ids)[:, None], PAD_ID, hypotheses[:, 0])  # (R, L)
            target_ids = _trimmed(target_ids)  # (R, T)
            # (R, layers, heads, T, S)
            weights = self.model.attention_weights(source_ids, _shifted(target_ids))["cross"]
            weights = tf.where((target_ids != PAD_ID)[:, :, None], tf.reduce_mean(weights, axis=(1, 2)), 0.0)
            # All batches have the longest one's shape.
            after = self.max_target_tokens - tf.shape(target_ids)[1]
            beyond = longest - tf.shape(source_ids)[1]
            return tf.pad(target_ids, [[0, 0], [0, after]]), tf.pad(weights, [[0, 0], [0, after], [0, beyond]])

        empty = [tf.zeros((0, self.max_target_tokens), tf.int32), tf.zeros((0, self.max_target_tokens, longest))]
        target_ids, attention = _in_batches(attend, lengths, self.config.batch_size, empty)
        target_ids = _trimmed(target_ids)  # (N, T)
        return {
            "translation": self.tokenizer.decode(target_ids),
            "source_tokens": self.tokenizer.pieces_in_graph(text.ids.to_tensor()),
            "target_tokens": self.tokenizer.pieces_in_graph(target_ids),
            "attention": attention[:, : tf.shape(target_ids)[1]],
            "status": text.status,
        }

    def _search(self, ids: Any, beam_size: Any, num_best: Any) -> tuple[Any, Any]:
        """Ids (R, None) ragged -> `beam_search`'s ids (R, N, L) and scores (R, N)."""
        source_ids = ids.to_tensor()
        if not self.xla:
            return self._beam_search(source_ids, beam_size, num_best)
        rows, length = tf.shape(source_ids)[0], tf.shape(source_ids)[1]
        repeated = tf.minimum(tf.range(_power_of_two(rows)), rows - 1)
        source_ids = tf.pad(tf.gather(source_ids, repeated), [[0, 0], [0, _power_of_two(length) - length]])
        hypotheses, scores = self._beam_search(source_ids, beam_size, num_best)
        return hypotheses[:rows], scores[:rows]

    def _translate_all(self, ids: Any, beam_size: Any, num_best: Any) -> tuple[Any, Any]:
        """Ids (P, None) ragged -> translations (P, N) string and scores (P, N) float32; of blanks "" and 0."""

        def translate(rows: Any) -> tuple[Any, Any]:
            hypotheses, scores = self._search(tf.gather(ids, rows), beam_size, num_best)
            flat = tf.reshape(hypotheses, (-1, tf.shape(hypotheses)[2]))  # (rows * N, L)
            return tf.reshape(self.tokenizer.decode(flat), tf.shape(scores)), scores  # (rows, N)

        empty = [tf.zeros((0, num_best), tf.string), tf.zeros((0, num_best))]
        lengths = tf.cast(ids.row_lengths(), tf.int32)
        translations, scores = _in_batches(translate, lengths, self.config.batch_size, empty)
        blank = _blank(ids)[:, None]
        return tf.where(blank, "", translations), tf.where(blank, 0.0, scores)


def _blank(ids: Any) -> Any:
    """Ids (P, None) ragged -> (P,) bool: nothing but EOS."""
    return ids.row_lengths() == 1


def _trimmed(ids: Any) -> Any:
    """(N, L) int32 -> (N, T) int32 without the last columns of nothing but padding; one is left."""
    used = tf.where(tf.reduce_any(ids != PAD_ID, axis=0))  # (columns, 1)
    return ids[:, : tf.reduce_max(tf.concat([used[:, 0] + 1, [1]], axis=0))]


def _power_of_two(number: Any) -> Any:
    """The least power of two that is at least `number`, a scalar int32 above 0."""
    powers = tf.constant([2**i for i in range(31)])
    return powers[tf.searchsorted(powers, number[None])[0]]


def _shifted(target_out_ids: Any) -> Any:
    """(N, T) int32 -> the decoder's inputs (N, T) int32, led by BOS."""
    return tf.concat([tf.fill((tf.shape(target_out_ids)[0], 1), BOS_ID), target_out_ids[:, :-1]], axis=1)


def _in_batches(
    function: Callable[[Any], Sequence[Any]], lengths: Any, batch_size: int, empty: Sequence[Any]
) -> list[Any]:
    """Rows of like length together, the longest first, lest a large or mixed request take all memory.

    Args:
        function: from indices of rows (R,) int32 to tensors (R, ...).
        lengths: (P,) int32, tokens of each row.
        batch_size: rows at most.
        empty: what the function would return for no row.

    Returns:
        The tensors (P, ...), in the order of the rows.
    """
    order = tf.argsort(lengths, direction="DESCENDING")

    def extend(start: Any, *results: Any) -> tuple[Any, ...]:
        longest = lengths[order[start]]
        end = start + tf.clip_by_value(_BATCH_TOKENS // longest, 1, batch_size)
        added = function(order[start:end])
        return end, *(tf.concat(pair, axis=0) for pair in zip(results, added, strict=True))

    _, *results = tf.while_loop(
        lambda start, *_: start < tf.size(order),
        extend,
        (0, *empty),
        (tf.TensorShape(()), *(tf.TensorShape([None] * len(part.shape)) for part in empty)),
        parallel_iterations=1,
    )
    return [tf.gather(result, tf.math.invert_permutation(order)) for result in results]
