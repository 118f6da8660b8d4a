"""Requests to TensorFlow Serving with its own client, by gRPC and by HTTP.

They go to `tensorflow_model_server` where it is installed, and to what stands in for it: the real protocol buffers
and client stub, and a session that runs the graph as that server does, but none of its own code.
"""

import base64
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf
from free_port import free_port
from prediction_service import serve
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2, prediction_service_pb2_grpc

from nmt_keras.config import SearchConfig
from nmt_keras.data.parallel_text import ParallelText
from nmt_keras.decoding.translator import Scorer, Translation, Translator
from nmt_keras.models.directory import LoadedModel
from nmt_keras.serving.savedmodel import ExportedModel

NAME = "nmt-en-fr"
SERVER = "tensorflow_model_server"


@contextmanager
def _real_server(base_path: Path, log: Path) -> Iterator[tuple[str, str]]:
    by_grpc, by_http = free_port(), free_port()
    options = [f"--port={by_grpc}", f"--rest_api_port={by_http}", f"--model_name={NAME}"]
    with log.open("wb") as output:
        command = [SERVER, *options, f"--model_base_path={base_path}"]
        server = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{by_http}"
    try:
        while True:
            assert server.poll() is None, log.read_text()
            try:
                if requests.get(f"{address}/v1/models/{NAME}/metadata", timeout=5).ok:
                    break
            except requests.ConnectionError:
                pass
            time.sleep(0.2)
        yield f"127.0.0.1:{by_grpc}", address
    finally:
        server.terminate()
        server.wait(60)


class Client:
    """What a user's program does."""

    def __init__(self, by_grpc: str, by_http: str) -> None:
        # As everything else that is sent here, to this machine alone.
        self._channel = grpc.insecure_channel(by_grpc, [("grpc.enable_http_proxy", 0)])
        self.stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._address = by_http

    def ask(self, signature: str = "", **inputs: Any) -> dict[str, np.ndarray]:
        """By gRPC; a list is one of strings, a number an int32."""
        request = predict_pb2.PredictRequest()
        request.model_spec.name = NAME
        request.model_spec.signature_name = signature
        for name, value in inputs.items():
            dtype = tf.string if isinstance(value, list) else tf.int32
            request.inputs[name].CopyFrom(tf.make_tensor_proto(value, dtype))
        response = self.stub.Predict(request, timeout=60)
        return {name: tf.make_ndarray(value) for name, value in response.outputs.items()}

    def post(self, body: dict[str, Any], name: str = NAME) -> tuple[int, Any]:
        """By HTTP: the status code and the answer."""
        answer = requests.post(f"{self._address}/v1/models/{name}:predict", json=body, timeout=60)
        return answer.status_code, answer.json()

    def close(self) -> None:
        self._channel.close()


@pytest.fixture(scope="module", params=["stand-in", SERVER])
def client(request: Any, export_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    base_path = export_path.parent
    if request.param == "stand-in":
        serving = serve(NAME, base_path)
    elif shutil.which(SERVER):
        serving = _real_server(base_path, tmp_path_factory.mktemp("serving") / "log")
    else:
        pytest.skip(f"needs {SERVER}, which no package index has")
    with serving as addresses:
        client = Client(*addresses)
        yield client
        client.close()


@pytest.fixture(scope="module")
def texts(held_out: list[str]) -> list[str]:
    return [*held_out, "three four five", "  "]


@pytest.fixture(scope="module")
def expected(loaded: LoadedModel, texts: list[str], search: SearchConfig) -> list[Translation]:
    """What the model in memory gives."""
    return Translator(loaded.model, loaded.tokenizer, search).translate(texts)


def decoded(values: Sequence[bytes]) -> list[str]:
    return [value.decode() for value in values]


def test_the_default_signature(client: Client, texts: list[str], expected: list[Translation]) -> None:
    for signature in ("", "serving_default"):
        found = client.ask(signature, source=texts)
        assert decoded(found["translation"]) == [translation.text for translation in expected]
        np.testing.assert_allclose(found["score"], [translation.score for translation in expected], atol=1e-4)
        assert found["status"].tolist() == [0] * len(texts)
    assert client.ask(source=[])["translation"].shape == (0,)


def test_any_bytes(client: Client) -> None:
    odd = [b"one \xff two", b"\x00", b"seven " * 60, b"one two three four. " * 8, "né".encode()]
    found = client.ask(source=odd)
    assert found["status"].tolist() == [3, 0, 2, 1, 0]
    same = client.ask(source=["one \N{REPLACEMENT CHARACTER} two"])
    assert found["translation"][0] == same["translation"][0]
    body = {"inputs": [{"b64": base64.b64encode(text).decode()} for text in odd]}
    code, answer = client.post(body)
    assert code == 200, answer
    assert answer["outputs"]["translation"] == decoded(found["translation"])
    assert answer["outputs"]["status"] == [3, 0, 2, 1, 0]


def test_the_other_signatures(
    client: Client, loaded: LoadedModel, exported: ExportedModel, texts: list[str], expected: list[Translation]
) -> None:
    listed = client.ask("translate_n_best", source=texts, beam_size=4, n_best=3)
    in_python = exported.signatures["translate_n_best"](
        source=tf.constant(texts), beam_size=tf.constant(4), n_best=tf.constant(3)
    )
    assert listed["translation"].tolist() == in_python["translation"].numpy().tolist()
    np.testing.assert_allclose(listed["score"], in_python["score"], atol=1e-4)

    log_probs, lengths = Scorer(loaded.model, loaded.tokenizer).score(ParallelText(texts, texts[::-1]))
    scored = client.ask("score", source=texts, target=texts[::-1])
    np.testing.assert_allclose(scored["log_prob"], log_probs, rtol=1e-5, atol=1e-4)
    assert scored["length"].tolist() == lengths.tolist()

    aligned = client.ask("attention", source=texts)
    assert decoded(aligned["translation"]) == [translation.text for translation in expected]
    for row, ids in enumerate(loaded.tokenizer.encode_all(texts)):
        assert decoded([token for token in aligned["source_tokens"][row] if token]) == loaded.tokenizer.pieces(ids)
        spoken = np.count_nonzero(aligned["target_tokens"][row])
        np.testing.assert_allclose(aligned["attention"][row].sum(axis=1)[:spoken], 1, atol=1e-5)
        assert (spoken > 0) == bool(texts[row].strip())


def test_json_by_rows_and_by_columns(client: Client, texts: list[str], expected: list[Translation]) -> None:
    translations = [translation.text for translation in expected]
    for instances in (texts, [{"source": text} for text in texts]):
        code, answer = client.post({"signature_name": "serving_default", "instances": instances})
        assert code == 200, answer
        assert [row["translation"] for row in answer["predictions"]] == translations
        assert [row["status"] for row in answer["predictions"]] == [0] * len(texts)
    for inputs in (texts, {"source": texts}):
        code, answer = client.post({"inputs": inputs})
        assert code == 200, answer
        assert answer["outputs"]["translation"] == translations
        assert answer["outputs"]["score"] == pytest.approx([one.score for one in expected], abs=1e-4)
    inputs = {"source": texts, "beam_size": 4, "n_best": 2}
    code, answer = client.post({"signature_name": "translate_n_best", "inputs": inputs})
    assert code == 200, answer
    by_grpc = client.ask("translate_n_best", **inputs)["translation"].tolist()
    assert answer["outputs"]["translation"] == [decoded(row) for row in by_grpc]
    pairs = [{"source": text, "target": "un deux"} for text in texts]
    code, answer = client.post({"signature_name": "score", "instances": pairs})
    assert code == 200, answer
    assert [row["log_prob"] for row in answer["predictions"]] == pytest.approx(
        client.ask("score", source=texts, target=["un deux"] * len(texts))["log_prob"].tolist(), abs=1e-4
    )


def test_bad_requests_get_a_reason_and_are_no_end(client: Client) -> None:
    for signature, inputs, code, reason in (
        ("translate_n_best", {"source": ["one"], "beam_size": 5, "n_best": 1}, "INVALID_ARGUMENT", "at most 4"),
        ("score", {"source": ["one", "two"], "target": ["un"]}, "INVALID_ARGUMENT", "must be as many"),
        ("score", {"source": ["one"]}, "INVALID_ARGUMENT", "does not match signature"),
        ("summarize", {"source": ["one"]}, "FAILED_PRECONDITION", "summarize"),
    ):
        with pytest.raises(grpc.RpcError) as failed:
            client.ask(signature, **inputs)
        assert failed.value.code().name == code
        assert reason in failed.value.details()
    for body, reason in (
        ({"signature_name": "translate_n_best", "inputs": {"source": ["one"], "beam_size": 5, "n_best": 1}}, "at most"),
        ({"signature_name": "summarize", "instances": ["one"]}, "summarize"),
    ):
        code, answer = client.post(body)
        assert code == 400
        assert reason in answer["error"]
    assert client.post({"instances": ["one"]}, name="another")[0] == 404
    assert client.ask(source=["one"])["translation"].tolist() == client.ask(source=["one"])["translation"].tolist()


def test_the_metadata_names_every_tensor(client: Client) -> None:
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = NAME
    response = client.stub.GetModelMetadata(request, timeout=60)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response.metadata["signature_def"].Unpack(signatures)
    described = {
        name: [sorted(side) for side in (signature.inputs, signature.outputs)]
        for name, signature in signatures.signature_def.items()
        if not name.startswith("__")
    }
    assert described == {
        "serving_default": [["source"], ["score", "status", "translation"]],
        "translate_n_best": [["beam_size", "n_best", "source"], ["score", "status", "translation"]],
        "score": [["source", "target"], ["length", "log_prob", "status"]],
        "attention": [["source"], ["attention", "source_tokens", "status", "target_tokens", "translation"]],
    }
