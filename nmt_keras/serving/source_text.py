"""Any bytes to token ids, inside a TensorFlow graph: repaired, split at sentence boundaries, cut."""

from typing import Any, NamedTuple

import tensorflow as tf

from nmt_keras.text.special_tokens import EOS_ID
from nmt_keras.text.tokenizer import Tokenizer

FINE, SPLIT, CUT, REPAIRED = range(4)
"""What became of a text; where more than one holds, the largest is told."""

ENDS = ".!?…؟۔।॥։።"
"""Characters that end a sentence where white space follows."""
BOUNDARY = rf"""([{ENDS}]+["'”’»)\]]*)\s+|([。！？။។]+["'”’»）」』]*)\s*|\n+"""
"""The end of a sentence, with the quotes and brackets that close after it; or the end of a line. RE2 and Python."""
_SEPARATOR = b"\xff"  # no byte of valid UTF-8
_BLANK = r"[\s\v\x1c-\x1f\x{85}\pZ]*"  # what Python's str.isspace() takes for space


class SourceText(NamedTuple):
    """N texts, cut into P >= N parts."""

    ids: Any  # (P, None) ragged int32, each part ended by EOS
    parts_of_text: Any  # (N,) int64, the number of parts of each text
    status: Any  # (N,) int32


def _repaired(texts: Any) -> tuple[Any, Any]:
    """Bytes (N,) string -> valid UTF-8 (N,) string, "" if blank, with U+FFFD for what is invalid; and whether there
    was any (N,) bool."""
    valid = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")
    return tf.where(tf.strings.regex_full_match(valid, _BLANK), "", valid), valid != texts


def cut_text(texts: Any, tokenizer: Tokenizer, max_tokens: int) -> SourceText:
    """Each text as one part, of which at most `max_tokens` tokens are left, EOS included."""
    texts, invalid = _repaired(texts)
    ids, cut = _cut(tokenizer.encode(texts), max_tokens)
    return SourceText(ids, tf.ones_like(cut, tf.int64), _status(invalid, cut, tf.zeros_like(cut)))


def split_text(texts: Any, tokenizer: Tokenizer, max_tokens: int) -> SourceText:
    """Texts of more than `max_tokens` tokens as their sentences; what is too long even so is cut."""
    texts, invalid = _repaired(texts)
    too_long = tokenizer.encode(texts).row_lengths() > max_tokens
    sentences = tf.strings.regex_replace(texts, BOUNDARY, rb"\1\2" + _SEPARATOR)
    parts = tf.strings.split(tf.where(too_long, sentences, texts), _SEPARATOR)  # (N, None) ragged
    ids, cut = _cut(tokenizer.encode(parts.flat_values), max_tokens)
    cut = tf.reduce_any(parts.with_flat_values(cut), axis=1)
    return SourceText(ids, parts.row_lengths(), _status(invalid, cut, parts.row_lengths() > 1))


def _cut(ids: Any, max_tokens: int) -> tuple[Any, Any]:
    """Ids (P, None) ragged, ended by EOS -> the same with at most `max_tokens`, and whether any were lost (P,) bool."""
    kept = ids[:, :-1][:, : max_tokens - 1]
    end = tf.fill((ids.nrows(), 1), EOS_ID)
    return tf.concat([kept, end], axis=1), ids.row_lengths() > max_tokens


def _status(invalid: Any, cut: Any, split: Any) -> Any:
    """(N,) bool each -> (N,) int32."""
    return tf.where(invalid, REPAIRED, tf.where(cut, CUT, tf.where(split, SPLIT, FINE)))
