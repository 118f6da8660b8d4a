import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from architecture_names import architecture_of

from nmt_keras.config import ArchitectureConfig, RecurrentConfig, SearchConfig
from nmt_keras.errors import ModelError
from nmt_keras.models.directory import (
    LoadedModel,
    ModelDescription,
    load_model,
    save_description,
    save_weights,
)

FILES = {"model.json", "vocabulary.model", "model.weights.h5"}


def save(directory: Path, model: Any, model_config: ArchitectureConfig, tokenizer: Any) -> ModelDescription:
    description = ModelDescription(
        architecture_of(model_config),
        model_config,
        "en",
        "fr",
        tokenizer.sha256,
        SearchConfig(beam_size=3, length_penalty=0.5, extra_length=4),
        ("models:/parent@champion", "grandparent"),
    )
    save_description(directory, tokenizer, description)
    save_weights(directory, model)
    return description


@pytest.fixture
def saved(build: Any, tokenizer: Any, tmp_path: Path) -> Path:
    model_config = RecurrentConfig("rnn", 1, embedding_dim=8, hidden_dim=8)
    save(tmp_path / "model", build(model_config, tokenizer.vocabulary_size), model_config, tokenizer)
    return tmp_path / "model"


def test_a_model_comes_back_as_it_was(
    model_config: ArchitectureConfig, build: Any, tokenizer: Any, tmp_path: Path
) -> None:
    model = build(model_config, tokenizer.vocabulary_size, seed=21)
    description = save(tmp_path / "new" / "model", model, model_config, tokenizer)
    assert {path.name for path in (tmp_path / "new" / "model").iterdir()} == FILES
    loaded = load_model(tmp_path / "new" / "model")
    assert isinstance(loaded, LoadedModel)
    assert loaded.description == description
    assert loaded.tokenizer.proto == tokenizer.proto
    for one, other in zip(loaded.model.weights, model.weights, strict=True):
        assert one.path == other.path
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_saved_again_it_is_replaced(saved: Path, build: Any, tokenizer: Any) -> None:
    model_config = RecurrentConfig("rnn", 1, embedding_dim=8, hidden_dim=8)
    model = build(model_config, tokenizer.vocabulary_size, seed=22)
    save_weights(saved, model)
    assert {path.name for path in saved.iterdir()} == FILES
    for one, other in zip(load_model(saved).model.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_missing_file_is_named(saved: Path, name: str) -> None:
    (saved / name).unlink()
    with pytest.raises(ModelError, match=rf"without {name}"):
        load_model(saved)


def test_no_directory(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nowhere without model.json, vocabulary.model, model.weights.h5"):
        load_model(tmp_path / "nowhere")


def test_another_vocabulary_is_refused(saved: Path) -> None:
    from nmt_keras.text.tokenizer import train_vocabulary

    (saved / "vocabulary.model").write_bytes(train_vocabulary(["other words altogether"], 300, 1.0, seed=1))
    with pytest.raises(ModelError, match="vocabulary must be the one that the model was trained with"):
        load_model(saved)


@pytest.mark.parametrize("content", [b"", b"not a vocabulary at all", b"\xff\xfe\x00\x01" * 30])
def test_a_damaged_vocabulary_is_refused(saved: Path, content: bytes) -> None:
    (saved / "vocabulary.model").write_bytes(content)
    with pytest.raises(ModelError, match="vocabulary"):
        load_model(saved)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: "null",
        lambda text: "\N{REPLACEMENT CHARACTER}{",
        lambda text: text.replace('"format": 2', '"format": 3'),
        lambda text: text.replace('"format": 2,', ""),
        lambda text: text.replace('"rnn"', '"cnn"'),
        lambda text: text.replace('"rnn"', '"transformer"'),
        lambda text: text.replace('"beam_size": 3', '"beam_size": 0'),
        lambda text: text.replace('"beam_size"', '"beam_width"'),
        lambda text: text.replace('"hidden_dim": 8', '"hidden_dim": "8"'),
        lambda text: text.replace('"source_language"', '"source"'),
        lambda text: text.replace('"hidden_dim": 8', '"hidden_dim": null'),
        lambda text: json.dumps(json.loads(text) | {"model_config": 5}),
        lambda text: json.dumps(json.loads(text) | {"lineage": None}),
    ],
)
def test_a_damaged_description_is_refused(saved: Path, change: Any) -> None:
    text = (saved / "model.json").read_text(encoding="utf-8")
    assert change(text) != text
    (saved / "model.json").write_text(change(text), encoding="utf-8")
    with pytest.raises(ModelError, match=r"model\.json"):
        load_model(saved)


def test_bytes_that_are_no_text_are_refused(saved: Path) -> None:
    (saved / "model.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(ModelError, match=r"model\.json"):
        load_model(saved)


def test_weights_of_other_sizes_are_refused(saved: Path, build: Any, tokenizer: Any) -> None:
    save_weights(saved, build(RecurrentConfig("rnn", 1, embedding_dim=8, hidden_dim=9), tokenizer.vocabulary_size))
    with pytest.raises(ModelError, match=r"model\.weights\.h5 does not fit the rnn"):
        load_model(saved)


def test_weights_of_another_architecture_are_refused(saved: Path, build: Any, tokenizer: Any) -> None:
    from nmt_keras.config import TransformerConfig

    save_weights(saved, build(TransformerConfig(1, 1, 8, 2, 8), tokenizer.vocabulary_size))
    with pytest.raises(ModelError, match=r"model\.weights\.h5 does not fit the rnn"):
        load_model(saved)


@pytest.mark.parametrize("keep", [0, 10, 3000])
def test_truncated_weights_are_refused(saved: Path, keep: int) -> None:
    weights = saved / "model.weights.h5"
    weights.write_bytes(weights.read_bytes()[:keep])
    with pytest.raises(ModelError, match=r"model\.weights\.h5"):
        load_model(saved)


def test_a_description_without_later_settings_is_read(saved: Path) -> None:
    """Settings that were added since take their defaults."""
    values = json.loads((saved / "model.json").read_text(encoding="utf-8"))
    assert values["search"] == asdict(SearchConfig(beam_size=3, length_penalty=0.5, extra_length=4))
    del values["search"]["extra_length"]
    (saved / "model.json").write_text(json.dumps(values), encoding="utf-8")
    assert load_model(saved).description.search == SearchConfig(beam_size=3, length_penalty=0.5)
