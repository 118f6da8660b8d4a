"""BLEU and chrF by the length of the source sentence."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from nmt_keras.errors import UserError
from nmt_keras.metrics.corpus_scores import bleu, chrf
from nmt_keras.metrics.tokenization import sentence_lengths

DEFAULT_EDGES = (5, 10, 15, 20, 30, 40)


def by_length(
    sources: Sequence[str],
    hypotheses: Sequence[str],
    references: Sequence[str],
    edges: Sequence[int] = DEFAULT_EDGES,
    source_language: str = "",
    target_language: str = "",
) -> list[dict[str, Any]]:
    """Score each bucket of sentences of similar source length as a corpus of its own.

    Args:
        sources: source sentences; their length is counted in words, or characters (`tokenization.length_unit`).
        hypotheses: their translations, detokenized, as many.
        references: what each should read, detokenized, as many.
        edges: the greatest length of each bucket but the last, rising: (5, 10) makes the buckets 1-5, 6-10 and 11
            upward. An empty source counts in the first bucket.
        source_language: code of the sources'.
        target_language: code of the hypotheses' and references'.

    Returns:
        a row for each bucket that holds a sentence, shortest first: "from" and "to", both included ("to" is None in the
        open bucket), "sentences" (how many), "bleu" and "chrf" (percent).

    Raises:
        UserError: nothing to score, lengths that differ, or edges that do not rise from at least 1.
    """
    faults = []
    if not len(sources) == len(hypotheses) == len(references) or not sources:
        faults.append(
            "Scores by length need a hypothesis and a reference for each source, and at least one source. "
            f"Received: {len(sources)} sources, {len(hypotheses)} hypotheses, {len(references)} references."
        )
    if any(low >= high for low, high in pairwise((0, *edges))):
        faults.append(f"edges must rise from at least 1. Received: edges={tuple(edges)}.")
    if faults:
        raise UserError("\n".join(faults))

    rows = []
    for first, last, bucket in length_buckets(sources, edges, source_language):
        translated = [hypotheses[index] for index in bucket]
        wanted = [references[index] for index in bucket]
        rows.append(
            {
                "from": first,
                "to": last,
                "sentences": len(bucket),
                "bleu": bleu(translated, wanted, target_language).score,
                "chrf": chrf(translated, wanted).score,
            }
        )
    return rows


def length_buckets(
    sources: Sequence[str], edges: Sequence[int] = DEFAULT_EDGES, language: str = ""
) -> list[tuple[int, int | None, list[int]]]:
    """The buckets that hold a sentence, shortest first.

    Args:
        sources: as `by_length`.
        edges: as `by_length`.
        language: code of the sources'.

    Returns:
        the least and the greatest length (None in the open bucket), and the indices of the sentences.
    """
    buckets: list[list[int]] = [[] for _ in range(len(edges) + 1)]
    for index, length in enumerate(sentence_lengths(sources, language)):
        buckets[bisect_left(edges, length)].append(index)
    return [
        (below + 1, last, bucket)
        for below, last, bucket in zip((0, *edges), (*edges, None), buckets, strict=True)
        if bucket
    ]


def quantile_edges(sources: Sequence[str], language: str = "", at_least: int = 100, at_most: int = 8) -> list[int]:
    """Edges for `length_buckets` by which all buckets hold about as many sentences.

    Args:
        sources: as `by_length`.
        language: code of theirs.
        at_least: sentences that a bucket must hold; only where there are fewer in all, the one bucket holds fewer.
        at_most: buckets.

    Returns:
        The greatest length of each bucket but the last; sentences of equal length are never parted.
    """
    sentences = Counter(max(length, 1) for length in sentence_lengths(sources, language))
    wanted = max(at_least, -(-len(sources) // at_most))
    edges: list[int] = []
    held, left = 0, len(sources)
    for length in sorted(sentences):
        held += sentences[length]
        left -= sentences[length]
        if held >= wanted and left >= at_least:
            edges.append(length)
            held = 0
    return edges
