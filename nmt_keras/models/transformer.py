"""The Transformer (Vaswani et al. 2017)."""

from typing import Any

import keras
from keras import ops

from nmt_keras.config import TransformerConfig
from nmt_keras.layers.dropout import sequence_dropout
from nmt_keras.layers.embedding import TiedEmbedding
from nmt_keras.layers.masks import causal_mask, padding_mask
from nmt_keras.layers.positional import sinusoidal_encoding
from nmt_keras.layers.transformer import DecoderBlock, EncoderBlock
from nmt_keras.models.base import Memory, State, Tensor, TranslationModel


class Transformer(TranslationModel):
    """Encoder and decoder of attention and feed-forward blocks; all positions are computed in parallel.

    One embedding serves source, target and output. Memory: cross-attention keys and values per decoder layer
    (B, heads, S, head_dim) and the source mask (B, S). State: self-attention keys and values per decoder layer
    (B, heads, L, head_dim).

    Args:
        config: sizes and rates.
        vocabulary_size: V.
    """

    def __init__(self, config: TransformerConfig, vocabulary_size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config = config
        self.embedding = TiedEmbedding(vocabulary_size, config.model_dim, name="embedding")
        self.dropout = sequence_dropout(config.dropout_rate)
        sizes = (
            config.model_dim,
            config.num_heads,
            config.feed_forward_dim,
            config.dropout_rate,
            config.inner_dropout_rate,
            config.pre_norm,
        )
        self.encoder_blocks = [
            EncoderBlock(*sizes, name=f"encoder_block_{layer}") for layer in range(config.num_encoder_layers)
        ]
        self.decoder_blocks = [
            DecoderBlock(*sizes, name=f"decoder_block_{layer}") for layer in range(config.num_decoder_layers)
        ]
        # In the pre-norm order the last residual sum is not yet normalized.
        self.encoder_norm = self._final_norm("encoder_norm")
        self.decoder_norm = self._final_norm("decoder_norm")

    def build(self, input_shape: Any = None) -> None:
        self.embedding.build((None, None))
        sequence = (None, None, self.config.model_dim)
        for layer in (*self.encoder_blocks, *self.decoder_blocks, self.encoder_norm, self.decoder_norm):
            layer.build(sequence)

    def _final_norm(self, name: str) -> keras.layers.Layer:
        if self.config.pre_norm:
            return keras.layers.LayerNormalization(epsilon=1e-6, name=name)
        return keras.layers.Identity(name=name)

    def _embed(self, ids: Tensor, positions: Tensor, training: bool | None) -> Tensor:
        """ids (B, T), positions (T,) -> (B, T, model_dim)."""
        x = self.embedding(ids) + sinusoidal_encoding(positions, self.config.model_dim)
        return self.dropout(x, training=training)

    @property
    def vocabulary_layers(self) -> list[keras.layers.Layer]:
        return [self.embedding]

    def encode(self, source_ids: Tensor, training: bool | None = None) -> Memory:
        mask = padding_mask(source_ids)
        x = self._embed(source_ids, ops.arange(ops.shape(source_ids)[1]), training)
        for block in self.encoder_blocks:
            x = block(x, mask[:, None, None, :], training=training)
        x = self.encoder_norm(x)
        cross = [block.cross_attention.keys_values(x) for block in self.decoder_blocks]
        return {"cross": [{"keys": keys, "values": values} for keys, values in cross], "mask": mask}

    def decode(self, target_in_ids: Tensor, memory: Memory, training: bool | None = None) -> Tensor:
        length = ops.shape(target_in_ids)[1]
        # Padding follows the real target tokens, so the causal mask alone hides it from them.
        self_mask = causal_mask(length)
        cross_mask = memory["mask"][:, None, None, :]
        x = self._embed(target_in_ids, ops.arange(length), training)
        for block, cross in zip(self.decoder_blocks, memory["cross"], strict=True):
            x = block(x, self_mask, cross["keys"], cross["values"], cross_mask, training=training)
        return self.embedding.logits(self.decoder_norm(x))

    def initial_state(self, memory: Memory, max_length: int) -> State:
        def empty(keys: Tensor) -> Tensor:
            return ops.zeros((ops.shape(keys)[0], keys.shape[1], max_length, keys.shape[3]), keys.dtype)

        return [{"keys": empty(cross["keys"]), "values": empty(cross["keys"])} for cross in memory["cross"]]

    def decode_step(self, token_ids: Tensor, step: Tensor, state: State, memory: Memory) -> tuple[Tensor, State]:
        cross_mask = memory["mask"][:, None, None, :]
        x = self._embed(token_ids[:, None], ops.reshape(step, (1,)), training=False)  # (B, 1, model_dim)
        new_state = []
        for block, cache, cross in zip(self.decoder_blocks, state, memory["cross"], strict=True):
            x, filled = block.step(x, step, cache, cross["keys"], cross["values"], cross_mask)
            new_state.append(filled)
        return self.embedding.logits(self.decoder_norm(x)[:, 0]), new_state
