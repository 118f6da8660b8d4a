"""The MLflow model of a translation model: strings in, strings out.

MLflow stores this file beside the model and runs it wherever the model is loaded ("models from code"), so it
imports nothing but what the model's pip requirements name; nmt_keras is not among them.
"""

from collections.abc import Iterable
from typing import Any

import mlflow
import pandas as pd  # type: ignore[import-untyped]
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

        # A signature holds only a weak reference to the model's variables.
        self._saved_model = tf.saved_model.load(context.artifacts["saved_model"])

    def predict(
        self,
        context: Any,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> list[Any]:
        """Translate sentences.

        Args:
            context: unused.
            model_input: a data frame with one column of strings, which MLflow makes of every form of request;
                a sequence of strings will do too. (MLflow reads the type hint: with others it refuses forms.)
            params: `beam_size`, the number of hypotheses, and `n_best`, at most as many; at 0, the model's own
                beam size and the best translation alone.

        Returns:
            the translations, in the order of the sentences; an empty list for no sentence. With `n_best`, for each
            sentence a list of {"translation", "score"}, the best first.

        Raises:
            ValueError: a parameter, or the shape of the input, that the model does not take.
            TypeError: the input is no sequence.
        """
        import tensorflow as tf

        source = tf.constant(_sentences(model_input), dtype=tf.string)
        beam_size, n_best = (int((params or {}).get(name, 0)) for name in ("beam_size", "n_best"))
        if not beam_size and not n_best:
            found = self._saved_model.signatures["serving_default"](source=source)
            return [translation.decode() for translation in found["translation"].numpy()]
        try:
            found = self._saved_model.signatures["translate_n_best"](
                source=source, beam_size=tf.constant(beam_size), n_best=tf.constant(n_best or 1)
            )
        except tf.errors.InvalidArgumentError as error:  # tells which rule was broken
            raise ValueError(f"{error.message} (params: beam_size={beam_size}, n_best={n_best})") from None
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
            raise ValueError(f"The data frame must have one column, of sentences. Received: columns {[*columns]}.")
        model_input = model_input.iloc[:, 0]
    elif isinstance(model_input, str) or not isinstance(model_input, Iterable):
        raise TypeError(f"The input must be a list of sentences. Received: {model_input!r}.")
    sentences = list(model_input)
    for row, sentence in enumerate(sentences):
        if not isinstance(sentence, str):
            raise ValueError(f"Each sentence must be a string. Received: {sentence!r} in row {row}.")
    return sentences


mlflow.models.set_model(TranslationPyfunc())
