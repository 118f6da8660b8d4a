"""What the main job prints at its end."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rich.console import Console
from rich.table import Table


class Row(NamedTuple):
    """One architecture's line of the table."""

    architecture: str
    bleu: float
    chrf: float
    long_bleu: float | None
    parameters: int
    tokens_per_second: float
    sentences_per_second: float


def print_table(rows: Sequence[Row], title: str) -> None:
    """Prints the architectures side by side on stdout."""
    table = Table(title=title, title_justify="left")
    for heading in (
        "architecture",
        "BLEU",
        "chrF",
        "BLEU long",
        "parameters",
        "target tokens/s, training",
        "sentences/s, translation",
    ):
        table.add_column(heading, justify="left" if heading == "architecture" else "right")
    for row in rows:
        table.add_row(
            row.architecture,
            f"{row.bleu:.2f}",
            f"{row.chrf:.2f}",
            "-" if row.long_bleu is None else f"{row.long_bleu:.2f}",
            f"{row.parameters:,}",
            f"{row.tokens_per_second:,.0f}",
            f"{row.sentences_per_second:,.1f}",
        )
    console = Console()
    # Where the output is no terminal, rich would fold the table to 80 columns.
    Console(width=max(console.width, 120)).print(table)


def print_listed(expected: Mapping[str, str], received: Sequence[str]) -> None:
    """Prints each listed sentence with its translation, and how many are exact."""
    exact = 0
    for (source, reference), translation in zip(expected.items(), received, strict=True):
        exact += translation == reference
        note = "" if translation == reference else f"   (expected: {reference})"
        print(f"  {source} -> {translation}{note}")
    print(f"{exact} of {len(expected)} exact")
