"""What is drawn, apart from how: the same chart becomes an interactive figure of the page and an image in MLflow."""

from collections.abc import Sequence
from dataclasses import dataclass

# Told apart by readers with any colour vision (Okabe and Ito 2008), and on white as on black.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#B8A100", "#8F6BF2", "#8C510A")
MOST_MARKERS = 40  # points of a line that each have a marker of their own


@dataclass(frozen=True)
class Series:
    """One line of a chart, or one point with its interval.

    Args:
        name: in the legend, which has one entry for each colour.
        x: numbers or names.
        y: as many numbers.
        low: lower ends of the intervals of y, as many; None without intervals.
        high: upper ends, likewise.
        notes: more to say of each point, as many; empty for nothing.
        colour: index into `COLOURS`, the same for one architecture in all charts.
        variant: tells series of one name apart, such as "seed 2".
        dashed: to be told from another line of the same colour.
    """

    name: str
    x: Sequence[float | str]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None
    notes: Sequence[str] = ()
    colour: int = 0
    variant: str = ""
    dashed: bool = False


@dataclass(frozen=True)
class Chart:
    """Lines, or points with intervals, over one pair of axes.

    Args:
        name: short, unique, of letters, digits and hyphens.
        title: what it shows, for who cannot see it.
        x_label: quantity and unit.
        y_label: quantity and unit.
        series: at least one.
        points: x are names, each with one point.
        log_x: logarithmic axis.
        log_y: logarithmic axis.
    """

    name: str
    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    points: bool = False
    log_x: bool = False
    log_y: bool = False


@dataclass(frozen=True)
class Table:
    """Text in rows and columns.

    Args:
        name: as of a chart.
        title: what it shows.
        columns: the headings.
        rows: as many cells each; the first names the row.
    """

    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
