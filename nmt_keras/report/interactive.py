"""Charts as Plotly figures. The page's script gives them the colours of its light or dark theme."""

import json
from html import escape
from typing import Any

from plotly import graph_objects as go

from nmt_keras.report.chart import COLOURS, MOST_MARKERS, Chart

_SYMBOLS = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "star", "x")


def plot(chart: Chart) -> dict[str, Any]:
    """A chart as Plotly's JSON: "data" and "layout"."""
    figure = go.Figure(data=_lines(chart))
    figure.update_layout(
        template="none",
        margin={"l": 56, "r": 12, "t": 12, "b": 48},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        hovermode="closest",
        showlegend=not chart.points,
        xaxis={"title": {"text": chart.x_label}, "automargin": True, "zeroline": False},
        yaxis={"title": {"text": chart.y_label}, "automargin": True, "zeroline": False},
    )
    if chart.log_x:
        figure.update_xaxes(type="log", tickvals=sorted({x for series in chart.series for x in series.x}))
    if chart.log_y:
        figure.update_yaxes(type="log", exponentformat="power")
    elif not chart.points:
        figure.update_yaxes(rangemode="tozero")
    return dict(json.loads(figure.to_json()))  # in which what is no number is null


def _lines(chart: Chart) -> list[go.Scatter]:
    traces = []
    named: set[int] = set()
    for series in chart.series:
        colour = COLOURS[series.colour % len(COLOURS)]
        errors = None
        if series.low is not None and series.high is not None:
            errors = {
                "type": "data",
                "symmetric": False,
                "array": [high - y for y, high in zip(series.y, series.high, strict=True)],
                "arrayminus": [y - low for y, low in zip(series.y, series.low, strict=True)],
                "thickness": 1.4,
                "width": 4,
            }
        markers = chart.points or len(series.x) <= MOST_MARKERS
        traces.append(
            go.Scatter(
                name=series.name,
                legendgroup=series.name,
                showlegend=series.colour not in named,
                x=list(series.x),
                y=list(series.y),
                error_y=errors,
                customdata=list(series.notes) or None,
                mode="markers" if chart.points else "lines+markers" if markers else "lines",
                line={"color": colour, "width": 2, "dash": "dash" if series.dashed else "solid"},
                marker={
                    "color": colour,
                    "size": 11 if chart.points else 7,
                    "symbol": _SYMBOLS[series.colour % len(_SYMBOLS)],
                },
                hovertemplate=(f"{escape(series.variant)}: " if series.variant else "")
                + "%{y:.4g}"
                + ("<br>%{customdata}" if series.notes else "" if chart.points else " at %{x:.4~g}"),
            )
        )
        named.add(series.colour)
    return traces
