"""What the tests share: quiet TensorFlow, a working directory to throw away, small models and a small vocabulary."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
# Tests compile much and compute little.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")
if "PYTEST_XDIST_WORKER" in os.environ:  # as many processes as processors
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

import numpy as np
import pytest
import requests
from architecture_names import MADE_OF_THE_SAME_PARTS
from browsing import CHROMIUM, SWITCHES
from free_port import free_port

from nmt_keras.config import ArchitectureConfig, RecurrentAttentionConfig, RecurrentConfig, TransformerConfig
from nmt_keras.data.parallel_text import Corpus, ParallelText

_RECURRENT = {"embedding_dim": 8, "hidden_dim": 12, "dropout_rate": 0.0}
_TRANSFORMER = {"model_dim": 16, "num_heads": 4, "feed_forward_dim": 24, "dropout_rate": 0.0, "inner_dropout_rate": 0.0}
ARCHITECTURES: dict[str, ArchitectureConfig] = {
    "rnn": RecurrentConfig("rnn", **_RECURRENT),
    "rnn-2-layers": RecurrentConfig("rnn", 2, **_RECURRENT),
    "lstm": RecurrentConfig("lstm", 2, residual=True, encoder_direction="backward", **_RECURRENT),
    "lstm-bidirectional": RecurrentConfig(
        "lstm", 2, encoder_direction="bidirectional", tied_embeddings=True, **_RECURRENT
    ),
    "gru": RecurrentConfig("gru", **_RECURRENT),
    "gru-reset-before": RecurrentConfig("gru", reset_after=False, encoder_direction="bidirectional", **_RECURRENT),
    "rnn-attention": RecurrentAttentionConfig("rnn", attention="dot", **_RECURRENT),
    "lstm-attention": RecurrentAttentionConfig("lstm", encoder_direction="backward", **_RECURRENT),
    "lstm-attention-feeding": RecurrentAttentionConfig("lstm", 2, input_feeding=True, residual=True, **_RECURRENT),
    "gru-attention": RecurrentAttentionConfig("gru", 2, attention="scaled_dot", tied_embeddings=True, **_RECURRENT),
    "gru-attention-additive": RecurrentAttentionConfig(
        "gru", 2, attention="additive", encoder_direction="bidirectional", **_RECURRENT
    ),
    "transformer": TransformerConfig(2, 2, **_TRANSFORMER),
    "transformer-post-norm": TransformerConfig(1, 2, pre_norm=False, **_TRANSFORMER),
    "transformer-untied": TransformerConfig(
        2, 1, positions="learned", max_positions=30, activation="gelu", tied_embeddings=False, **_TRANSFORMER
    ),
    "transformer-no-positions": TransformerConfig(1, 1, positions="none", **_TRANSFORMER),
}
"""Every architecture that the contract is tested with."""

TESTED = [
    name for name in ARCHITECTURES if os.environ["KERAS_BACKEND"] == "tensorflow" or name not in MADE_OF_THE_SAME_PARTS
]
"""What the backend of this process is tested with."""

DIGITS = {
    "zero": "zéro",
    "one": "un",
    "two": "deux",
    "three": "trois",
    "four": "quatre",
    "five": "cinq",
    "six": "six",
    "seven": "sept",
    "eight": "huit",
    "nine": "huit un",
}


@pytest.fixture(autouse=True)
def working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """No test writes to the directory that pytest was started in, to the user's cache, or to another test's store."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield tmp_path
    if "mlflow" in sys.modules:
        sys.modules["mlflow"].set_tracking_uri(None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The machine's own Chromium, driven by Playwright."""
    if not CHROMIUM.exists():
        pytest.skip(f"needs {CHROMIUM} (Debian package chromium)")
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield started
        started.close()


@pytest.fixture(scope="module", params=TESTED)
def model_config(request: pytest.FixtureRequest) -> ArchitectureConfig:
    """The sizes of each architecture in turn."""
    return ARCHITECTURES[request.param]


@pytest.fixture(scope="session")
def contract_configs() -> dict[str, ArchitectureConfig]:
    """The sizes of all architectures, by name."""
    return ARCHITECTURES


@pytest.fixture(scope="session")
def draw_weights() -> Callable[..., Any]:
    """A function that draws all weights anew, large enough that every part of the model matters."""

    def draw(model: Any, seed: int, gain: float = 1.0) -> Any:
        random = np.random.default_rng(seed)
        for variable in model.trainable_variables:
            values = random.normal(size=variable.shape)
            if variable.path.endswith("embeddings"):
                # A row is looked up, or rows are summed over. The gain would make a tied model repeat its input.
                values /= np.sqrt(variable.shape[1])
            elif len(variable.shape) == 2:
                values *= gain / np.sqrt(variable.shape[0])
            elif variable.path.endswith("gamma"):
                values = 1 + 0.3 * values
            else:
                values *= 0.1
            variable.assign(values.astype("float32"))
        return model

    return draw


@pytest.fixture(scope="session")
def build(draw_weights: Callable[..., Any]) -> Callable[..., Any]:
    """A function that builds a model with drawn weights."""

    def build_drawn(model_config: ArchitectureConfig, vocabulary_size: int, seed: int = 0, gain: float = 1.0) -> Any:
        from nmt_keras.models.factory import build_model

        return draw_weights(build_model(model_config, vocabulary_size), seed, gain)

    return build_drawn


def _digit_text(random: np.random.Generator, pairs: int) -> ParallelText:
    words = np.array(list(DIGITS))
    sources = [random.choice(words, random.integers(1, 9)).tolist() for _ in range(pairs)]
    return ParallelText(
        [" ".join(source) for source in sources],
        [" ".join(DIGITS[word] for word in reversed(source)) for source in sources],
        origin="made up",
    )


@pytest.fixture(scope="session")
def digits() -> Corpus:
    """English digits, and the same in French and backwards: a made-up corpus that is learned in no time."""
    random = np.random.default_rng(5)
    splits = {name: _digit_text(random, pairs) for name, pairs in {"train": 96, "valid": 12, "test": 12}.items()}
    return Corpus("digits", "en", "fr", splits)


@pytest.fixture(scope="session")
def tokenizer(digits: Corpus) -> Any:
    """A small vocabulary of the digits and some sentences."""
    from nmt_keras.text.tokenizer import Tokenizer, train_vocabulary

    text = digits.split("train")
    more = ["A man sleeps on a bench.", "Un homme dort sur un banc.", "L’été, c’est à côté !", "“Quoted”, isn't it?"]
    return Tokenizer(train_vocabulary([*text.sources, *text.targets, *more * 5], 330, 1.0, seed=3))


@pytest.fixture(scope="session")
def digit_files(digits: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits as a user would give them: a directory of train.eng, train.fra, valid.eng and so on."""
    directory = tmp_path_factory.mktemp("digits")
    for split, text in digits.splits.items():
        for language, lines in (("eng", text.sources), ("fra", text.targets)):
            (directory / f"{split}.{language}").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return directory


@pytest.fixture
def tracking_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A tracking server with a store of its own, set as the one to use."""
    directory = tmp_path / "server"
    directory.mkdir()
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    log = tmp_path / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"],
            cwd=directory,
            # Jobs, of which there are none here, would have eight processes of their own.
            env={**environment, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    address = f"http://127.0.0.1:{port}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    try:
        deadline = time.monotonic() + 300
        while True:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the server did not answer:\n{log.read_text()}")
            with suppress(requests.ConnectionError):
                if requests.get(f"{address}/health", timeout=5).ok:
                    break
            time.sleep(0.5)
        yield directory
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)
