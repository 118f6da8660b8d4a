import ast
import os
import signal
import socket
import subprocess
import sys
import time
import warnings
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests

from nmt_keras.tracking import runs
from nmt_keras.tracking.promotion import promote_champion
from nmt_keras.tracking.registry import register

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # MLflow's own, on import
    from nmt_keras.serving.pyfunc import BATCH_SIZE, TranslationPyfunc


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory) -> Path:
    """A SavedModel with the signature of an exported model.

    A "translation" is the source in lower case, by an operation of tensorflow_text, and its batch's size.
    """
    import tensorflow as tf
    import tensorflow_text

    class Lower(tf.Module):
        def __init__(self) -> None:
            self.mark = tf.Variable("|")

        @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, name="source")])
        def translate(self, source):
            size = tf.strings.as_string(tf.size(source))
            lower = tensorflow_text.case_fold_utf8(source)
            return {
                "translation": tf.strings.join([lower, self.mark, size]),
                "score": tf.zeros(tf.shape(source)),
            }

    path = tmp_path_factory.mktemp("export") / "saved_model"
    model = Lower()
    tf.saved_model.save(model, str(path), signatures={"serving_default": model.translate})
    return path


@pytest.fixture(scope="module")
def model(saved_model) -> TranslationPyfunc:
    loaded = TranslationPyfunc()
    loaded.load_context(SimpleNamespace(artifacts={"saved_model": str(saved_model)}))
    return loaded


def test_a_list_and_a_data_frame_are_translated_in_their_order(model) -> None:
    import pandas as pd

    sentences = ["Ein LANGER Satz steht HIER.", "", "Ça VA ?", "STRASSE und Straße"]
    expected = ["ein langer satz steht hier.|4", "|4", "ça va ?|4", "strasse und strasse|4"]
    assert model.predict(None, sentences) == expected
    assert model.predict(None, pd.DataFrame({"any name": sentences}, index=[7, 5, 5, 0])) == expected


def test_many_sentences_are_translated_in_batches_of_like_length(model) -> None:
    sentences = [f"{'A' * (index * 37 % 101)}{index}" for index in range(2 * BATCH_SIZE + 3)]
    translations = [translation.split("|") for translation in model.predict(None, sentences)]
    assert [text for text, _ in translations] == [sentence.lower() for sentence in sentences]
    by_length = [size for _, size in sorted(translations, key=lambda pair: len(pair[0]))]
    assert sorted(size for _, size in translations) == sorted([str(BATCH_SIZE)] * 2 * BATCH_SIZE + ["3"] * 3)
    assert by_length[-3:] == ["3"] * 3


def test_no_sentence_gives_no_translation(model) -> None:
    import pandas as pd

    assert model.predict(None, []) == []
    assert model.predict(None, pd.DataFrame({"source": []})) == []


def test_the_signature_accepts_an_empty_batch(model) -> None:
    import tensorflow as tf

    assert model._translate(source=tf.constant([], dtype=tf.string))["translation"].shape == (0,)


def test_an_input_of_another_form_is_refused(model) -> None:
    import pandas as pd

    with pytest.raises(ValueError, match="one column"):
        model.predict(None, pd.DataFrame({"source": ["a"], "target": ["b"]}))
    with pytest.raises(TypeError, match="Received: 'a sentence'"):
        model.predict(None, "a sentence")


def test_the_file_imports_nothing_but_the_model_s_requirements() -> None:
    tree = ast.parse(runs.PYFUNC_FILE.read_text())
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }
    allowed = {package.replace("-", "_") for package in runs.PYFUNC_PACKAGES}
    assert {"mlflow", "tensorflow", "tensorflow_text"} <= imported
    assert imported - sys.stdlib_module_names <= allowed


@pytest.mark.heavy
def test_a_registered_model_is_served_by_mlflow(saved_model, tmp_path, monkeypatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MLFLOW_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    store = tmp_path / "store"
    store.mkdir()
    monkeypatch.chdir(store)
    (tmp_path / "lstm").mkdir()
    (tmp_path / "lstm" / "config.yaml").write_text("architecture: lstm\n")
    with runs.start_run("lstm", "serving") as run:
        logged = run.log_translation_model(
            saved_model, tmp_path / "lstm", metrics={"test_bleu": 1.0}, input_example=["A Sentence"]
        )
    promote_champion("served", register(logged.model_uri, "served"), instead_of=None)

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path / "server.log"
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", "models:/served@champion"]
    options = ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    with log.open("wb") as output:
        server = subprocess.Popen(
            [*command, *options],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PATH": path},
            start_new_session=True,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        await_server(server, f"{address}/ping", log)

        def post(body):
            return requests.post(f"{address}/invocations", json=body, timeout=60)

        sentences = ["GRÜSSE aus Köln", "", "Ein Hund"]
        expected = ["grüsse aus köln|3", "|3", "ein hund|3"]
        for body in (
            {"inputs": sentences},
            {"inputs": {"source": sentences}},
            {"instances": sentences},
            {"dataframe_split": {"columns": ["source"], "data": [[sentence] for sentence in sentences]}},
            {"dataframe_records": [{"source": sentence} for sentence in sentences]},
        ):
            assert post(body).json() == {"predictions": expected}, body
        assert post({"inputs": []}).json() == {"predictions": []}
        assert post({"inputs": {"target": ["a"]}}).status_code == 400
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=60)


def await_server(server: subprocess.Popen, address: str, log: Path, seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if requests.get(address, timeout=5).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.5)
    pytest.fail(f"the server did not answer:\n{log.read_text()}")
