"""The recurrent encoder-decoder with a fixed context (Sutskever et al. 2014; Cho et al. 2014)."""

from typing import Any

import keras
from keras import ops

from nmt_keras.config import RecurrentConfig
from nmt_keras.layers.dropout import sequence_dropout
from nmt_keras.layers.embedding import TiedEmbedding
from nmt_keras.layers.masks import padding_mask
from nmt_keras.layers.recurrence import cudnn_applies
from nmt_keras.layers.recurrent import RecurrentDecoder, RecurrentEncoder
from nmt_keras.models.base import Memory, State, StateHook, Tensor, TranslationModel


class RecurrentModel(TranslationModel, abstract=True):
    """What recurrent models share: embeddings y = E_y[id], and logits W_so s_t + b_o of a decoder's outputs s_t.

    Tied, one embedding E (V, d) serves source, target and output, and the logits are E W_so s_t + b_o.

    Args:
        config: sizes and rates.
        vocabulary_size: V.
    """

    def __init__(self, config: RecurrentConfig, vocabulary_size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config = config
        dim = config.embedding_dim
        if config.tied_embeddings:
            self.source_embedding = self.target_embedding = TiedEmbedding(vocabulary_size, dim, name="embedding")
            self.output_projection = keras.layers.Dense(dim, use_bias=False, name="output_projection")
        else:
            self.source_embedding = keras.layers.Embedding(vocabulary_size, dim, name="source_embedding")
            self.target_embedding = keras.layers.Embedding(vocabulary_size, dim, name="target_embedding")
            self.output_projection = keras.layers.Dense(vocabulary_size, name="output_projection")
        self.encoder = RecurrentEncoder(config, name="encoder")
        self.dropout = sequence_dropout(config.dropout_rate)

    def build(self, input_shape: Any = None) -> None:
        self.source_embedding.build((None, None))
        if not self.config.tied_embeddings:
            self.target_embedding.build((None, None))
        self.encoder.build((None, None, self.config.embedding_dim))
        self.output_projection.build((None, None, self.config.hidden_dim))

    @property
    def vocabulary_layers(self) -> list[keras.layers.Layer]:
        if self.config.tied_embeddings:
            return [self.source_embedding]
        return [self.source_embedding, self.target_embedding, self.output_projection]

    @property
    def has_cudnn_kernels(self) -> bool:
        return cudnn_applies(self.config, True, self.compute_dtype)

    def logits(self, x: Tensor) -> Tensor:
        """Outputs of the decoder (..., H) -> (..., V)."""
        x = self.output_projection(x)
        return self.target_embedding.logits(x) if self.config.tied_embeddings else x


class RecurrentSeq2Seq(RecurrentModel):
    """The source is read into one vector, the only thing that the decoder ever sees of it.

    With the tanh RNN (`layers/recurrence.py` has the LSTM's and the GRU's recurrence):

    Encoder:  h_t = tanh(W_hx x_t + W_hh h_{t-1} + b_h)
    Decoder:  s_t = tanh(W_sy y_{t-1} + W_sh s_{t-1} + W_sc h_T + b_s), s_0 = h_T;  logits W_so s_t + b_o

    h_T, the top layer's last state, enters every step: it is concatenated to the decoder's inputs. Each decoder
    layer starts from the last state of the encoder layer beside it. Memory: the last state of each layer, (B, H)
    each, and the context (B, H). State: the state of each layer.

    Args:
        config: sizes and rates.
        vocabulary_size: V.
    """

    def __init__(self, config: RecurrentConfig, vocabulary_size: int, **kwargs: Any) -> None:
        super().__init__(config, vocabulary_size, **kwargs)
        self.decoder = RecurrentDecoder(config, name="decoder")

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        self.decoder.build((None, None, self.config.embedding_dim + self.config.hidden_dim))

    def encode(self, source_ids: Tensor, training: bool | None = None, on_state: StateHook | None = None) -> Memory:
        x = self.dropout(self.source_embedding(source_ids), training=training)
        _, states = self.encoder(x, padding_mask(source_ids), training=training, on_state=on_state)
        return {"states": states, "context": states[-1][0]}

    def decode(self, target_in_ids: Tensor, memory: Memory, training: bool | None = None) -> Tensor:
        x = self.dropout(self.target_embedding(target_in_ids), training=training)
        context = ops.broadcast_to(
            memory["context"][:, None, :], (*ops.shape(x)[:2], self.config.hidden_dim)
        )  # (B, T, H)
        x = self.decoder(ops.concatenate([x, context], axis=-1), memory["states"], training=training)
        return self.logits(x)

    def initial_state(self, memory: Memory, max_length: int) -> State:
        return memory["states"]

    def decode_step(self, token_ids: Tensor, step: Tensor, state: State, memory: Memory) -> tuple[Tensor, State]:
        x = ops.concatenate([self.target_embedding(token_ids), memory["context"]], axis=-1)
        x, state = self.decoder.step(x, state)
        return self.logits(x), state
