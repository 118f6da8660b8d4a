"""The server's answers to good and bad requests, with a model in place of one that computes."""

import gc
import json
import math
import random
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from nmt_keras.errors import ConfigError, ModelError
from nmt_keras.serving import served_model, server
from nmt_keras.serving.savedmodel import ExportedModel, load_export, newest_version
from nmt_keras.serving.served_model import Attend, ServedModel, Translate
from nmt_keras.serving.server import RequestLimits, create_app
from nmt_keras.serving.source_text import BOUNDARY

LIMITS = RequestLimits(
    max_bytes=100_000, max_sentences=8, max_characters=5000, max_batch=4, max_waiting=10, max_seconds=30.0
)


class Upper:
    """Stands for a served model: upper case, the beam size and the rank."""

    def __init__(self, reference: str, signatures: tuple[str, ...] = ("serving_default", "attention")) -> None:
        self.reference = reference
        card = {"signatures": list(signatures), "limits": {"max_beam_size": 4}}
        self.exported = SimpleNamespace(signatures=dict.fromkeys(signatures), card=card, path=Path(reference) / "1")
        self.batches: list[list[str]] = []
        self.asked: list[Any] = []
        self.entered = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.go_on.set()
        self.refreshed = threading.Event()

    def refresh(self) -> bool | None:
        self.refreshed.set()
        return True

    def answer(self, exported: Any, asked: Any, sentences: list[str]) -> list[dict[str, Any]]:
        self.batches.append(sentences)
        self.asked.append(exported)
        self.entered.release()
        assert self.go_on.wait(60)
        if "fails" in sentences:
            raise RuntimeError("a secret of the server")
        if isinstance(asked, Attend):
            return [{"translation": text.upper(), "attention": [[1.0]]} for text in sentences]
        return [
            {"translation": f"{text.upper()}|{asked.beam_size}", "n_best": list(range(asked.n_best))}
            for text in sentences
        ]


@pytest.fixture
def model() -> Upper:
    return Upper("one")


@pytest.fixture
def client(model: Upper) -> Iterator[TestClient]:
    models: Any = [model, Upper("two", ("serving_default",))]
    with TestClient(create_app(models, LIMITS), raise_server_exceptions=False) as client:
        yield client
        model.go_on.set()


def test_translations_come_in_the_order_of_the_sentences(client: TestClient) -> None:
    sentences = ["c", "a", "", "é \N{GRINNING FACE}", "b", "\x00\x1b\u202e", "a"]
    answer = client.post("/translate", json={"sentences": sentences})
    assert answer.status_code == 200
    body = answer.json()
    assert body["model"] == "one"
    assert [row["translation"] for row in body["translations"]] == [f"{text.upper()}|0" for text in sentences]
    answer = client.post("/translate", json={"sentences": ["a"], "model": "two", "beam_size": 4, "n_best": 3}).json()
    assert answer == {"model": "two", "translations": [{"translation": "A|4", "n_best": [0, 1, 2]}]}
    assert client.post("/translate", json={"sentences": []}).json() == {"model": "one", "translations": []}
    assert client.post("/attention", json={"sentence": "a"}).json()["attention"] == [[1.0]]


@pytest.mark.parametrize(
    ("path", "body", "code", "reason"),
    [
        ("/translate", b"", 422, "body"),
        ("/translate", b"{", 422, "JSON decode error"),
        ("/translate", b"\xff\xfe\x00", 400, "parsing the body"),
        ("/translate", b"[" * 50_000, 400, "parsing the body"),
        ("/translate", b"null", 422, "body"),
        ("/translate", {"sentences": ["a\n" * 600, "。b" * 600]}, 422, "at most 1000 ends of sentences and lines"),
        ("/translate", b'"text"', 422, "body"),
        ("/translate", b"{}", 422, "sentences: Field required"),
        ("/translate", {"sentences": "one"}, 422, "sentences: Input should be a valid list"),
        ("/translate", {"sentences": [1]}, 422, "sentences.0: Input should be a valid string"),
        ("/translate", {"sentences": [None]}, 422, "sentences.0"),
        ("/translate", {"sentences": [["one"]]}, 422, "sentences.0"),
        ("/translate", {"sentences": {"0": "one"}}, 422, "sentences"),
        ("/translate", {"sentences": ["one"], "beam_size": "3"}, 422, "beam_size: Input should be a valid integer"),
        ("/translate", {"sentences": ["one"], "beam_size": -1}, 422, "greater than or equal to 0"),
        ("/translate", {"sentences": ["one"], "beam_size": True}, 422, "beam_size"),
        ("/translate", {"sentences": ["one"], "beam_size": 5}, 422, "beam_size must be at most 4"),
        ("/translate", {"sentences": ["one"], "beam_size": 10**400}, 422, "beam_size"),
        ("/translate", {"sentences": ["one"], "beam_size": 2, "n_best": 3}, 422, "n_best at most beam_size"),
        ("/translate", {"sentences": ["one"], "n_best": 5}, 422, "beam_size must be at most 4"),
        ("/translate", b'{"sentences": ["one"], "n_best": NaN}', 422, "n_best"),
        ("/translate", {"sentences": ["one"], "temperature": 1}, 422, "temperature: Extra inputs are not permitted"),
        ("/translate", {"sentences": ["one"], "model": "three"}, 422, "model must be one of one, two"),
        ("/translate", {"sentences": ["one"] * 9}, 422, "at most 8 sentences. Received: 9"),
        ("/translate", {"sentences": ["x" * 5001]}, 422, "at most 5000 characters. Received: 5001"),
        ("/translate", {"sentences": ["x" * 1000] * 6}, 422, "at most 5000 characters. Received: 6000"),
        ("/translate", {"sentences": ["x" * 1_000_000]}, 413, "at most 100000 bytes"),
        ("/translate", {"sentences": [""] * 100_000}, 413, "at most 100000 bytes"),
        ("/translate", b'{"sentences": ["\\ud800 one"]}', 422, "sentences.0"),
        ("/translate", b'{"sentences": [], "model": "\\udc80"}', 422, "model must be one of"),
        ("/translate", b'{"sentences": [], "\\ud800": 1}', 422, "body"),
        ("/translate", {"sentences": [], "x" * 50_000: 1}, 422, "x"),
        ("/attention", {"sentence": ["one"]}, 422, "sentence: Input should be a valid string"),
        ("/attention", {"sentence": "one", "model": "two"}, 422, "two has no attention to show"),
        ("/attention", b'{"sentence": "\\udfff"}', 422, "sentence"),
        ("/attention", {"sentence": "x" * 5001}, 422, "at most 5000 characters"),
    ],
)  # fmt: skip
def test_bad_requests_get_a_reason(client: TestClient, path: str, body: Any, code: int, reason: str) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = client.post(path, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == code, answer.text
    assert reason in answer.text
    assert len(answer.content) < 2000
    assert client.post("/translate", json={"sentences": ["still"]}).status_code == 200


def test_other_paths_and_methods(client: TestClient) -> None:
    assert client.get("/translate").status_code == 405
    assert client.get("/../etc/passwd").status_code == 404
    assert client.post("/", json={}).status_code == 405
    assert client.post("/translate", content=b"sentences=one").status_code == 422


def test_a_failure_tells_no_secret_and_is_no_end(client: TestClient) -> None:
    answer = client.post("/translate", json={"sentences": ["fails"]})
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert client.post("/translate", json={"sentences": ["one"]}).status_code == 200


def _in_thread(call: Callable[[], Any]) -> Callable[[], Any]:
    """Starts a call; what is returned waits for its result."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(call()))
    thread.start()

    def join() -> Any:
        thread.join(60)
        return results[0]

    return join


def test_a_full_queue_answers_503_and_concurrent_requests_share_batches(client: TestClient, model: Upper) -> None:
    model.go_on.clear()

    def post(*sentences: str) -> Any:
        return client.post("/translate", json={"sentences": list(sentences)})

    first = _in_thread(lambda: post("a"))
    assert model.entered.acquire(timeout=60)
    others = [_in_thread(lambda text=text: post(text, text)) for text in "bcdef"]  # 10 sentences
    metrics = ""
    while 'nmt_waiting_sentences{model="one"} 10.0' not in metrics:
        metrics = client.get("/metrics").text
    refused = post("g")
    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "1"
    assert client.get("/healthz").json() == {"status": "ok"}
    model.go_on.set()
    assert first().json()["translations"][0]["translation"] == "A|0"
    for text, join in zip("bcdef", others, strict=True):
        assert [row["translation"] for row in join().json()["translations"]] == [f"{text.upper()}|0"] * 2
    assert [len(batch) for batch in model.batches] == [1, 4, 4, 2]
    assert post("g").status_code == 200


def test_an_answer_that_takes_too_long_is_504() -> None:
    model: Any = Upper("one")
    model.go_on.clear()
    with TestClient(create_app([model], RequestLimits(max_seconds=0.05))) as client:
        answer = client.post("/translate", json={"sentences": ["a", "b"]})
        assert answer.status_code == 504
        assert "0.05 seconds" in answer.text
        model.go_on.set()


def test_who_accepts_a_request_answers_it(client: TestClient, model: Upper) -> None:
    model.go_on.clear()
    first = _in_thread(lambda: client.post("/translate", json={"sentences": ["a"]}))
    assert model.entered.acquire(timeout=60)
    before = model.exported
    second = _in_thread(lambda: client.post("/attention", json={"sentence": "b"}))
    while 'nmt_waiting_sentences{model="one"} 1.0' not in client.get("/metrics").text:
        pass
    model.exported = SimpleNamespace(signatures={"serving_default": None}, card=before.card, path=before.path)
    model.go_on.set()
    assert [join().status_code for join in (first, second)] == [200, 200]
    assert model.asked == [before, before]


def test_what_nobody_waits_for_is_not_computed(
    client: TestClient, model: Upper, caplog: pytest.LogCaptureFixture
) -> None:
    model.go_on.clear()
    first = _in_thread(lambda: client.post("/translate", json={"sentences": ["a"]}))
    assert model.entered.acquire(timeout=60)
    received = iter(
        [{"type": "http.request", "body": json.dumps({"sentences": ["b"]}).encode()}, {"type": "http.disconnect"}]
    )
    sent: list[Any] = []

    async def receive() -> Any:
        return next(received)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/translate", "raw_path": b"/translate", "root_path": "",
        "query_string": b"", "headers": [(b"content-type", b"application/json")], "http_version": "1.1",
        "scheme": "http", "server": ("server", 80), "client": ("client", 1), "asgi": {"version": "3.0"},
    }  # fmt: skip
    assert client.portal is not None
    client.portal.call(client.app, scope, receive, send)
    model.go_on.set()
    assert first().status_code == 200
    assert client.post("/translate", json={"sentences": ["c"]}).status_code == 200
    assert model.batches == [["a"], ["c"]]
    assert 'nmt_requests_total{code="499",path="/translate"} 1.0' in client.get("/metrics").text
    gc.collect()
    assert "never retrieved" not in caplog.text


def test_ends_of_sentences_are_counted_as_they_are_split() -> None:
    chosen = random.Random(1)
    for _ in range(2000):
        text = "".join(chosen.choices(".!?…।。။ \n)”x", k=12))
        assert len(server._BOUNDARY.findall(text)) == len(re.findall(BOUNDARY, text)), repr(text)


def test_metrics_count(client: TestClient) -> None:
    client.post("/translate", json={"sentences": ["a", "b"]})
    client.post("/translate", json={"sentences": [1]})
    client.get("/nowhere")
    metrics = client.get("/metrics").text
    for line in (
        'nmt_requests_total{code="200",path="/translate"} 1.0',
        'nmt_requests_total{code="422",path="/translate"} 1.0',
        'nmt_requests_total{code="404",path="other"} 1.0',
        'nmt_sentences_total{model="one"} 2.0',
        'nmt_batch_sentences_count{model="one"} 1.0',
    ):
        assert line in metrics


def test_models_are_looked_at_again() -> None:
    model: Any = Upper("one")
    with TestClient(create_app([model], RequestLimits(reload_seconds=0.01))) as client:
        assert model.refreshed.wait(60)
        while 'nmt_reloads_total{model="one",result="loaded"}' not in client.get("/metrics").text:
            pass


def test_the_page_asks_nothing_of_other_sites(client: TestClient) -> None:
    page = client.get("/")
    assert page.headers["Content-Type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "innerHTML" not in page.text
    assert "//" not in page.text.replace("<!doctype html>", "")
    assert [(row["model"], row["path"]) for row in client.get("/models").json()] == [("one", "one/1"), ("two", "two/1")]


def test_a_served_model_answers_like_its_signatures(exported: ExportedModel, sentences: list[str]) -> None:
    import tensorflow as tf

    model = ServedModel("mine", lambda: exported.path)
    source = tf.constant(sentences)
    default = exported.signatures["serving_default"](source=source)["translation"].numpy()
    answers = model.answer(model.exported, Translate(), sentences)
    assert [answer["translation"].encode() for answer in answers] == default.tolist()
    assert {answer["status"] for answer in answers} == {"fine"}
    listed = exported.signatures["translate_n_best"](source=source, beam_size=tf.constant(4), n_best=tf.constant(3))
    answers = model.answer(model.exported, Translate(4, 3), sentences)
    assert [[row["translation"].encode() for row in answer["n_best"]] for answer in answers] == listed[
        "translation"
    ].numpy().tolist()
    for answer in json.loads(json.dumps(model.answer(model.exported, Attend(), sentences))):
        assert len(answer["attention"]) == len(answer["target_tokens"])
        for weights in answer["attention"]:
            assert len(weights) == len(answer["source_tokens"])
            assert sum(weights) == pytest.approx(1, abs=0.01)


def test_a_model_that_does_not_load_leaves_the_present_one(
    export_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    paths = {"broken": tmp_path / "broken", "moved": tmp_path / "moved", "gone": tmp_path / "gone"}
    shutil.copytree(export_path, paths["moved"])
    shutil.copytree(export_path, paths["broken"])
    (paths["broken"] / "saved_model.pb").write_bytes(b"\x80\x04.")
    place = [export_path]
    model = ServedModel("mine", lambda: place[0])
    assert model.refresh() is None
    first = model.exported
    for name in ("broken", "gone"):
        place[0] = paths[name]
        assert model.refresh() is False
        assert model.exported is first
        assert f"mine goes on with {export_path}" in capsys.readouterr().err
    assert model.refresh() is False  # not tried again at once
    assert not capsys.readouterr().err
    monkeypatch.setattr(served_model, "time", SimpleNamespace(monotonic=lambda: math.inf))
    assert model.refresh() is False
    assert f"mine goes on with {export_path}" in capsys.readouterr().err
    place[0] = paths["moved"]
    assert model.refresh() is True
    assert model.exported.path == paths["moved"]
    assert model.answer(model.exported, Translate(), ["one two"])[0]["translation"]
    with pytest.raises(ModelError):
        ServedModel("mine", lambda: paths["broken"])


def test_a_model_that_is_replaced_in_its_place_is_loaded(
    export_path: Path, greedy_path: Path, sentences: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import shutil

    place = shutil.copytree(export_path, tmp_path / "models" / "1").parent
    model = ServedModel("mine", lambda: newest_version(place))

    def translations() -> list[str]:
        return [answer["translation"] for answer in model.answer(model.exported, Translate(), sentences)]

    before = translations()
    shutil.rmtree(place)
    assert [model.refresh() for _ in range(5)] == [False] * 5
    assert capsys.readouterr().err.count("mine goes on with") == 1  # not once more at each look
    shutil.copytree(export_path, place / "1")
    assert model.refresh() is None
    assert translations() == before
    shutil.rmtree(place)
    assert model.refresh() is False
    shutil.copytree(greedy_path, place / "1")
    assert model.refresh() is True
    assert [answer["translation"].encode() for answer in model.answer(model.exported, Translate(), sentences)] == (
        load_export(greedy_path).signatures["serving_default"](source=sentences)["translation"].numpy().tolist()
    )
    assert translations() != before
    assert model.refresh() is None


@pytest.mark.parametrize("name", ["reload_seconds", "max_seconds", "max_batch", "max_waiting"])
@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, 1e12])
def test_limits_are_numbers_that_can_be_waited_for(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"{name} must be above 0 and at most 1,000,000,000\. Received: {value}"):
        RequestLimits(**{name: value})
    assert RequestLimits().reload_seconds < server._LARGEST <= threading.TIMEOUT_MAX
