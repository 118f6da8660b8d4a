"""The Transformer (Vaswani et al. 2017)."""

from typing import Any

import keras
from keras import ops

from nmt_keras.config import TransformerConfig
from nmt_keras.layers.dropout import sequence_dropout
from nmt_keras.layers.embedding import TiedEmbedding
from nmt_keras.layers.masks import causal_mask, padding_mask
from nmt_keras.layers.positional import LearnedPositions, sinusoidal_encoding
from nmt_keras.layers.state_key import StateKey
from nmt_keras.layers.transformer import DecoderBlock, EncoderBlock
from nmt_keras.models.base import Memory, State, StateHook, Tensor, TranslationModel


class Transformer(TranslationModel):
    """Encoder and decoder of attention and feed-forward blocks; all positions are computed in parallel.

    One embedding serves source, target and output, unless they are set apart. Memory: cross-attention keys and
    values per decoder layer (B, heads, S, head_dim) and the source mask (B, S). State: self-attention keys and
    values per decoder layer (B, heads, L, head_dim).

    Args:
        config: sizes and rates.
        vocabulary_size: V.
    """

    def __init__(self, config: TransformerConfig, vocabulary_size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config = config
        if config.tied_embeddings:
            self.source_embedding = self.target_embedding = self.output_embedding = TiedEmbedding(
                vocabulary_size, config.model_dim, name="embedding"
            )
        else:
            self.source_embedding, self.target_embedding, self.output_embedding = (
                TiedEmbedding(vocabulary_size, config.model_dim, projects=side == "output", name=f"{side}_embedding")
                for side in ("source", "target", "output")
            )
        if config.positions == "learned":
            self.learned_positions = LearnedPositions(config.max_positions, config.model_dim, name="positions")
        self.dropout = sequence_dropout(config.dropout_rate)
        self.encoder_blocks = [
            EncoderBlock(config, name=f"encoder_block_{layer}") for layer in range(config.num_encoder_layers)
        ]
        self.decoder_blocks = [
            DecoderBlock(config, name=f"decoder_block_{layer}") for layer in range(config.num_decoder_layers)
        ]
        # In the pre-norm order the last residual sum is not yet normalized.
        self.encoder_norm = self._final_norm("encoder_norm")
        self.decoder_norm = self._final_norm("decoder_norm")

    def build(self, input_shape: Any = None) -> None:
        for embedding in self.vocabulary_layers:
            embedding.build((None, None))
        if self.config.positions == "learned":
            self.learned_positions.build()
        sequence = (None, None, self.config.model_dim)
        for layer in (*self.encoder_blocks, *self.decoder_blocks, self.encoder_norm, self.decoder_norm):
            layer.build(sequence)

    def _final_norm(self, name: str) -> keras.layers.Layer:
        if self.config.pre_norm:
            return keras.layers.LayerNormalization(epsilon=1e-6, name=name)
        return keras.layers.Identity(name=name)

    def _at_positions(self, x: Tensor, positions: Tensor, training: bool | None) -> Tensor:
        """Embeddings (B, T, model_dim), positions (T,) int32 -> (B, T, model_dim)."""
        if self.config.positions == "sinusoidal":
            x += ops.cast(sinusoidal_encoding(positions, self.config.model_dim), x.dtype)
        elif self.config.positions == "learned":
            x += self.learned_positions(positions)
        return self.dropout(x, training=training)

    @property
    def vocabulary_layers(self) -> list[keras.layers.Layer]:
        if self.config.tied_embeddings:
            return [self.source_embedding]
        return [self.source_embedding, self.target_embedding, self.output_embedding]

    def _embed_source(self, ids: Tensor, training: bool | None) -> Tensor:
        return self._at_positions(self.source_embedding(ids), ops.arange(ops.shape(ids)[1]), training)

    def _embed_target(self, ids: Tensor, training: bool | None) -> Tensor:
        return self._at_positions(self.target_embedding(ids), ops.arange(ops.shape(ids)[1]), training)

    def encode(self, source_ids: Tensor, training: bool | None = None, on_state: StateHook | None = None) -> Memory:
        mask = padding_mask(source_ids)
        x = self._embed_source(source_ids, training)
        for layer, block in enumerate(self.encoder_blocks):
            x = block(x, mask[:, None, None, :], training=training)
            if on_state:
                on_state(StateKey(layer), x)
        return self._memory(x, mask)

    def _memory(self, x: Tensor, mask: Tensor) -> Memory:
        x = self.encoder_norm(x)
        cross = [block.cross_attention.keys_values(x) for block in self.decoder_blocks]
        return {"cross": [{"keys": keys, "values": values} for keys, values in cross], "mask": mask}

    def decode(self, target_in_ids: Tensor, memory: Memory, training: bool | None = None) -> Tensor:
        # Padding follows the real target tokens, so the causal mask alone hides it from them.
        self_mask = causal_mask(ops.shape(target_in_ids)[1])
        cross_mask = memory["mask"][:, None, None, :]
        x = self._embed_target(target_in_ids, training)
        for block, cross in zip(self.decoder_blocks, memory["cross"], strict=True):
            x = block(x, self_mask, cross["keys"], cross["values"], cross_mask, training=training)
        return self.output_embedding.logits(self.decoder_norm(x))

    def initial_state(self, memory: Memory, max_length: int) -> State:
        def empty(keys: Tensor) -> Tensor:
            return ops.zeros((ops.shape(keys)[0], keys.shape[1], max_length, keys.shape[3]), keys.dtype)

        return [{"keys": empty(cross["keys"]), "values": empty(cross["keys"])} for cross in memory["cross"]]

    def decode_step(self, token_ids: Tensor, step: Tensor, state: State, memory: Memory) -> tuple[Tensor, State]:
        cross_mask = memory["mask"][:, None, None, :]
        x = self.target_embedding(token_ids[:, None])  # (B, 1, model_dim)
        x = self._at_positions(x, ops.reshape(step, (1,)), training=False)
        new_state = []
        for block, cache, cross in zip(self.decoder_blocks, state, memory["cross"], strict=True):
            x, filled = block.step(x, step, cache, cross["keys"], cross["values"], cross_mask)
            new_state.append(filled)
        return self.output_embedding.logits(self.decoder_norm(x)[:, 0]), new_state

    def attention_weights(self, source_ids: Tensor, target_in_ids: Tensor) -> dict[str, Tensor]:
        source_mask = padding_mask(source_ids)
        mask = source_mask[:, None, None, :]
        x = self._embed_source(source_ids, training=False)
        encoder_self, decoder_self, cross = [], [], []
        for block in self.encoder_blocks:
            x, weights = block(x, mask, training=False, return_attention_scores=True)
            encoder_self.append(weights)
        memory = self._memory(x, source_mask)
        causal = causal_mask(ops.shape(target_in_ids)[1])
        x = self._embed_target(target_in_ids, training=False)
        for block, of_block in zip(self.decoder_blocks, memory["cross"], strict=True):
            x, self_weights, cross_weights = block(
                x, causal, of_block["keys"], of_block["values"], mask, training=False, return_attention_scores=True
            )
            decoder_self.append(self_weights)
            cross.append(cross_weights)
        return {
            "cross": ops.stack(cross, axis=1),
            "encoder_self": ops.stack(encoder_self, axis=1),
            "decoder_self": ops.stack(decoder_self, axis=1),
        }
