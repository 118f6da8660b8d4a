"""The joint SentencePiece vocabulary: training, and text <-> ids by the TensorFlow Text op."""

import functools
import hashlib
import io
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import keras
import numpy as np
import sentencepiece
import tensorflow as tf
import tensorflow_text as tf_text

from nmt_keras.errors import ConfigError
from nmt_keras.text.special_tokens import BOS_ID, EOS_ID, PAD_ID, UNKNOWN_ID

_MAX_SENTENCES = 2_000_000
_SPACE_MARK = "\N{LOWER ONE EIGHTH BLOCK}"

if keras.backend.backend() != "tensorflow":
    # TensorFlow tokenizes and feeds with any backend, and would take nearly all memory of each GPU that it sees.
    with suppress(RuntimeError):  # it is in use already, and has done so
        tf.config.set_visible_devices([], "GPU")


def normalize(text: str) -> str:
    """What a model sees of a sentence: NFC, with runs of spaces folded into one and none at the ends.

    SentencePiece writes a space as U+2581, so that character reads as a space too. Every other character is kept
    (no-break spaces, typographic quotes, emoji): `decode(encode(text)) == normalize(text)`.
    """
    composed = unicodedata.normalize("NFC", text).replace(_SPACE_MARK, " ")
    return " ".join(word for word in composed.split(" ") if word)


def train_vocabulary(sentences: Sequence[str], size: int, character_coverage: float, seed: int) -> bytes:
    """Trains a unigram SentencePiece model with byte fallback, so that no character is ever unknown.

    Args:
        sentences: text of both languages.
        size: number of pieces, special tokens and the 256 bytes included. It is an upper bound: a small
            corpus gives fewer.
        character_coverage: share of the characters that get a piece of their own; bytes spell the rest.
        seed: chooses two million of the sentences, where there are more.

    Returns:
        The serialized SentencePiece model.

    Raises:
        ConfigError: `size` cannot hold the bytes and the characters of the text.
    """
    model = io.BytesIO()
    if len(sentences) > _MAX_SENTENCES:  # SentencePiece's own choice has a constant seed
        chosen = np.random.default_rng(seed).choice(len(sentences), _MAX_SENTENCES, replace=False)
        sentences = [sentences[index] for index in np.sort(chosen)]
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=(normalize(sentence) for sentence in sentences),
            model_writer=model,
            model_type="unigram",
            vocab_size=size,
            hard_vocab_limit=False,
            character_coverage=character_coverage,
            byte_fallback=True,
            normalization_rule_name="identity",
            pad_id=PAD_ID,
            unk_id=UNKNOWN_ID,
            bos_id=BOS_ID,
            eos_id=EOS_ID,
            max_sentence_length=2**16,  # bytes; longer ones would be passed over
            num_threads=1,  # the result depends on the number of threads
            minloglevel=2,
        )
    except RuntimeError as error:
        raise ConfigError(
            f"vocabulary.size must hold 260 pieces and each character of the text. Received: size={size}. "
            f"Give a larger size or a smaller character_coverage, down to 0.98. SentencePiece says: {error}"
        ) from None
    return model.getvalue()


class Tokenizer(tf.Module):
    """Text to ids and back, inside any TensorFlow graph (tf.data, SavedModel).

    Args:
        proto: the serialized SentencePiece model, as `train_vocabulary` returns it.
    """

    def __init__(self, proto: bytes) -> None:
        super().__init__(name="tokenizer")
        self.proto = proto
        self._vocabulary_size = sentencepiece.SentencePieceProcessor(model_proto=proto).get_piece_size()

    @property
    def vocabulary_size(self) -> int:
        """Number of pieces V."""
        return self._vocabulary_size

    @property
    def sha256(self) -> str:
        """The hash of the vocabulary: what a model's directory is checked by."""
        return hashlib.sha256(self.proto).hexdigest()

    def _pieces(self) -> Any:
        """The op, in the graph that uses it: made outside, `tf.random.set_seed` would destroy it."""
        return tf_text.SentencepieceTokenizer(model=self.proto, out_type=tf.int32)

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string)])
    def encode(self, texts: Any) -> Any:
        """Sentences (B,) string -> ids, a ragged (B, None) int32 tensor. Each row ends with EOS."""
        # SentencePiece folds runs of spaces, but not of the character that it writes for them.
        spaced = tf.strings.regex_replace(tf_text.normalize_utf8(texts, "NFC"), _SPACE_MARK, " ")
        ids = self._pieces().tokenize(spaced)
        return tf.concat([ids, tf.fill((tf.shape(texts)[0], 1), EOS_ID)], axis=1)

    @tf.function(input_signature=[tf.TensorSpec((None, None), tf.int32)])
    def decode(self, ids: Any) -> Any:
        """Ids (B, L) int32 -> sentences (B,) string. A row ends at its first EOS; padding is left out."""
        before_eos = tf.cumsum(tf.cast(ids == EOS_ID, tf.int32), axis=1) == 0
        return self._pieces().detokenize(tf.ragged.boolean_mask(ids, before_eos & (ids != PAD_ID)))

    def pieces_in_graph(self, ids: Any) -> Any:
        """Ids (B, L) int32 -> the vocabulary's names of tokens (B, L) string, "" at padding; `pieces` as an op."""
        return tf.where(ids == PAD_ID, "", self._pieces().id_to_string(ids))

    def encode_all(self, sentences: Sequence[str], batch_size: int = 65_536) -> list[np.ndarray]:
        """Sentences -> their ids, one int32 array each. The op spreads a batch over all processors."""
        ids: list[np.ndarray] = []
        for start in range(0, len(sentences), batch_size):
            batch = self.encode(tf.constant(list(sentences[start : start + batch_size]), tf.string))
            ids += np.split(batch.flat_values.numpy(), batch.row_starts().numpy()[1:])
        return ids

    def decode_all(self, ids: np.ndarray) -> list[str]:
        """Ids (B, L) int32 -> B sentences."""
        return [text.decode() for text in self.decode(ids).numpy()]

    @functools.cached_property
    def _vocabulary(self) -> list[str]:
        processor = sentencepiece.SentencePieceProcessor(model_proto=self.proto)
        return [processor.id_to_piece(i) for i in range(self.vocabulary_size)]

    def pieces(self, ids: np.ndarray) -> list[str]:
        """The vocabulary's names of tokens (L,): "▁mang", where "▁" is a space, "<0xC3>" of a byte, "</s>" of EOS."""
        return [self._vocabulary[i] for i in ids]

    @functools.cached_property
    def _begins_word(self) -> np.ndarray:
        """(V,) bool: whether the piece begins with a space."""
        return np.array([piece.startswith(_SPACE_MARK) for piece in self._vocabulary])

    def word_indices(self, ids: np.ndarray) -> np.ndarray:
        """The word that each token is a part of: an index into `normalize(text).split(" ")`.

        Args:
            ids: (L,) or (B, L) int32, as `encode` gives them; padding may follow.

        Returns:
            The same shape, int64; -1 at special tokens.
        """
        return np.where(ids > EOS_ID, np.cumsum(self._begins_word[ids], axis=-1) - 1, -1)
