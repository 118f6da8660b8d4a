"""Raw sentences to raw sentences with a model in memory, and the scores of given translations."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from nmt_keras.config import SearchConfig
from nmt_keras.data.batching import batches_by_length
from nmt_keras.data.dataset import TokenizedText, pad
from nmt_keras.data.parallel_text import ParallelText
from nmt_keras.decoding.compilation import compile_inference
from nmt_keras.decoding.scoring import token_log_probs
from nmt_keras.decoding.search import IMPOSSIBLE, beam_search
from nmt_keras.models.base import TranslationModel
from nmt_keras.text.tokenizer import Tokenizer

_BATCH_TOKENS = 4096  # of sources translated at once: what a search keeps in memory grows with them


class Translation(NamedTuple):
    """A translation and its score: the log-probability divided by the length penalty."""

    text: str
    score: float


class Translator:
    """Translates sentences in batches of similar length.

    Args:
        model: any architecture.
        tokenizer: its vocabulary.
        config: beam size, length penalty, batch size.
        num_best: translations found of each sentence, at most as many as the beam holds.
    """

    def __init__(self, model: TranslationModel, tokenizer: Tokenizer, config: SearchConfig, num_best: int = 1) -> None:
        self.tokenizer = tokenizer
        self.config = config
        self._search = compile_inference(model, lambda source_ids: beam_search(model, source_ids, config, num_best), 1)

    def translate(self, sentences: Sequence[str], progress: Callable[[int], None] | None = None) -> list[Translation]:
        """The best translation of each sentence, in their order. An empty or blank one stays empty, with score 0.

        Args:
            sentences: raw text.
            progress: called after each batch with the number of sentences in it.
        """
        return [best for best, *_ in self.n_best(sentences, progress)]

    def n_best(
        self, sentences: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> list[list[Translation]]:
        """The `num_best` best translations of each sentence, or as many as there are, the best first.

        Args:
            sentences: raw text.
            progress: called after each batch with the number of sentences in it.
        """
        source_ids = self.tokenizer.encode_all(sentences)
        translations = [[Translation("", 0.0)]] * len(sentences)
        said = [index for index, sentence in enumerate(sentences) if sentence.strip()]
        lengths = np.array([len(source_ids[index]) for index in said], "int64")
        for shape, places in batches_by_length(lengths, _BATCH_TOKENS, self.config.batch_size):
            members = [said[place] for place in places]
            batch = pad([source_ids[i] for i in members], (len(members), shape.length))
            ids, scores = self._search(batch)
            texts = iter(self.tokenizer.decode_all(ids.reshape(-1, ids.shape[-1])))  # (B * N, L)
            for member, row in zip(members, scores.tolist(), strict=True):
                first, *others = (Translation(next(texts), score) for score in row)
                translations[member] = [first, *(other for other in others if other.score > IMPOSSIBLE / 2)]
            if progress:
                progress(len(members))
        return translations


class Scorer:
    """The log-probabilities of given translations (forced decoding).

    Args:
        model: any architecture.
        tokenizer: its vocabulary.
        batch_tokens: token slots of a batch on each side.
    """

    def __init__(self, model: TranslationModel, tokenizer: Tokenizer, batch_tokens: int = _BATCH_TOKENS) -> None:
        self.tokenizer = tokenizer
        self.batch_tokens = batch_tokens
        self._score = compile_inference(
            model,
            lambda source_ids, target_in_ids, target_out_ids: token_log_probs(
                model, source_ids, target_in_ids, target_out_ids
            ),
            3,
        )

    def score(self, text: ParallelText) -> tuple[np.ndarray, np.ndarray]:
        """log p(target | source) of each pair (N,) in nats, and the number of target tokens (N,), EOS included."""
        tokenized = TokenizedText(text, self.tokenizer)
        log_probs = np.zeros(len(text))
        for members, (inputs, target_out_ids, _) in tokenized.batches(self.batch_tokens):
            scores = self._score(inputs["source_ids"], inputs["target_in_ids"], target_out_ids)
            log_probs[members] = scores.sum(axis=1)[: len(members)]
        return log_probs, tokenized.target_lengths

    def cross_entropy(self, text: ParallelText) -> float:
        """Mean of -log p over the target tokens, in nats."""
        log_probs, lengths = self.score(text)
        return float(-log_probs.sum() / lengths.sum())
