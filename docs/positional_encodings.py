"""Draws the sinusoidal positional encodings of `positional_encodings.md`.

python docs/positional_encodings.py [FILE]
"""

import sys
from pathlib import Path

import keras
import numpy as np
from matplotlib.figure import Figure

from nmt_keras.layers.positional import sinusoidal_encoding

POSITIONS, MODEL_DIM = 80, 128
DIMENSIONS = (0, 16, 32, 64)  # drawn as waves


def draw(path: Path) -> None:
    """Write the picture: all encodings as colours, and a few dimensions as waves."""
    encoding = keras.ops.convert_to_numpy(sinusoidal_encoding(np.arange(POSITIONS), MODEL_DIM))
    figure = Figure(figsize=(11, 4), layout="constrained")
    colours, waves = figure.subplots(1, 2)
    image = colours.imshow(encoding, cmap="RdBu", vmin=-1, vmax=1, aspect="auto", origin="lower")
    colours.set(xlabel="Dimension", ylabel="Position (token)")
    figure.colorbar(image, ax=colours)
    for dimension in DIMENSIONS:
        waves.plot(encoding[:, dimension], label=f"dimension {dimension}")
    waves.set(xlabel="Position (token)", ylabel="Encoding")
    figure.legend(loc="outside upper right", ncols=len(DIMENSIONS), frameon=False)
    figure.savefig(path, dpi=90)


if __name__ == "__main__":
    draw(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_suffix(".png")))
