"""Which of an encoder's states a value is."""

from typing import NamedTuple


class StateKey(NamedTuple):
    """A kind of encoder state: of a recurrent layer one for each direction and part, of a Transformer one a block.

    Args:
        layer: the layer's index in its stack, from 0.
        direction: "forward" or "backward", the order in which a recurrent layer reads; empty for a Transformer.
        part: "h", or "C" for the cell state of an LSTM; empty for a Transformer.
    """

    layer: int
    direction: str = ""
    part: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, [f"layer {self.layer}", self.direction, self.part]))
