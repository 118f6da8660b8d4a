from itertools import pairwise

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
