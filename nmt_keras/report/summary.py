"""The tables that an experiment prints, in Markdown."""

import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from nmt_keras.metrics.significance import PairedComparison
    from nmt_keras.tracking.registry import Version


class Row(NamedTuple):
    """One architecture's line: its figures, one for each seed.

    Args:
        architecture: name.
        bleu: by split.
        chrf: on the split test.
        bleu_by_length: on the split test, by bucket of source length.
        agreement: share of the right forms preferred, by bucket of distance; empty where it is not measured.
        parameters: trainable weights.
        parameters_outside_embeddings: of these, the ones outside embeddings and output projection.
        tokens_per_second: in training.
        processors: that a training had.
        peak_memory_bytes: of a training.
        sentences_per_second: in translation.
    """

    architecture: str
    bleu: Mapping[str, Sequence[float]]
    chrf: Sequence[float]
    bleu_by_length: Mapping[str, Sequence[float]]
    agreement: Mapping[str, Sequence[float]]
    parameters: int
    parameters_outside_embeddings: int
    tokens_per_second: Sequence[float]
    processors: int
    peak_memory_bytes: int
    sentences_per_second: Sequence[float]


def print_scores(rows: Sequence[Row], title: str) -> None:
    """Prints scores, sizes and speeds of the architectures side by side."""
    splits = list(rows[0].bleu)
    headings = [f"BLEU {split}" for split in splits] + [
        "chrF test",
        "parameters",
        "outside embeddings",
        f"target tokens/s, training on {rows[0].processors} CPU",
        "memory, training",
        "sentences/s, translation",
    ]
    _print(
        title,
        headings,
        {
            row.architecture: [
                *(mean_of_seeds(row.bleu[split], ".2f") for split in splits),
                mean_of_seeds(row.chrf, ".2f"),
                f"{row.parameters:,}",
                f"{row.parameters_outside_embeddings:,}",
                f"{statistics.fmean(row.tokens_per_second):,.0f}",
                f"{row.peak_memory_bytes / 1e9:.1f} GB",
                f"{statistics.fmean(row.sentences_per_second):,.1f}",
            ]
            for row in rows
        },
    )


def print_by_length(rows: Sequence[Row], length_unit: str) -> None:
    """Prints BLEU by source length in that unit, and agreement by distance where it is measured."""
    lengths = list(rows[0].bleu_by_length)
    _print(
        f"BLEU on test by {length_unit} of the source (and sentences)",
        lengths,
        {row.architecture: [mean_of_seeds(row.bleu_by_length[bucket], ".1f") for bucket in lengths] for row in rows},
    )
    if distances := list(rows[0].agreement):
        _print(
            "Right form more probable than a wrong one, by words between subject and verb (and pairs; chance: 50%)",
            distances,
            {row.architecture: [mean_of_seeds(row.agreement[bucket], ".1%") for bucket in distances] for row in rows},
        )


def print_comparisons(comparisons: Sequence["PairedComparison"], split: str) -> None:
    """Prints whether each two architectures differ."""
    _print(
        f"BLEU on {split}, p-values with Holm's correction",
        ["difference", "95% interval", "p, bootstrap", "p, randomization", "at the 5% level"],
        {
            f"{pair.system} - {pair.other}": [
                f"{pair.difference.value:+.2f}",
                f"{pair.difference.low:+.2f} to {pair.difference.high:+.2f}",
                f"{pair.bootstrap_p:.4f}",
                f"{pair.randomization_p:.4f}",
                "different" if pair.significant else "not significant",
            ]
            for pair in comparisons
        },
    )


def print_versions(versions: Sequence["Version"], name: str) -> None:
    """Prints the versions of a registered model with their aliases and figures."""

    def figure(version: "Version", tag: str) -> str:
        return f"{float(version.tags[tag]):.2f}" if tag in version.tags else ""

    _print(
        name,
        [
            "alias",
            "architecture",
            "corpus",
            "BLEU valid",
            "BLEU test",
            "chrF test",
            "sentences/s",
            "decision",
            "registered",
        ],
        {
            str(version.number): [
                ", ".join(version.aliases),
                version.tags.get("architecture", ""),
                version.tags.get("corpus", ""),
                figure(version, "valid_bleu"),
                figure(version, "test_bleu"),
                figure(version, "test_chrf"),
                figure(version, "test_sentences_per_second"),
                version.tags.get("promotion.decision", ""),
                f"{version.created:%Y-%m-%d %H:%M}",
            ]
            for version in versions
        },
    )


def print_listed(expected: Mapping[str, str], received: Sequence[str]) -> None:
    """Prints each listed sentence with its translation, and how many are exact."""
    exact = 0
    for (source, reference), translation in zip(expected.items(), received, strict=True):
        exact += translation == reference
        note = "" if translation == reference else f"   (expected: {reference})"
        print(f"  {source} -> {translation}{note}")
    print(f"{exact} of {len(expected)} exact")


def mean_of_seeds(figures: Sequence[float], form: str) -> str:
    """The mean over the seeds, with the standard deviation where there are several, or a dash where there is none."""
    if not figures:
        return "–"
    mean = format(statistics.fmean(figures), form)
    return f"{mean} ± {format(statistics.stdev(figures), form)}" if len(figures) > 1 else mean


def _print(title: str, headings: Sequence[str], rows: Mapping[str, Sequence[Any]]) -> None:
    table = Table(box=MARKDOWN)
    table.add_column("", no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for name, cells in rows.items():
        table.add_row(name, *cells)
    print(f"\n{title}")
    # Folded to the width of a terminal it would be no Markdown.
    Console(width=1000, highlight=False).print(table)
