import math
from typing import Any

import numpy as np
import pytest
from keras import ops

from nmt_keras.config import ArchitectureConfig, SearchConfig
from nmt_keras.data.parallel_text import Corpus, ParallelText
from nmt_keras.decoding.translator import Scorer, Translator
from nmt_keras.text.special_tokens import BOS_ID

SENTENCES = [
    "one two three",
    "",
    "nine",
    "   ",
    "A man sleeps on a bench.",
    "one two three",
    "L’été, c’est à côté !",
    "five six seven eight nine zero one two three four",
    "seven one",
]
EMPTY = [1, 3]


@pytest.fixture
def model(model_config: ArchitectureConfig, build: Any, tokenizer: Any) -> Any:
    return build(model_config, tokenizer.vocabulary_size, seed=12, gain=2.0)


@pytest.mark.parametrize("batch_size", [2, 64])
def test_translations_keep_the_order(model: Any, tokenizer: Any, batch_size: int) -> None:
    config = SearchConfig(beam_size=2, max_length_ratio=1.0, extra_length=3, batch_size=batch_size)
    done: list[int] = []
    translator = Translator(model, tokenizer, config)
    translations = translator.translate(SENTENCES, done.append)
    assert len(translations) == len(SENTENCES)
    assert sum(done) == len(SENTENCES) - len(EMPTY)
    assert max(done) <= batch_size
    assert all(translations[place] == ("", 0.0) for place in EMPTY)
    assert translations[0] == pytest.approx(translations[5])
    assert len({translation.text for translation in translations}) > 5  # they depend on the source
    for sentence, translation in zip(SENTENCES, translations, strict=True):
        (alone,) = translator.translate([sentence])
        assert alone.text == translation.text
        assert alone.score == pytest.approx(translation.score, abs=1e-4)


def test_nothing_to_translate(model: Any, tokenizer: Any) -> None:
    translator = Translator(model, tokenizer, SearchConfig())
    assert translator.translate([]) == []
    assert translator.translate(["", " "]) == [("", 0.0), ("", 0.0)]


def test_weights_that_change_later_are_seen(model: Any, tokenizer: Any, draw_weights: Any) -> None:
    """Training validates with one translator after each epoch."""
    config = SearchConfig(beam_size=1, max_length_ratio=1.0, extra_length=3)
    translator = Translator(model, tokenizer, config)
    before = translator.translate(SENTENCES)
    draw_weights(model, seed=13, gain=3.0)
    after = translator.translate(SENTENCES)
    assert before != after
    assert after == Translator(model, tokenizer, config).translate(SENTENCES)


def pair_log_prob(model: Any, source: list[int], target: list[int]) -> float:
    inputs = {"source_ids": np.array([source]), "target_in_ids": np.array([[BOS_ID, *target[:-1]]])}
    logits = ops.convert_to_numpy(model(inputs, training=False))[0].astype("float64")
    return sum(
        row[token] - row.max() - math.log(np.exp(row - row.max()).sum())
        for row, token in zip(logits, target, strict=True)
    )


def test_scores(model: Any, tokenizer: Any, digits: Corpus) -> None:
    split = digits.split("test")
    text = ParallelText([*split.sources[:6], "one", ""], [*split.targets[:6], "", "un"])
    sources, targets = ([ids.tolist() for ids in tokenizer.encode_all(side)] for side in (text.sources, text.targets))
    expected = [pair_log_prob(model, source, target) for source, target in zip(sources, targets, strict=True)]
    assert np.std(expected) > 1
    mean = -sum(expected) / sum(map(len, targets))
    for batch_tokens in (1, 60, 4096):
        scorer = Scorer(model, tokenizer, batch_tokens)
        log_probs, lengths = scorer.score(text)
        np.testing.assert_allclose(log_probs, expected, rtol=1e-4)
        assert lengths.tolist() == [len(target) for target in targets]
        assert scorer.cross_entropy(text) == pytest.approx(mean, rel=1e-5)
