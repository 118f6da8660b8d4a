"""Translates lines with an exported SavedModel; needs tensorflow and tensorflow_text alone, not nmt_keras.

python standalone.py EXPORT_DIRECTORY/1 < sentences.txt > translations.txt
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

import tensorflow as tf
import tensorflow_text  # noqa: F401  (registers the tokenizer's operations)


@contextmanager
def plain_path(path: str) -> Iterator[str]:
    """Give another path to a directory where TensorFlow would not find it by its own.

    TensorFlow reads a path as a pattern, in which brackets and the like mean something, and spells it in UTF-8
    whatever the file system's encoding is.
    """
    if _is_plain(path):
        yield path
        return
    with TemporaryDirectory() as temporary:
        if not _is_plain(temporary):
            raise OSError(
                f"TMPDIR must name a directory whose path has only ASCII letters, digits and any of _ - . / in it, "
                f"or {path} must. Received: {temporary}"
            )
        link = os.path.join(temporary, "link")
        os.symlink(os.path.abspath(path), link)
        yield link


def _is_plain(path: str) -> bool:
    return re.fullmatch(r"[\w./-]+", path, re.ASCII) is not None


def main() -> None:
    """Reads sentences from stdin, one a line, and prints as many translations."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with plain_path(sys.argv[1]) as path:
        saved_model = tf.saved_model.load(path)
    translate = saved_model.signatures["serving_default"]
    text = sys.stdin.buffer.read()  # the model takes any bytes
    if not text:
        return
    sentences = [line.removesuffix(b"\r") for line in text.removesuffix(b"\n").split(b"\n")]
    for translation in translate(source=tf.constant(sentences))["translation"].numpy():
        sys.stdout.buffer.write(translation.replace(b"\n", b" ") + b"\n")  # as many lines out as in


if __name__ == "__main__":
    main()
