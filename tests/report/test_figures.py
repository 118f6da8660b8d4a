from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from nmt_keras.report import figures
from nmt_keras.report.chart import Chart, Series


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were saved, to look into."""
    saved = []
    save = figures._save
    monkeypatch.setattr(figures, "_save", lambda figure, path: saved.append(figure) or save(figure, path))
    return saved


def points(axes):
    return {line.get_label(): list(zip(line.get_xdata(), line.get_ydata(), strict=True)) for line in axes.lines}


ROWS = ["▁mange", ".", "</s>"]
COLUMNS = ["▁I", "▁unbelievably", "$a$", "e_at^ing", "</s>"]


def test_an_attention_map_has_a_cell_for_each_pair_of_tokens(tmp_path, drawn) -> None:
    weights = np.random.default_rng(1).dirichlet(np.ones(5), 3)
    figures.attention_map(weights, ROWS, COLUMNS, "predicted", "source", "cross: layer 1", tmp_path / "map.png")
    (figure,) = drawn
    axes, colour_bar = figure.axes
    np.testing.assert_array_equal(axes.images[0].get_array(), weights)
    assert axes.images[0].get_clim() == (0, weights.max())
    assert ([text.get_text() for text in axes.get_yticklabels()], axes.get_ylabel()) == (ROWS, "predicted")
    assert ([text.get_text() for text in axes.get_xticklabels()], axes.get_xlabel()) == (COLUMNS, "source")
    assert axes.yaxis_inverted()  # the first row stands on top
    assert colour_bar.get_ylabel() == "attention weight"
    assert figure.get_suptitle() == "cross: layer 1"


def test_characters_of_formulas_are_characters_in_an_attention_map(tmp_path, drawn) -> None:
    figures.attention_map(np.ones((3, 5)) / 5, ROWS, COLUMNS, "", "", "", tmp_path / "map.svg")
    axes = drawn[0].axes[0]
    assert not any(text.get_parse_math() for text in (*axes.get_xticklabels(), *axes.get_yticklabels()))


@pytest.mark.parametrize("size", [2, 40])
def test_tokens_of_an_attention_map_stand_apart_and_inside(tmp_path, drawn, size) -> None:
    tokens = [f"▁token{number}" for number in range(size)]
    figures.attention_map(
        np.eye(size), tokens, tokens, "target, predicted", "source, attended to", "cross, mean", tmp_path / "map.png"
    )
    (figure,) = drawn
    figure.draw_without_rendering()
    axes, colour_bar = figure.axes
    column_labels, row_labels = axes.get_xticklabels(), axes.get_yticklabels()
    columns, rows = ([label.get_window_extent() for label in labels] for labels in (column_labels, row_labels))
    slant = np.sin(np.radians(column_labels[0].get_rotation()))
    gaps = [a.y0 - b.y0 for a, b in pairwise(rows)] + [(b.x0 - a.x0) * slant for a, b in pairwise(columns)]
    assert min(gaps) > 1.1 * row_labels[0].get_fontsize() * figure.dpi / 72
    for text in (axes.xaxis.label, axes.yaxis.label, colour_bar.yaxis.label, *column_labels, *row_labels):
        box = text.get_window_extent()
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1


def test_gradient_norms_have_a_panel_for_each_model(tmp_path, drawn) -> None:
    norms = {"before": {"h": [0.5, 0.05, 0.005], "C": [0.4, 0.3, 0.2]}, "after": {"h": [3, 2, 1], "C": [5, 4, 6]}}
    figures.gradient_norms(
        {model: {state: np.array(values) for state, values in of_model.items()} for model, of_model in norms.items()},
        tmp_path / "norms.png",
    )
    (figure,) = drawn
    for axes, (model, of_model) in zip(figure.axes, norms.items(), strict=True):
        assert axes.get_title() == model
        assert points(axes) == {state: list(enumerate(values)) for state, values in of_model.items()}
        assert axes.get_yscale() == "log"
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["h", "C"]


def test_pyplot_is_left_alone(tmp_path) -> None:
    import matplotlib.pyplot as plt

    path = figures.gradient_norms({"rnn": {"h": np.array([1.0, 0.1])}}, tmp_path / "new" / "norms.png")
    with Image.open(path) as image:
        assert image.format == "PNG"
    assert [found.name for found in path.parent.iterdir()] == ["norms.png"]
    assert plt.get_fignums() == []


@pytest.mark.parametrize(("y", "limit"), [([54.0, 56.0], 0), ([-3.0, -2.0], -1)])
def test_lines_are_seen_from_zero(tmp_path, drawn, y, limit) -> None:
    chart = Chart("a", "a", "x", "y", [Series("s", [1, 2], y)])
    figures.chart_image(chart, tmp_path / "a.png")
    (axes,) = drawn[0].axes
    assert axes.get_ylim()[limit] == 0
