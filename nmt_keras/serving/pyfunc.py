"""The MLflow model of a translation model: strings in, strings out.

MLflow stores this file beside the model and runs it wherever the model is loaded ("models from code"), so it
imports nothing but what the model's pip requirements name; nmt_keras is not among them.
"""

from collections.abc import Iterable
from typing import Any

import mlflow
import pandas as pd  # type: ignore[import-untyped]
from mlflow.pyfunc import PythonModel

BATCH_SIZE = 64


class TranslationPyfunc(PythonModel):
    """Translate with the SavedModel among the model's artifacts ("saved_model").

    Its signature `serving_default` takes `source` (string, (B,)) and gives `translation` (string, (B,)).
    """

    def load_context(self, context: Any) -> None:
        """Load the SavedModel; called once by MLflow, with the paths of the artifacts."""
        import tensorflow as tf
        import tensorflow_text  # noqa: F401  (registers the tokenizer's operations)

        # A signature holds only a weak reference to the model's variables.
        self._saved_model = tf.saved_model.load(context.artifacts["saved_model"])
        self._translate = self._saved_model.signatures["serving_default"]

    def predict(
        self,
        context: Any,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> list[str]:
        """Translate sentences.

        Args:
            context: unused.
            model_input: a data frame with one column of strings, which MLflow makes of every form of request;
                a sequence of strings will do too. (MLflow reads the type hint: with others it refuses forms.)
            params: unused.

        Returns:
            the translations, in the order of the sentences; an empty list for no sentence.
        """
        import tensorflow as tf

        sentences = _sentences(model_input)
        # Sentences of like length share a batch, so that few steps are spent on padding.
        order = sorted(range(len(sentences)), key=lambda index: len(sentences[index]))
        translations = [""] * len(sentences)
        for start in range(0, len(order), BATCH_SIZE):
            batch = order[start : start + BATCH_SIZE]
            source = tf.constant([sentences[index] for index in batch], dtype=tf.string)
            for index, translation in zip(batch, self._translate(source=source)["translation"].numpy(), strict=True):
                translations[index] = translation.decode()
        return translations


def _sentences(model_input: Any) -> list[str]:
    columns = getattr(model_input, "columns", None)
    if columns is not None:
        if len(columns) != 1:
            raise ValueError(f"The data frame must have one column, of sentences. Received: columns {[*columns]}.")
        model_input = model_input.iloc[:, 0]
    elif isinstance(model_input, str) or not isinstance(model_input, Iterable):
        raise TypeError(f"The input must be a list of sentences. Received: {model_input!r}.")
    return [str(sentence) for sentence in model_input]


mlflow.models.set_model(TranslationPyfunc())
