import ast
import json
import math
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from free_port import free_port

from nmt_keras.tracking import runs
from nmt_keras.tracking.aliases import promote_champion
from nmt_keras.tracking.registry import register

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # MLflow's own, on import
    from mlflow.exceptions import MlflowException

    from nmt_keras.serving.pyfunc import TranslationPyfunc


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory) -> Path:
    """A SavedModel with the signatures of an exported model.

    A "translation" is the source in lower case, by an operation of tensorflow_text, and its batch's size; in a list,
    the beam size and the rank.
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

        @tf.function(
            input_signature=[
                tf.TensorSpec((None,), tf.string, name="source"),
                tf.TensorSpec((), tf.int32, name="beam_size"),
                tf.TensorSpec((), tf.int32, name="n_best"),
            ]
        )
        def translate_n_best(self, source, beam_size, n_best):
            tf.debugging.Assert(beam_size <= 4, ["beam_size must be at most 4. Received:", beam_size])
            ranks = tf.range(n_best)
            suffixes = tf.strings.as_string(beam_size) + self.mark + tf.strings.as_string(ranks)
            lower = tensorflow_text.case_fold_utf8(source)
            return {
                "translation": tf.strings.join(
                    [tf.repeat(lower[:, None], n_best, 1), tf.repeat(suffixes[None], tf.size(source), 0)], "|"
                ),
                "score": tf.zeros((tf.size(source), 1)) - tf.cast(ranks, tf.float32),
            }

    path = tmp_path_factory.mktemp("export") / "saved_model"
    model = Lower()
    signatures = {"serving_default": model.translate, "translate_n_best": model.translate_n_best}
    tf.saved_model.save(model, str(path), signatures=signatures)
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


def test_parameters_choose_the_beam_and_the_number_of_translations(model) -> None:
    sentences = ["ONE", "Two"]
    assert model.predict(None, sentences, {"beam_size": 0, "n_best": 0}) == ["one|2", "two|2"]
    assert model.predict(None, sentences, {"beam_size": 3}) == ["one|3|0", "two|3|0"]
    assert model.predict(None, sentences, {"beam_size": 4, "n_best": 2}) == [
        [{"translation": f"{text}|4|{rank}", "score": -rank} for rank in (0, 1)] for text in ("one", "two")
    ]
    assert model.predict(None, ["ONE"], {"n_best": 1}) == [[{"translation": "one|0|0", "score": 0}]]
    assert model.predict(None, [], {"beam_size": 3, "n_best": 2}) == []
    with pytest.raises(MlflowException, match=r"beam_size must be at most 4"):
        model.predict(None, sentences, {"beam_size": 5})
    for number in (-1, 2**31, 2**32 + 1):
        with pytest.raises(MlflowException, match=f"at most 2147483647. Received: beam_size={number}, n_best=0"):
            model.predict(None, sentences, {"beam_size": number})


def test_no_sentence_gives_no_translation(model) -> None:
    import pandas as pd

    assert model.predict(None, []) == []
    assert model.predict(None, pd.DataFrame({"source": []})) == []
    assert model.predict(None, pd.DataFrame({"source": []}), {"n_best": 2}) == []


def test_the_signature_accepts_an_empty_batch(model) -> None:
    import tensorflow as tf

    assert model._saved_model.signatures["serving_default"](source=tf.constant([], dtype=tf.string))[
        "translation"
    ].shape == (0,)


def test_an_input_of_another_form_is_refused(model) -> None:
    import pandas as pd

    with pytest.raises(MlflowException, match="one column"):
        model.predict(None, pd.DataFrame({"source": ["a"], "target": ["b"]}))
    with pytest.raises(MlflowException, match="Received: 'a sentence'"):
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


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    """A working directory whose name means something in patterns."""
    path = tmp_path_factory.mktemp("store") / "[v1]"
    path.mkdir()
    return path


@pytest.fixture(scope="module")
def logged(saved_model, store) -> Any:
    """The model as MLflow loads it from the store in that directory."""
    import mlflow

    (store / "lstm").mkdir()
    (store / "lstm" / "config.yaml").write_text("architecture: lstm\n")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MLFLOW_RUN_ID"):
            patch.delenv(name, raising=False)
        patch.chdir(store)
        with runs.start_run("lstm", "serving") as run:
            uri = run.log_translation_model(saved_model, store / "lstm", metrics={"test_bleu": 1.0}).model_uri
        return mlflow.pyfunc.load_model(uri)


def test_a_loaded_model_takes_a_column_of_sentences(logged) -> None:
    import numpy as np
    import pandas as pd

    sentences = ["ONE", "Two"]
    frame = pd.DataFrame({"source": sentences})
    for given in (frame, frame["source"], {"source": sentences}, {"source": np.array(sentences)}):
        assert logged.predict(given) == ["one|2", "two|2"]
    assert logged.predict({"source": ["ONE"]}) == ["one|1"]
    assert logged.predict({"source": []}) == []


@pytest.fixture(scope="module")
def post(logged) -> Callable[..., Any]:
    """A function that sends a request to MLflow's server."""
    from fastapi.testclient import TestClient
    from mlflow.pyfunc.scoring_server import init

    client = TestClient(init(logged))

    def send(body: Any) -> Any:
        return client.post("/invocations", content=json.dumps(body), headers={"Content-Type": "application/json"})

    return send


def _forms(sentences: list[Any]) -> list[dict[str, Any]]:
    """All forms of a request."""
    records = [{"source": sentence} for sentence in sentences]
    return [
        *({key: value} for key in ("inputs", "instances") for value in (sentences, {"source": sentences}, records)),
        {"dataframe_split": {"columns": ["source"], "data": [[sentence] for sentence in sentences]}},
        {"dataframe_records": records},
    ]


@pytest.mark.parametrize(
    ("sentences", "expected"),
    [
        (["GRÜSSE aus Köln", "", "Ein Hund"], ["grüsse aus köln|3", "|3", "ein hund|3"]),
        (["ONE"], ["one|1"]),
        (["null", "None", "NaN", "1"], ["null|4", "none|4", "nan|4", "1|4"]),
    ],
)
def test_every_form_of_request_is_translated(post, sentences: list[str], expected: list[str]) -> None:
    for body in _forms(sentences):
        assert post(body).json() == {"predictions": expected}, body


@pytest.mark.parametrize(
    ("sentences", "row"),
    [
        ([None], 0),
        (["I see.", None], 1),
        ([None, "I see."], 0),
        ([3], 0),
        ([0.5, 1], 0),
        ([True], 0),
        ([["a"], ["b"]], 0),
    ],
)
def test_what_is_no_text_is_refused_with_its_row(post, sentences: list[Any], row: int) -> None:
    for body in _forms(sentences):
        for params in ({}, {"params": {"n_best": 2}}):
            answer = post(body | params)
            assert answer.status_code == 400, body
            assert f" in row {row}, counted from 0" in answer.json()["message"], body


@pytest.mark.parametrize("other", [7, 7.5, True, math.nan, ["a"], "\ud800"], ids=ascii)
def test_what_is_no_text_is_refused_among_sentences(post, other: Any) -> None:
    for body in _forms(["I see.", other]):
        if body == {"instances": [{"source": "I see."}, {"source": other}]} and isinstance(other, float | int):
            continue  # MLflow makes strings of these before the model sees them
        answer = post(body)
        assert answer.status_code == 400, body
        if body == {"inputs": ["I see.", other]}:
            assert " in row 1, counted from 0" in answer.json()["message"]


def test_requests_that_are_none(post) -> None:
    for inputs in (None, 3, "text", {}, [{}], {"target": ["a"]}, {"source": None}, {"source": 3}):
        assert post({"inputs": inputs}).status_code == 400, inputs
    assert post({"inputs": []}).json() == {"predictions": []}
    for params in ({"beam_size": 2**40}, {"beam_size": -1}, {"n_best": "2"}, {"n_best": [1]}):
        assert post({"inputs": ["ONE"], "params": params}).status_code == 400, params
    assert post({"inputs": ["ONE"], "params": {"n_best": None}}).json() == {"predictions": ["one|1"]}


@pytest.mark.heavy
def test_a_registered_model_is_served_by_mlflow(logged, store, tmp_path, monkeypatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MLFLOW_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(store)
    promote_champion("served", register(f"models:/{logged.model_id}", "served"), instead_of=None)

    port = free_port()
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

        assert post({"inputs": ["GRÜSSE aus Köln", "", "Ein Hund"]}).json() == {
            "predictions": ["grüsse aus köln|3", "|3", "ein hund|3"]
        }
        listed = post({"inputs": ["ONE"], "params": {"beam_size": 3, "n_best": 2}}).json()["predictions"]
        assert [row["translation"] for row in listed[0]] == ["one|3|0", "one|3|1"]
        refused = post({"instances": ["I see.", None]})
        assert refused.status_code == 400
        assert "in row 1" in refused.text
        assert post({"inputs": ["ONE"], "params": {"beam_size": 9}}).status_code == 400
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
