"""The contract that every architecture keeps, so that one trainer, one search and one exporter serve all.

B batch, S source length, T target length, V vocabulary, L longest output. Memory and state are plain nests of
tensors. Every leaf leads with B; no state changes its shape while decoding; nothing is remembered on a layer
between calls.
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import keras

from nmt_keras.layers.state_key import StateKey

Tensor = Any
Memory = Any
State = Any
StateHook = Callable[[StateKey, Tensor], None]

keras.config.set_floatx("float32")  # whatever a user's keras.json says, by which operations outside layers compute


class TranslationModel(keras.Model):
    """A model of p(target | source) over one joint vocabulary.

    `call(...)[:, t]` equals the logits of `decode_step` chained t + 1 times, and neither padding nor later target
    tokens change an earlier logit.

    A subclass that lacks a member of the contract fails when it is defined, unless it says `abstract=True`: Keras' own
    classes do not look at `abstractmethod`.

    Raises:
        TypeError: such a member is missing.
    """

    def __init_subclass__(cls, abstract: bool = False, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        missing = [name for name in dir(cls) if getattr(getattr(cls, name, None), "__isabstractmethod__", False)]
        if missing and not abstract:
            raise TypeError(f"A model must define {', '.join(missing)}. Received: the class {cls.__name__}.")

    @property
    @abstractmethod
    def vocabulary_layers(self) -> list[keras.layers.Layer]:
        """The embeddings and the output projection: the layers whose size follows the vocabulary's."""

    def count_params_outside_embeddings(self) -> int:
        """Number of weights outside `vocabulary_layers`: what architectures are compared at."""
        return self.count_params() - sum(layer.count_params() for layer in self.vocabulary_layers)

    @property
    def has_cudnn_kernels(self) -> bool:
        """Whether a GPU has kernels for it that XLA cannot call."""
        return False

    @abstractmethod
    def encode(self, source_ids: Tensor, training: bool | None = None, on_state: StateHook | None = None) -> Memory:
        """What the decoder reads; constant while decoding.

        Args:
            source_ids: (B, S) int32, PAD after the end.
            training: apply dropout.
            on_state: is called with the key and the value of each encoder state on the way to the memory: (B, d) for
                each step of a recurrence, in the order of reading, and (B, S, d) for a Transformer's block.
        """

    @abstractmethod
    def decode(self, target_in_ids: Tensor, memory: Memory, training: bool | None = None) -> Tensor:
        """Target ids (B, T) int32, led by BOS -> logits (B, T, V) of the next token at each position."""

    @abstractmethod
    def initial_state(self, memory: Memory, max_length: int) -> State:
        """The decoder's state before its first step, with room for `max_length` steps (L)."""

    @abstractmethod
    def decode_step(self, token_ids: Tensor, step: Tensor, state: State, memory: Memory) -> tuple[Tensor, State]:
        """One step for every hypothesis.

        Args:
            token_ids: (B,) int32, the previous tokens (BOS at step 0).
            step: scalar int32, counted from 0.
            state: as `initial_state` or the step before returned it.
            memory: as `encode` returned it.

        Returns:
            Logits (B, V) of the next token, and the new state.
        """

    def attention_weights(self, source_ids: Tensor, target_in_ids: Tensor) -> dict[str, Tensor]:
        """What each target position attends to.

        Args:
            source_ids: (B, S) int32.
            target_in_ids: (B, T) int32, led by BOS.

        Returns:
            Attention weights by kind: "cross" (B, layers, heads, T, S), and for the Transformer "encoder_self"
            (B, layers, heads, S, S) and "decoder_self" (B, layers, heads, T, T). Empty without attention.
        """
        return {}

    def call(self, inputs: dict[str, Tensor], training: bool | None = None) -> Tensor:
        """{"source_ids": (B, S), "target_in_ids": (B, T)} int32 -> logits (B, T, V)."""
        memory = self.encode(inputs["source_ids"], training=training)
        return self.decode(inputs["target_in_ids"], memory, training=training)
