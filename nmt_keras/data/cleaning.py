"""Sentence pairs that a model should not learn from, and their removal from training text."""

import dataclasses
from dataclasses import dataclass

from nmt_keras.data.parallel_text import Corpus, ParallelText
from nmt_keras.errors import ConfigError, CorpusError

CLEANED_SPLITS = ("train", "valid")  # never a test split: its figures must stay comparable
# Added to both lengths: a short sentence may well have a translation several times as long ("Merci." and
# "Thank you very much.").
RATIO_SLACK = 10
# Scripts without spaces between words (Chinese, Thai) and unbroken strings are measured by characters.
MAX_CHARACTERS_PER_WORD = 10


@dataclass(frozen=True)
class Limits:
    """What a pair may measure at most.

    Args:
        max_words: words of a side, separated by white space; also, 10 characters for each of them.
        max_ratio: the longer side's characters + 10, divided by the shorter side's + 10.

    Raises:
        ConfigError: a limit that no text could meet.
    """

    max_words: int = 200
    max_ratio: float = 6.0

    def __post_init__(self) -> None:
        faults = []
        if self.max_words < 1:
            faults.append(f"max_words must be at least 1. Received: max_words={self.max_words}.")
        if not self.max_ratio >= 1:  # also refuses NaN
            faults.append(f"max_ratio must be at least 1. Received: max_ratio={self.max_ratio}.")
        if faults:
            raise ConfigError("\n".join(faults))

    def too_long(self, sentence: str) -> bool:
        """Whether a side is over-long."""
        if len(sentence) <= self.max_words:  # so many words need more characters
            return False
        words = len(sentence.split())
        return words > self.max_words or len(sentence) > MAX_CHARACTERS_PER_WORD * self.max_words

    def wild_ratio(self, source: str, target: str) -> bool:
        """Whether one side is too long to translate the other."""
        shorter, longer = sorted((len(source.strip()), len(target.strip())))
        return longer + RATIO_SLACK > self.max_ratio * (shorter + RATIO_SLACK)


DEFAULT_LIMITS = Limits()


def clean(text: ParallelText, limits: Limits = DEFAULT_LIMITS) -> tuple[ParallelText, dict[str, int]]:
    """Drop the pairs that are empty, over-long, or of wild length ratio. Not for test splits.

    Args:
        text: the pairs.
        limits: what a pair may measure.

    Returns:
        The pairs that stay, in their order, and the numbers of those dropped by reason: "empty" (a side is
        blank), "too_long", "length_ratio". A pair counts under the first reason that applies. If any was
        dropped, the text names no files, because indices are no longer line numbers.
    """
    dropped = {"empty": 0, "too_long": 0, "length_ratio": 0}
    sources, targets = [], []
    for source, target in zip(text.sources, text.targets, strict=True):
        reason = _fault(source, target, limits)
        if reason:
            dropped[reason] += 1
        else:
            sources.append(source)
            targets.append(target)
    if not any(dropped.values()):
        return text, dropped
    return ParallelText(sources, targets, origin=f"{text.origin} (cleaned)"), dropped


def clean_corpus(corpus: Corpus, limits: Limits = DEFAULT_LIMITS) -> tuple[Corpus, dict[str, dict[str, int]]]:
    """Clean the train and valid splits; all others stay as they are.

    Args:
        corpus: the corpus.
        limits: what a pair may measure.

    Returns:
        The corpus, and for each cleaned split what `clean` counts.

    Raises:
        CorpusError: no pair of a split would stay.
    """
    splits = dict(corpus.splits)
    dropped: dict[str, dict[str, int]] = {}
    faults = []
    for name in CLEANED_SPLITS:
        if name not in splits:
            continue
        text = splits[name]
        splits[name], dropped[name] = clean(text, limits)
        if not splits[name]:
            reasons = ", ".join(f"{reason} {count}" for reason, count in dropped[name].items())
            faults.append(
                f"{text.origin}: some pairs of split {name} must be left after cleaning with "
                f"max_words={limits.max_words}, max_ratio={limits.max_ratio}. "
                f"Received: {len(text)} pairs, dropped: {reasons}."
            )
    if faults:
        raise CorpusError(faults)
    return dataclasses.replace(corpus, splits=splits), dropped


def _fault(source: str, target: str, limits: Limits) -> str:
    if not source.strip() or not target.strip():
        return "empty"
    if limits.too_long(source) or limits.too_long(target):
        return "too_long"
    if limits.wild_ratio(source, target):
        return "length_ratio"
    return ""
