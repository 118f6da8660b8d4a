"""The public names, by the examples in their docstrings."""

import doctest
import inspect
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nmt_keras
from nmt_keras.data.parallel_text import Corpus

SLOW = {"compare", "export"}  # whose examples take a minute


@pytest.fixture(scope="module")
def names(digits: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What the examples find: a small corpus, a model that was trained on it in "out", an empty directory."""
    directory = tmp_path_factory.mktemp("work")
    before = Path.cwd()
    os.chdir(directory)
    Path("empty").mkdir()
    model = nmt_keras.train(digits, "transformer", preset="debug", output="out", track=False)
    text = nmt_keras.ParallelText(["I see."], ["Je vois."])
    try:
        yield {"nmt_keras": nmt_keras, "corpus": digits, "model": model, "text": text, "directory": directory}
    finally:
        os.chdir(before)


def run_examples(name: str, value: Any, names: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> int:
    """The number of lines in the examples of a function or a class and its methods; each gave what it shows."""
    monkeypatch.chdir(names["directory"])
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for test in doctest.DocTestFinder(recurse=True).find(value, name, globs=dict(names)):
        runner.run(test)
    assert runner.failures == 0
    return runner.tries


PUBLIC = [name for name in nmt_keras.__all__ if callable(getattr(nmt_keras, name))]


@pytest.mark.parametrize("name", sorted(set(PUBLIC) - SLOW))
def test_examples(name: str, names: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_examples(name, getattr(nmt_keras, name), names, monkeypatch) > 0


@pytest.mark.heavy
@pytest.mark.parametrize("name", sorted(SLOW))
def test_slow_examples(name: str, names: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_examples(name, getattr(nmt_keras, name), names, monkeypatch) > 0
    assert not Path("mlflow.db").exists()  # nothing here is tracked


@pytest.mark.parametrize("method", ["translate", "n_best", "score", "attention", "save"])
def test_a_model_s_methods_have_examples(method: str) -> None:
    assert ">>> " in (inspect.getdoc(getattr(nmt_keras.Model, method)) or "")


@pytest.mark.heavy
def test_the_first_lines_of_the_documentation(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the quickest preset; between training and loading the model is registered, as `nmt-keras register` does."""
    from nmt_keras.cli.main import main

    lines = [line.strip() for line in (nmt_keras.__doc__ or "").split("\n") if line.startswith("    ")]
    assert len(lines) == 5
    found: dict[str, Any] = {}
    for line in lines[:-2]:
        exec(line.replace('"quick"', '"debug"'), found)
    assert main(["register", "--model", "out"]) == 0
    alone, several = (eval(line.partition("#")[0], found) for line in lines[-2:])
    assert isinstance(alone, str)
    assert alone == found["model"].translate(["I am eating."])[0]
    assert len(several) == 1
    assert several[0] == found["model"].translate("I am eating.", beam_size=5)


def test_a_mistake_in_a_search_is_told(names: dict[str, Any]) -> None:
    model = names["model"]
    with pytest.raises(nmt_keras.ConfigError, match=r"A search has the settings beam_size, .* Received: beams"):
        model.translate("one", beams=3)
    with pytest.raises(nmt_keras.ConfigError, match=r"n must be from 1 to the beam size, 2. Received: 3"):
        model.n_best("one", 3, beam_size=2)
    with pytest.raises(nmt_keras.ConfigError, match=r"A model is saved to a new directory. Received: .*, which holds"):
        model.save(names["directory"])
    with pytest.raises(nmt_keras.ConfigError, match="--preset must be one of debug, quick"):
        nmt_keras.train(names["corpus"], preset="huge")
    with pytest.raises(nmt_keras.ConfigError, match=r"sizes of each architecture. Received: none of \['lstm'\]"):
        nmt_keras.train(names["corpus"], "lstm", preset=nmt_keras.load_preset("debug", ["rnn"]))


def test_the_package_is_imported_without_what_is_heavy() -> None:
    program = "import sys, nmt_keras; nmt_keras.load_preset('debug'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    imported = set(done.stdout.split())
    assert "nmt_keras.config" in imported
    assert {"tensorflow", "keras", "mlflow", "numpy"}.isdisjoint(imported)
    assert "train" in dir(nmt_keras)
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        nmt_keras.trian  # noqa: B018
