from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from nmt_keras.errors import UserError
from nmt_keras.report import figures

HISTORIES = {
    "lstm": [
        {"epoch": 1, "target_tokens": 400_000, "valid_loss": 5.0, "valid_bleu": None},
        {"epoch": 2, "target_tokens": 800_000, "valid_loss": 4.0, "valid_bleu": 6.0},
    ],
    "transformer": [
        {"epoch": 1, "target_tokens": 300_000, "valid_loss": 4.5},
        {"epoch": 2, "target_tokens": 600_000, "valid_loss": 3.5, "valid_bleu": 9.0},
    ],
}
LENGTHS = {
    "lstm": [
        {"from": 1, "to": 5, "sentences": 1200, "bleu": 30.0, "chrf": 50.0},
        {"from": 41, "to": None, "sentences": 7, "bleu": 10.0, "chrf": 30.0},
    ],
    "transformer": [
        {"from": 1, "to": 5, "sentences": 1200, "bleu": 35.0, "chrf": 55.0},
        {"from": 41, "to": None, "sentences": 7, "bleu": 25.0, "chrf": 45.0},
    ],
}


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were saved, to look into."""
    saved = []
    save = figures._save
    monkeypatch.setattr(figures, "_save", lambda figure, path: saved.append(figure) or save(figure, path))
    return saved


def points(axes):
    return {line.get_label(): list(zip(line.get_xdata(), line.get_ydata(), strict=True)) for line in axes.lines}


def test_training_curves_draw_loss_and_bleu_against_target_tokens(tmp_path, drawn) -> None:
    path = figures.training_curves(HISTORIES, tmp_path / "new" / "curves.png")
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert image.width > 1000
    loss, bleu = drawn[0].axes
    assert loss.get_xlabel() == "Target tokens seen"
    assert points(loss) == {
        "lstm": [(400_000, 5.0), (800_000, 4.0)],
        "transformer": [(300_000, 4.5), (600_000, 3.5)],
    }
    assert points(bleu) == {"lstm": [(800_000, 6.0)], "transformer": [(600_000, 9.0)]}
    assert [text.get_text() for text in drawn[0].legends[0].get_texts()] == ["lstm", "transformer"]
    assert [found.name for found in path.parent.iterdir()] == ["curves.png"]


def test_training_curves_fall_back_to_epochs(tmp_path, drawn) -> None:
    histories = {**HISTORIES, "gru": [{"epoch": 3, "valid_loss": 4.4, "valid_bleu": 5.0}]}
    figures.training_curves(histories, tmp_path / "curves.png")
    assert drawn[0].axes[1].get_xlabel() == "Epoch"
    assert points(drawn[0].axes[1])["gru"] == [(3, 5.0)]
    assert points(drawn[0].axes[1])["lstm"] == [(2, 6.0)]


def test_bleu_by_length_draws_a_bar_for_each_architecture_and_bucket(tmp_path, drawn) -> None:
    figures.bleu_by_length(LENGTHS, tmp_path / "lengths.png")
    (axes,) = drawn[0].axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1–5\nn = 1,200", "41+\nn = 7"]
    heights = {bars.get_label(): [bar.get_height() for bar in bars] for bars in axes.containers}
    assert heights == {"lstm": [30.0, 10.0], "transformer": [35.0, 25.0]}
    edges = sorted((bar.get_x(), bar.get_x() + bar.get_width()) for bar in axes.patches)
    assert all(left[1] <= right[0] for left, right in pairwise(edges))
    assert all(round(sum(edge) / 2) == bucket for edge, bucket in zip(edges, (0, 0, 1, 1), strict=True))


def test_a_bucket_that_one_architecture_lacks_keeps_its_place(tmp_path, drawn) -> None:
    rows = {"transformer": LENGTHS["transformer"][1:], "lstm": LENGTHS["lstm"]}
    figures.bleu_by_length(rows, tmp_path / "lengths.svg")
    (axes,) = drawn[0].axes
    (bar,) = axes.containers[0]
    assert bar.get_x() > 0.5
    assert (tmp_path / "lengths.svg").read_text().startswith("<?xml")


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


def test_signs_of_formulas_are_signs_in_an_attention_map(tmp_path, drawn) -> None:
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

    figures.bleu_by_length(LENGTHS, tmp_path / "lengths.png")
    figures.training_curves(HISTORIES, tmp_path / "curves.png")
    assert plt.get_fignums() == []


@pytest.mark.parametrize("draw", [figures.training_curves, figures.bleu_by_length])
def test_nothing_to_draw_is_an_error(tmp_path, draw) -> None:
    with pytest.raises(UserError, match="at least one"):
        draw({"lstm": []}, tmp_path / "empty.png")
    assert list(tmp_path.iterdir()) == []
