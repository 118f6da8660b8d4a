import math
import runpy
from pathlib import Path

import numpy as np
from keras import ops
from PIL import Image

from nmt_keras.layers.positional import sinusoidal_encoding


def encoding(positions: np.ndarray, model_dim: int) -> np.ndarray:
    return ops.convert_to_numpy(sinusoidal_encoding(ops.convert_to_tensor(positions, "int32"), model_dim))


def test_the_formula() -> None:
    model_dim = 20
    expected = np.zeros((300, model_dim))
    for position in range(300):
        for i in range(model_dim // 2):
            angle = position / 10000 ** (2 * i / model_dim)
            expected[position, 2 * i] = math.sin(angle)
            expected[position, 2 * i + 1] = math.cos(angle)
    # float32 angles up to 300 are off by 2e-5
    np.testing.assert_allclose(encoding(np.arange(300), model_dim), expected, atol=1e-4)
    np.testing.assert_array_equal(encoding(np.array([7]), model_dim)[0], encoding(np.arange(300), model_dim)[7])


def test_leading_axes_stay() -> None:
    positions = np.arange(6).reshape(2, 3)
    np.testing.assert_array_equal(encoding(positions, 8), encoding(np.arange(6), 8).reshape(2, 3, 8))


def test_all_positions_differ() -> None:
    codes = encoding(np.arange(4096), 32)
    products = codes @ codes.T
    squares = np.diag(products)
    distances = squares[:, None] + squares[None, :] - 2 * products
    np.fill_diagonal(distances, np.inf)
    assert distances.min() > 0.1


def test_a_shift_is_a_linear_map_that_depends_on_its_size_alone() -> None:
    model_dim = 16
    codes = encoding(np.arange(400), model_dim)
    for shift in (1, 5, 40):
        rotation = np.zeros((model_dim, model_dim))
        for i in range(model_dim // 2):
            angle = shift / 10000 ** (2 * i / model_dim)
            sine, cosine = math.sin(angle), math.cos(angle)
            rotation[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = [[cosine, sine], [-sine, cosine]]
        np.testing.assert_allclose(codes[: 400 - shift] @ rotation.T, codes[shift:], atol=1e-4)


def test_low_dimensions_vary_fast() -> None:
    change = np.abs(np.diff(encoding(np.arange(500), 64), axis=0)).mean(axis=0)
    sines = change[::2]
    assert (np.diff(sines[4:]) < 0).all()  # the first few are faster than the sampling
    assert sines[0] > 100 * sines[-1]


def test_the_documentation_s_picture_can_be_drawn(tmp_path: Path) -> None:
    script = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "positional_encodings.py"))
    script["draw"](tmp_path / "drawn.png")
    with Image.open(tmp_path / "drawn.png") as image:
        assert image.format == "PNG"
