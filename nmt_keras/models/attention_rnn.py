"""The recurrent encoder-decoder with attention (Bahdanau et al. 2015; Luong et al. 2015)."""

from typing import Any

from nmt_keras.config import RecurrentAttentionConfig
from nmt_keras.layers.masks import padding_mask
from nmt_keras.layers.recurrent_attention import AttentionDecoder
from nmt_keras.models.base import Memory, State, StateHook, Tensor
from nmt_keras.models.rnn import RecurrentModel


class RecurrentAttention(RecurrentModel):
    """The decoder sees all encoder outputs h_i at every step, weighted by attention, in place of one fixed context.

    s_t = f(y_{t-1}, s_{t-1});  a_t = softmax_i(score(h_i, s_t));  c_t = sum_i a_t^i h_i;
    logits W_o tanh(W [c_t; s_t]) + b_o. `layers/recurrent_attention.py` has the scores and Bahdanau's order. Each
    decoder layer starts from the last state of the encoder layer beside it. Memory and state: see `AttentionDecoder`.

    Args:
        config: sizes and rates.
        vocabulary_size: V.
    """

    def __init__(self, config: RecurrentAttentionConfig, vocabulary_size: int, **kwargs: Any) -> None:
        super().__init__(config, vocabulary_size, **kwargs)
        self.config: RecurrentAttentionConfig = config
        self.decoder = AttentionDecoder(config, name="decoder")

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        self.decoder.build((None, None, self.config.embedding_dim))

    def encode(self, source_ids: Tensor, training: bool | None = None, on_state: StateHook | None = None) -> Memory:
        mask = padding_mask(source_ids)
        x = self.dropout(self.source_embedding(source_ids), training=training)
        encoded, states = self.encoder(x, mask, training=training, on_state=on_state)
        return {"states": states, "keys": self.decoder.attention.keys(encoded), "values": encoded, "mask": mask}

    def decode(self, target_in_ids: Tensor, memory: Memory, training: bool | None = None) -> Tensor:
        x = self.dropout(self.target_embedding(target_in_ids), training=training)
        vectors, _ = self.decoder(x, memory, training=training)
        return self.logits(self.dropout(vectors, training=training))

    def initial_state(self, memory: Memory, max_length: int) -> State:
        return self.decoder.initial_state(memory)

    def decode_step(self, token_ids: Tensor, step: Tensor, state: State, memory: Memory) -> tuple[Tensor, State]:
        vector, _, state = self.decoder.step(self.target_embedding(token_ids), state, memory)
        return self.logits(vector), state

    def attention_weights(self, source_ids: Tensor, target_in_ids: Tensor) -> dict[str, Tensor]:
        _, weights = self.decoder(self.target_embedding(target_in_ids), self.encode(source_ids), training=False)
        return {"cross": weights[:, None, None]}  # (B, 1, 1, T, S)
