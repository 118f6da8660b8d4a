"""The figures of comparisons and analyses, as PNG files (or SVG, by the name of the file)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nmt_keras.report.chart import COLOURS, MOST_MARKERS, Chart
from nmt_keras.system.files import atomic_write

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DOTS_PER_INCH = 144
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


def chart_image(chart: Chart, path: Path) -> Path:
    """A chart as an image, with what `interactive.plot` shows of it.

    Args:
        chart: what to draw.
        path: of the file to write.

    Returns:
        the path.
    """
    figure = _figure(width=8.5, height=4.8)
    panel = figure.subplots()
    named: set[int] = set()
    for series in chart.series:
        errors = None
        if series.low is not None and series.high is not None:
            errors = [
                [max(y - low, 0) for y, low in zip(series.y, series.low, strict=True)],
                [max(high - y, 0) for y, high in zip(series.y, series.high, strict=True)],
            ]
        panel.errorbar(
            series.x,
            series.y,
            yerr=errors,
            label=None if series.colour in named else series.name,
            color=COLOURS[series.colour % len(COLOURS)],
            linestyle="none" if chart.points else "--" if series.dashed else "-",
            marker=MARKERS[series.colour % len(MARKERS)] if len(series.x) <= MOST_MARKERS else None,
            markersize=5,
            linewidth=1.8,
            capsize=3,
        )
        named.add(series.colour)
    panel.set_xlabel(chart.x_label)
    panel.set_ylabel(chart.y_label)
    if chart.log_x:
        panel.set_xscale("log")
    if chart.log_y:
        panel.set_yscale("log")
    elif not chart.points:
        low, high = panel.get_ylim()
        panel.set_ylim(min(low, 0), max(high, 0))
    _tidy(panel)
    if not chart.points:
        _legend(figure, panel)
    return _save(figure, path)


def attention_map(
    weights: "np.ndarray",
    rows: Sequence[str],
    columns: Sequence[str],
    row_label: str,
    column_label: str,
    title: str,
    path: Path,
) -> Path:
    """Attention weights as a heat map, one cell for each pair of tokens.

    Args:
        weights: (rows, columns) float, from 0 to 1.
        rows: what attends.
        columns: what is attended to.
        row_label: what the rows are.
        column_label: what the columns are.
        title: which weights these are.
        path: of the file to write.

    Returns:
        the path.
    """
    figure = _figure(width=0.36 * len(columns) + 3, height=0.3 * len(rows) + 2)
    panel = figure.subplots()
    image = panel.imshow(weights, cmap="Blues", vmin=0, aspect="auto")
    panel.set_xticks(range(len(columns)), columns, rotation=60, ha="left", rotation_mode="anchor", parse_math=False)
    panel.set_yticks(range(len(rows)), rows, parse_math=False)
    panel.xaxis.tick_top()
    panel.xaxis.set_label_position("top")
    panel.set_ylabel(row_label)
    panel.set_xlabel(column_label)
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)
    figure.colorbar(image, label="attention weight", pad=0.02)
    figure.suptitle(title, fontsize="medium")
    return _save(figure, path)


def gradient_norms(norms_by_model: Mapping[str, Mapping[str, "np.ndarray"]], path: Path) -> Path:
    """Gradient norms against distance: a panel for each model, in which each kind of encoder state has a line.

    Args:
        norms_by_model: for each model, by the name of the state, (S,) float; the index is the distance.
        path: of the file to write.

    Returns:
        the path.
    """
    figure = _figure(width=4.6 * len(norms_by_model) + 1, height=4.4)
    panels = figure.subplots(1, len(norms_by_model), sharex=True, sharey=True, squeeze=False)[0]
    for panel, (title, norms_by_state) in zip(panels, norms_by_model.items(), strict=True):
        for index, (state, norms) in enumerate(norms_by_state.items()):
            panel.plot(
                norms,
                label=state,
                color=COLOURS[index % len(COLOURS)],
                marker=MARKERS[index % len(MARKERS)],
                markersize=5,
                linewidth=1.8,
            )
        panel.set_title(title)
        panel.set_xlabel("Distance to the last position read (tokens)")
        panel.set_yscale("log")
        panel.xaxis.get_major_locator().set_params(integer=True)
        _tidy(panel)
    panels[0].set_ylabel("Norm of the loss's gradient")
    _legend(figure, panels[0])
    return _save(figure, path)


def _figure(width: float, height: float) -> "Figure":
    # The object interface draws with Agg and leaves pyplot's global state alone.
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    return Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.08))


def _tidy(panel: "Axes") -> None:
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(axis="y", color="#dddddd", linewidth=0.8)
    panel.set_axisbelow(True)


def _legend(figure: "Figure", panel: "Axes") -> None:
    handles, labels = panel.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=min(4, len(labels)), frameon=False)


def _save(figure: "Figure", path: Path) -> Path:
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=DOTS_PER_INCH)
    return path
