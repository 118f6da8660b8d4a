import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from report_example import NAMES, example

from nmt_keras.report.figures import chart_image
from nmt_keras.report.interactive import plot
from nmt_keras.report.page import marked, write_page


@pytest.mark.parametrize(
    ("text", "reference", "expected"),
    [
        ("le chat dort", "le chat dort", [("le chat dort", False)]),
        ("le chien dort bien", "le chat dort", [("le", False), ("chien", True), ("dort", False), ("bien", True)]),
        ("dort", "le chat dort", [("dort", False)]),
        ("", "le chat", []),
        ("rien", "", [("rien", True)]),
    ],
)
def test_words_that_differ_are_marked(text: str, reference: str, expected: list[tuple[str, bool]]) -> None:
    assert marked(text, reference) == expected


def test_an_interactive_chart_has_the_numbers_and_the_intervals() -> None:
    chart = example().charts["length"]
    drawn = plot(chart)
    for series, trace in zip(chart.series, drawn["data"], strict=True):
        assert (trace["name"], list(trace["x"]), list(trace["y"])) == (series.name, series.x, series.y)
        ends = np.array([trace["y"]]) + [[-1], [1]] * np.array(
            [trace["error_y"]["arrayminus"], trace["error_y"]["array"]]
        )
        np.testing.assert_allclose(ends, [series.low, series.high])
    assert drawn["layout"]["xaxis"]["title"]["text"] == chart.x_label
    assert drawn["layout"]["yaxis"]["title"]["text"] == chart.y_label


def test_lines_of_one_colour_have_one_entry_in_the_legend() -> None:
    traces = plot(example().charts["gradients"])["data"]
    assert [trace["name"] for trace in traces if trace["showlegend"]] == list(NAMES)
    assert len(traces) == 2 * len(NAMES)


def test_every_chart_is_an_image_too(tmp_path: Path) -> None:
    for name, chart in example().charts.items():
        with Image.open(chart_image(chart, tmp_path / f"{name}.png")) as image:
            assert image.format == "PNG"
            assert len(set(image.convert("L").resize((64, 36)).tobytes())) > 10


def test_the_page_holds_all_it_needs_and_what_it_shows_is_no_markup(tmp_path: Path) -> None:
    html = write_page(example(), tmp_path / "report.html").read_text(encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert not re.search(r"<(script|img|iframe)[^>]* src=|<link[^>]*stylesheet|@import", html)
    assert html.count("Plotly.js") + html.count("plotly.js v") >= 1
    assert "The cat &lt;b&gt;sleeps&lt;/b&gt; &amp; the dog" in html
    assert "<script>alert" not in html
    data = re.search(r'<script type="application/json" id="plots">(.*?)</script>', html, re.S)
    assert data is not None
    assert list(json.loads(data[1])) == list(example().charts)
