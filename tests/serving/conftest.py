"""One small exported model, shared by the tests of a process: tracing it takes seconds."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nmt_keras.config import SearchConfig, TransformerConfig
from nmt_keras.data.parallel_text import Corpus
from nmt_keras.models.directory import LoadedModel, ModelDescription
from nmt_keras.serving.savedmodel import ExportedModel, export_savedmodel, load_export
from nmt_keras.serving.signatures import ServingLimits

SEARCH = SearchConfig(beam_size=3, length_penalty=0.8, max_length_ratio=1.0, extra_length=3, batch_size=5)
LIMITS = ServingLimits(max_source_tokens=24, max_beam_size=4)


@pytest.fixture(scope="session")
def search() -> SearchConfig:
    """How the shared model searches."""
    return SEARCH


@pytest.fixture(scope="session")
def load(build: Any, tokenizer: Any) -> Callable[..., LoadedModel]:
    """A function that gives a model of an architecture and sizes, as if it were loaded."""

    def build_loaded(architecture: str, model_config: Any, seed: int = 31) -> LoadedModel:
        description = ModelDescription(architecture, model_config, "en", "fr", tokenizer.sha256, SEARCH)
        return LoadedModel(build(model_config, tokenizer.vocabulary_size, seed=seed, gain=3.0), tokenizer, description)

    return build_loaded


@pytest.fixture(scope="session")
def loaded(load: Callable[..., LoadedModel]) -> LoadedModel:
    """The shared model in memory."""
    return load("transformer", TransformerConfig(1, 1, model_dim=16, num_heads=2, feed_forward_dim=16))


@pytest.fixture(scope="session")
def held_out(digits: Corpus) -> list[str]:
    """What exports are checked with."""
    return [*digits.split("valid").sources[:8], "L’été, c’est à côté !", "", "👍 one"]


@pytest.fixture(scope="session")
def export_path(loaded: LoadedModel, held_out: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shared model on disk; tests that change it copy it first."""
    return export_savedmodel(loaded, tmp_path_factory.mktemp("export") / "model", held_out, limits=LIMITS)


@pytest.fixture(scope="session")
def greedy_path(loaded: LoadedModel, held_out: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shared model, exported after version 6 with a beam of 1, which translates otherwise."""
    directory = tmp_path_factory.mktemp("greedy")
    (directory / "6").mkdir()
    return export_savedmodel(loaded, directory, held_out[:2], replace(SEARCH, beam_size=1))


@pytest.fixture(scope="session")
def exported(export_path: Path) -> ExportedModel:
    """The shared model, loaded from disk."""
    return load_export(export_path)


@pytest.fixture
def sentences(digits: Corpus) -> list[str]:
    """Sentences, some of them odd."""
    few = [*digits.split("valid").sources, *digits.split("test").sources]
    return ["", *few, "L’été, c’est à côté !", "  ", "👍 one", *few[:3], "a\N{NO-BREAK SPACE}b"]
