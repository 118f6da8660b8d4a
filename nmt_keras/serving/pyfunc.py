"""The MLflow model of a translation model: strings in, strings out.

MLflow stores this file beside the model and runs it wherever the model is loaded ("models from code"), so it
imports nothing but what the model's pip requirements name; nmt_keras is not among them.
"""

import os
import re
from collections.abc import Iterable
from tempfile import TemporaryDirectory
from typing import Any

import mlflow
import pandas as pd  # type: ignore[import-untyped]
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PythonModel


class TranslationPyfunc(PythonModel):
    """Translate with the SavedModel among the model's artifacts ("saved_model").

    Of its signatures, `serving_default` takes `source` (string, (B,)) and gives `translation` (string, (B,));
    `translate_n_best` also takes the scalars `beam_size` and `n_best` (int32) and gives `translation` (string,
    (B, n_best)) and `score` (float32, (B, n_best)).
    """

    def load_context(self, context: Any) -> None:
        """Load the SavedModel; called once by MLflow, with the paths of the artifacts."""
        import tensorflow as tf
        import tensorflow_text  # noqa: F401  (registers the tokenizer's operations)

        path = os.path.abspath(context.artifacts["saved_model"])
        with TemporaryDirectory() as temporary:
            if not re.fullmatch(r"[\w./-]+", path, re.ASCII):  # TensorFlow would read it as a pattern, or in UTF-8
                os.symlink(path, link := os.path.join(temporary, "saved_model"))
                path = link
            # A signature holds only a weak reference to the model's variables.
            self._saved_model = tf.saved_model.load(path)

    def predict(
        self,
        context: Any,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> list[Any]:
        """Translate sentences.

        Args:
            context: unused.
            model_input: a data frame with one column, of sentences, which MLflow makes of every form of request; a
                sequence of strings will do too. To a model that `mlflow.pyfunc.load_model` gave, the column must be
                named: `predict(pd.DataFrame({"source": sentences}))` or `predict({"source": sentences})`; MLflow's
                server takes no CSV, which cannot tell null from text. (MLflow reads the type hint: with others it
                refuses forms.)
            params: `beam_size`, the number of hypotheses, and `n_best`, at most as many; at 0, the model's own
                beam size and the best translation alone.

        Returns:
            the translations, in the order of the sentences; an empty list for no sentence. With `n_best`, for each
            sentence a list of {"translation", "score"}, the best first.

        Raises:
            MlflowException: a sentence that is no text, or a parameter or a shape of the input that the model does
                not take; MLflow's server answers 400.
        """
        import tensorflow as tf

        source = tf.constant(_sentences(model_input), dtype=tf.string)
        beam_size, n_best = (int((params or {}).get(name) or 0) for name in ("beam_size", "n_best"))
        if not 0 <= min(beam_size, n_best) <= max(beam_size, n_best) <= tf.int32.max:  # else other numbers are used
            raise _refusal(
                f"beam_size and n_best must be at least 0 and at most {tf.int32.max}. "
                f"Received: beam_size={beam_size}, n_best={n_best}."
            )
        if not beam_size and not n_best:
            found = self._saved_model.signatures["serving_default"](source=source)
            return [translation.decode() for translation in found["translation"].numpy()]
        try:
            found = self._saved_model.signatures["translate_n_best"](
                source=source, beam_size=tf.constant(beam_size), n_best=tf.constant(n_best or 1)
            )
        except tf.errors.InvalidArgumentError as error:  # tells which rule was broken
            raise _refusal(f"{error.message} (params: beam_size={beam_size}, n_best={n_best})") from None
        translations = [
            [
                {"translation": translation.decode(), "score": float(score)}
                for translation, score in zip(*of_sentence, strict=True)
            ]
            for of_sentence in zip(found["translation"].numpy(), found["score"].numpy(), strict=True)
        ]
        return translations if n_best else [best["translation"] for (best,) in translations]


def _sentences(model_input: Any) -> list[str]:
    columns = getattr(model_input, "columns", None)
    if columns is not None:
        if len(columns) != 1:
            raise _refusal(f"The data frame must have one column, of sentences. Received: columns {[*columns]}.")
        model_input = model_input.iloc[:, 0]
    elif isinstance(model_input, str) or not isinstance(model_input, Iterable):
        raise _refusal(f"The input must be a list of sentences. Received: {model_input!r}.")
    sentences = list(model_input)
    if columns is not None and len(sentences) == 1 and isinstance(sentences[0], list):
        (sentences,) = sentences  # MLflow puts a list of nothing but strings into one row
    for row, sentence in enumerate(sentences):
        try:
            sentence.encode()
        except (AttributeError, UnicodeEncodeError):
            raise _refusal(
                f"Each sentence must be a string that UTF-8 can spell, not null or a number. Received: {sentence!r} "
                f"in row {row}, counted from 0."
            ) from None
    return sentences


def _refusal(message: str) -> MlflowException:
    return MlflowException.invalid_parameter_value(message)


mlflow.models.set_model(TranslationPyfunc())
