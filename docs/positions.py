"""Draw docs/images/positions.png: the positional encodings of the Transformer."""

from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")

from matplotlib import pyplot as plt

from nmt_keras.layers.positional import sinusoidal_encoding

POSITIONS, DIM, SHOWN = 60, 128, (0, 16, 32, 64)

encoding = np.array(sinusoidal_encoding(np.arange(POSITIONS), DIM))  # (positions, DIM)
figure, (whole, waves) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
image = whole.imshow(encoding.T, aspect="auto", cmap="RdBu", vmin=-1, vmax=1, origin="lower")
whole.set(xlabel="position", ylabel="dimension")
figure.colorbar(image, ax=whole)
for dimension in SHOWN:
    waves.plot(encoding[:, dimension], label=f"dimension {dimension}")
waves.set(xlabel="position", ylabel="value")
waves.legend(loc="lower left", fontsize="small")
figure.savefig(Path(__file__).with_name("images") / "positions.png", dpi=90)
