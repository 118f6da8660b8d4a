"""Word links by attention, and how far they are from gold ones."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from nmt_keras.errors import UserError

Link = tuple[int, int]
"""(index of a source word, index of a target word), both counted from 0."""


@dataclass(frozen=True)
class AlignmentScore:
    """How well predicted links match gold ones. Each figure is a share from 0 to 1.

    Args:
        error_rate: AER; the lower, the better.
        precision: of the predicted links, those that are sure or possible; 0 where nothing was predicted.
        recall: of the sure links, those that were predicted.
    """

    error_rate: float
    precision: float
    recall: float


def alignment_error_rate(
    predicted: Sequence[Collection[Link]],
    sure: Sequence[Collection[Link]],
    possible: Sequence[Collection[Link]] | None = None,
) -> AlignmentScore:
    """Compares word alignments with gold ones, as one corpus.

        AER = 1 - (|A ∩ S| + |A ∩ P|) / (|A| + |S|),   precision = |A ∩ P| / |A|,   recall = |A ∩ S| / |S|

    A are the predicted links, S the sure ones, P the sure and the possible ones, counted over all sentences.

    Args:
        predicted: links of each sentence pair; one given twice counts once.
        sure: gold links that a good alignment must have, for as many pairs.
        possible: gold links that it may have; the sure ones count as possible whether listed or not.
            Without this argument all gold links are sure (P = S).

    Raises:
        UserError: the numbers of sentence pairs differ, or there is no sure link.

    Reference:
        Och and Ney 2003, "A Systematic Comparison of Various Statistical Alignment Models".
    """
    possible = sure if possible is None else possible
    if not len(predicted) == len(sure) == len(possible) or not any(sure):
        raise UserError(
            "The alignment error rate needs links for the same sentence pairs, and at least one sure link. "
            f"Received: {len(predicted)} pairs with predicted, {len(sure)} with sure and {len(possible)} with "
            f"possible links; {sum(map(len, sure))} sure links."
        )
    num_predicted = num_sure = num_predicted_sure = num_predicted_possible = 0
    for a, s, p in zip(map(set, predicted), map(set, sure), map(set, possible), strict=True):
        num_predicted += len(a)
        num_sure += len(s)
        num_predicted_sure += len(a & s)
        num_predicted_possible += len(a & (p | s))
    return AlignmentScore(
        error_rate=1 - (num_predicted_sure + num_predicted_possible) / (num_predicted + num_sure),
        precision=num_predicted_possible / max(num_predicted, 1),
        recall=num_predicted_sure / num_sure,
    )


def word_links(weights: np.ndarray, source_words: np.ndarray, target_words: np.ndarray) -> set[Link]:
    """Links each target word to the source word that it attends to most.

    The weight between two words is the sum over the source word's tokens, averaged over the target word's.

    Args:
        weights: (T, S) float; row t is the attention while target token t is predicted (not while it is read).
        source_words: (S,) int, the word of each source token; -1 for a token of no word (EOS, padding), whose
            weight counts for nothing.
        target_words: (T,) int, the same for the target tokens.

    Returns:
        One link for each target word; of equal weights the first source word has it. Without a source word, none.
    """
    sources, targets = (np.unique(words[words >= 0]) for words in (source_words, target_words))
    if not sources.size:
        return set()
    # A sum in place of the mean over a target word's tokens has its maximum at the same source word.
    sums = (targets[:, None] == target_words) @ weights @ (source_words[:, None] == sources)
    return set(zip(sources[sums.argmax(axis=1)].tolist(), targets.tolist(), strict=True))
