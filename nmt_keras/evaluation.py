"""How well a model translates a test set."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from nmt_keras.config import SearchConfig
from nmt_keras.data.parallel_text import ParallelText
from nmt_keras.decoding.translator import Translation, Translator
from nmt_keras.metrics.bleu import Score, bleu, chrf
from nmt_keras.metrics.by_length import by_length
from nmt_keras.models.directory import LoadedModel
from nmt_keras.progress import progress_bar


@dataclass(frozen=True)
class Evaluation:
    """Figures of one model on one test set.

    Args:
        bleu: sacreBLEU's BLEU, cased and detokenized.
        chrf: sacreBLEU's chrF2.
        by_length: BLEU and chrF by source length in words.
        translations: in the order of the sources.
        sentences_per_second: of the search, tokenization included, its compilation excluded.
    """

    bleu: Score
    chrf: Score
    by_length: list[dict[str, Any]]
    translations: Sequence[Translation]
    sentences_per_second: float

    @classmethod
    def of(cls, text: ParallelText, translations: Sequence[Translation], sentences_per_second: float) -> "Evaluation":
        """Compares translations of the sources of `text` with its targets."""
        hypotheses = [translation.text for translation in translations]
        return cls(
            bleu(hypotheses, text.targets),
            chrf(hypotheses, text.targets),
            by_length(text.sources, hypotheses, text.targets),
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


def translate(loaded: LoadedModel, sentences: Sequence[str], search: SearchConfig) -> tuple[list[Translation], float]:
    """Translates with a progress bar on stderr.

    Returns:
        The translations, and the sentences per second.
    """
    translator = Translator(loaded.model, loaded.tokenizer, search)
    translator.translate(sentences[:1])  # compiles
    began = time.perf_counter()
    with progress_bar("translating", len(sentences)) as advance:
        translations = translator.translate(sentences, advance)
    return translations, len(sentences) / (time.perf_counter() - began)


def evaluate(loaded: LoadedModel, text: ParallelText, search: SearchConfig) -> Evaluation:
    """Translates the sources of `text` and compares with its targets."""
    return Evaluation.of(text, *translate(loaded, text.sources, search))


def latency(loaded: LoadedModel, sentences: Sequence[str], search: SearchConfig) -> float:
    """The median time to translate one sentence alone, in milliseconds.

    Args:
        loaded: the model.
        sentences: to translate one by one, at least one.
        search: beam size and so on.
    """
    translator = Translator(loaded.model, loaded.tokenizer, search)
    times = []
    for sentence in (sentences[0], *sentences):  # the first compiles
        began = time.perf_counter()
        translator.translate([sentence])
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times[1:])
