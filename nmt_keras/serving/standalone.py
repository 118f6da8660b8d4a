"""Translates lines with an exported SavedModel; needs tensorflow and tensorflow_text alone, not nmt_keras.

python standalone.py EXPORT_DIRECTORY/1 < sentences.txt > translations.txt
"""

import sys

import tensorflow as tf
import tensorflow_text  # noqa: F401  (registers the tokenizer's operations)


def main() -> None:
    """Reads sentences from stdin, one a line, and prints as many translations."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    saved_model = tf.saved_model.load(sys.argv[1])
    translate = saved_model.signatures["serving_default"]
    text = sys.stdin.buffer.read()  # the model takes any bytes
    if not text:
        return
    sentences = [line.removesuffix(b"\r") for line in text.removesuffix(b"\n").split(b"\n")]
    for translation in translate(source=tf.constant(sentences))["translation"].numpy():
        sys.stdout.buffer.write(translation.replace(b"\n", b" ") + b"\n")  # as many lines out as in


if __name__ == "__main__":
    main()
