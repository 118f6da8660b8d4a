"""What corpus scores hide: rare words that are lost, and words that are said twice."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from nmt_keras.metrics.tokenization import words


class Recall(NamedTuple):
    """How many of the words looked for were found.

    Args:
        found: those in the translations, each as often as the reference has it.
        wanted: those in the references.
    """

    found: int
    wanted: int

    @property
    def share(self) -> float | None:
        """found / wanted; None where none was wanted."""
        return self.found / self.wanted if self.wanted else None


def rare_word_recall(
    hypotheses: Sequence[str], references: Sequence[str], seen: Counter[str], language: str = "", at_most: int = 10
) -> Recall:
    """How many of the references' rare words the translations hold.

        recall = sum over sentences and rare words w of min(n_hypothesis(w), n_reference(w)) / sum of n_reference(w)

    Args:
        hypotheses: translations.
        references: as many.
        seen: how often each word was seen in training (`word_counts`).
        language: of theirs, as for `bleu`.
        at_most: a word is rare that was seen so many times or fewer; unseen words are among them.

    Reference: Neubig et al. 2019, "compare-mt", word accuracy by frequency.
    """
    found = wanted = 0
    for hypothesis, reference in zip(hypotheses, references, strict=True):
        rare = Counter(word for word in words(reference, language) if seen[word] <= at_most)
        wanted += rare.total()
        found += (rare & Counter(words(hypothesis, language))).total()
    return Recall(found, wanted)


def word_counts(sentences: Sequence[str], language: str = "") -> Counter[str]:
    """How often each word occurs; `language` as for `bleu`."""
    return Counter(word for sentence in sentences for word in words(sentence, language))


def repetition(sentences: Sequence[str], language: str = "", n: int = 2) -> float:
    """The share of a text's n-grams that their sentence already had.

        rep_n = 1 - (different n-grams of each sentence, summed) / (n-grams of each sentence, summed)

    Args:
        sentences: translations, or references to compare with.
        language: of theirs, as for `bleu`.
        n: words of an n-gram.

    Returns:
        From 0 to 1; 0 where no sentence has n words.

    Reference: Welleck et al. 2020, "Neural Text Generation With Unlikelihood Training" (seq-rep-n).
    """
    total = different = 0
    for sentence in sentences:
        split = words(sentence, language)
        n_grams = list(zip(*(split[start:] for start in range(n)), strict=False))
        total += len(n_grams)
        different += len(set(n_grams))
    return 1 - different / total if total else 0.0
