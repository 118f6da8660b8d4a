"""How well a model translates a test set."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from nmt_keras.data.parallel_text import ParallelText
from nmt_keras.decoding.translator import Scorer, Translation, Translator
from nmt_keras.metrics.by_length import DEFAULT_EDGES, by_length
from nmt_keras.metrics.corpus_scores import Score, bleu, chrf
from nmt_keras.models.directory import LoadedModel
from nmt_keras.system.progress import progress_bar


@dataclass(frozen=True)
class Evaluation:
    """Figures of one model on one test set.

    Args:
        bleu: sacreBLEU's BLEU, cased and detokenized.
        chrf: sacreBLEU's chrF2.
        by_length: BLEU and chrF by source length, in what `tokenization.length_unit` says.
        translations: in the order of the sources.
        sentences_per_second: of the search, tokenization included, its compilation excluded (but JAX compiles anew for
            each shape of batch, which is in it).
    """

    bleu: Score
    chrf: Score
    by_length: list[dict[str, Any]]
    translations: Sequence[Translation]
    sentences_per_second: float

    @classmethod
    def of(
        cls,
        text: ParallelText,
        translations: Sequence[Translation],
        sentences_per_second: float,
        source_language: str = "",
        target_language: str = "",
    ) -> "Evaluation":
        """Compares translations of the sources of `text` with its targets."""
        hypotheses = [translation.text for translation in translations]
        return cls(
            bleu(hypotheses, text.targets, target_language),
            chrf(hypotheses, text.targets),
            by_length(text.sources, hypotheses, text.targets, DEFAULT_EDGES, source_language, target_language),
            translations,
            sentences_per_second,
        )

    @property
    def hypotheses(self) -> list[str]:
        """The translations without their scores."""
        return [translation.text for translation in self.translations]

    def as_json(self) -> dict[str, Any]:
        """What `nmt-keras evaluate --json` prints of it."""
        return {"bleu": asdict(self.bleu), "chrf": asdict(self.chrf), "by_length": self.by_length}


class InferenceModel(NamedTuple):
    """A model with its search and its scorer, each of which is compiled once for all that is measured."""

    loaded: LoadedModel
    translator: Translator
    scorer: Scorer

    @classmethod
    def of(cls, loaded: LoadedModel) -> "InferenceModel":
        """With the model's own settings of the search."""
        model, tokenizer = loaded.model, loaded.tokenizer
        return cls(loaded, Translator(model, tokenizer, loaded.description.search), Scorer(model, tokenizer))


def evaluate(translator: Translator, text: ParallelText, source_language: str, target_language: str) -> Evaluation:
    """Translates the sources of `text`, with a progress bar on stderr, and compares with its targets."""
    translator.translate([next(filter(str.strip, text.sources), "")])  # the first time it compiles
    began = time.perf_counter()
    with progress_bar("translating", len(text)) as advance:
        translations = translator.translate(text.sources, advance)
    sentences_per_second = len(text) / (time.perf_counter() - began)
    return Evaluation.of(text, translations, sentences_per_second, source_language, target_language)


def median_latency_ms(translator: Translator, sentences: Sequence[str]) -> float:
    """The median time to translate one sentence alone, in milliseconds.

    Args:
        translator: with the model's own settings of the search.
        sentences: to translate one by one, at least one.
    """
    times = []
    for sentence in (sentences[0], *sentences):  # the first may compile
        began = time.perf_counter()
        translator.translate([sentence])
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times[1:])
