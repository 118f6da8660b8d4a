"""An exported model, used by a program that knows nothing of this project."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nmt_keras.config import SearchConfig, TransformerConfig
from nmt_keras.data.parallel_text import Corpus
from nmt_keras.decoding.translator import Translator
from nmt_keras.errors import ConfigError
from nmt_keras.models.directory import LoadedModel, ModelDescription
from nmt_keras.serving import standalone
from nmt_keras.serving.savedmodel import export_savedmodel

SEARCH = SearchConfig(beam_size=3, length_penalty=0.8, max_length_ratio=1.0, extra_length=3)

PROGRAM = """
import json, sys
import tensorflow as tf
import tensorflow_text

signature = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
outputs = signature(source=tf.constant(json.loads(sys.stdin.read())))
assert "nmt_keras" not in sys.modules
print(json.dumps({
    "inputs": [spec.name for spec in signature.structured_input_signature[1].values()],
    "translation": [text.decode() for text in outputs["translation"].numpy()],
    "score": outputs["score"].numpy().tolist(),
    "outputs": sorted(signature.structured_outputs),
}))
"""


@pytest.fixture(scope="module")
def loaded(build: Any, tokenizer: Any) -> LoadedModel:
    sizes = TransformerConfig(1, 1, model_dim=16, num_heads=2, feed_forward_dim=16)
    description = ModelDescription("transformer", sizes, "en", "fr", tokenizer.sha256, SEARCH)
    return LoadedModel(build(sizes, tokenizer.vocabulary_size, seed=31, gain=3.0), tokenizer, description)


@pytest.fixture(scope="module")
def exported(loaded: LoadedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_savedmodel(loaded, tmp_path_factory.mktemp("export") / "model")


@pytest.fixture
def sentences(digits: Corpus) -> list[str]:
    few = [*digits.split("valid").sources, *digits.split("test").sources]
    return ["", *few, "L’été, c’est à côté !", "  ", "👍 one", *few[:3], "a\N{NO-BREAK SPACE}b"]


def test_it_translates_as_the_translator_does(loaded: LoadedModel, exported: Path, sentences: list[str]) -> None:
    expected = Translator(loaded.model, loaded.tokenizer, SEARCH).translate(sentences)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(exported)],
        input=json.dumps(sentences),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answer = json.loads(done.stdout)
    assert answer["translation"] == [translation.text for translation in expected]
    assert answer["score"] == pytest.approx([translation.score for translation in expected], abs=1e-4)
    assert answer["inputs"] == ["source"]
    assert answer["outputs"] == ["score", "translation"]
    assert len(set(answer["translation"])) > len(sentences) // 2
    assert answer["translation"][0] == ""


def test_the_standalone_program(loaded: LoadedModel, exported: Path, sentences: list[str]) -> None:
    """Run by its path, it imports nothing of the package around it."""
    check = (
        "import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__'); "
        "assert 'nmt_keras' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", check, standalone.__file__, str(exported)],
        input=("\n".join(sentences) + "\n").encode(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    expected = Translator(loaded.model, loaded.tokenizer, SEARCH).translate(sentences)
    lines = done.stdout.decode().removesuffix("\n").split("\n")
    assert lines == [translation.text for translation in expected]


def test_the_layout_is_tensorflow_serving_s(exported: Path) -> None:
    assert exported.name == "1"
    assert (exported / "saved_model.pb").is_file()
    assert [path.name for path in exported.parent.iterdir()] == ["1"]  # nothing partial beside it


def test_an_existing_version_is_left_alone(loaded: LoadedModel, exported: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in exported.rglob("*")}
    with pytest.raises(ConfigError, match=r"must not hold version 1 yet\. Received: .*1, which exists"):
        export_savedmodel(loaded, exported.parent)
    assert {path: path.stat().st_mtime_ns for path in exported.rglob("*")} == before


def test_a_new_version_may_search_otherwise(
    loaded: LoadedModel, exported: Path, sentences: list[str], tmp_path: Path
) -> None:
    import tensorflow as tf

    greedy = replace(SEARCH, beam_size=1)
    path = export_savedmodel(loaded, tmp_path / "model", greedy, version=7)
    assert path == tmp_path / "model" / "7"
    signature = tf.saved_model.load(str(path)).signatures["serving_default"]
    answer = [text.decode() for text in signature(source=tf.constant(sentences))["translation"].numpy()]
    translations = [
        Translator(loaded.model, loaded.tokenizer, search).translate(sentences) for search in (greedy, SEARCH)
    ]
    assert answer == [translation.text for translation in translations[0]]
    assert answer != [translation.text for translation in translations[1]]


def test_no_sentence_at_all(exported: Path) -> None:
    import tensorflow as tf

    signature = tf.saved_model.load(str(exported)).signatures["serving_default"]
    outputs = signature(source=tf.constant([], tf.string))
    assert outputs["translation"].shape == (0,)
    assert outputs["score"].shape == (0,)
