"""A real server under load: many clients, whatever they send, and what ends it."""

import json
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.client import IncompleteRead
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from server_load import JSON, Reply, Request, Server, for_seconds, send_all, serving, summary, translate

from nmt_keras.config import SearchConfig, TrainingConfig, TransformerConfig, VocabularyConfig
from nmt_keras.data.parallel_text import Corpus, ParallelText
from nmt_keras.data.phrasebook import phrasebook_corpus
from nmt_keras.decoding.translator import Scorer, Translator
from nmt_keras.models.directory import LoadedModel, load_model
from nmt_keras.serving.savedmodel import export_savedmodel
from nmt_keras.serving.signatures import ServingLimits
from nmt_keras.training.settings import TrainingSettings
from nmt_keras.training.trainer import train

pytestmark = pytest.mark.heavy
CLIENTS = 32
SECONDS = 60
BAD_REQUESTS = 10_000
LIMITS = ServingLimits(max_source_tokens=48, max_beam_size=4)


@pytest.fixture(scope="module")
def phrasebook() -> Corpus:
    """The embedded corpus, with few validation sentences."""
    corpus = phrasebook_corpus()
    valid = corpus.split("valid")
    few = ParallelText(valid.sources[:50], valid.targets[:50])
    return replace(corpus, splits={**corpus.splits, "valid": few})


@pytest.fixture(scope="module")
def loaded(phrasebook: Corpus, tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    """A small model of the embedded corpus."""
    settings = TrainingSettings(
        "transformer",
        TransformerConfig(1, 1, 32, 2, 64, dropout_rate=0, inner_dropout_rate=0),
        VocabularyConfig(600),
        TrainingConfig(
            max_tokens=200_000, batch_tokens=1536, learning_rate=0.01, warmup_steps=50, ema_decay=0.95,
            jit_compile=False,
        ),
        SearchConfig(beam_size=2, max_length_ratio=1.2, extra_length=5),
    )  # fmt: skip
    path = tmp_path_factory.mktemp("trained") / "model"
    train(phrasebook, settings, path, lambda figures, step: None)
    return load_model(path)


@pytest.fixture(scope="module")
def export_path(loaded: LoadedModel, phrasebook: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That model on disk."""
    held_out = phrasebook.split("valid").sources[:8]
    return export_savedmodel(loaded, tmp_path_factory.mktemp("export"), held_out, limits=LIMITS)


@pytest.fixture(scope="module")
def offline(loaded: LoadedModel, phrasebook: Corpus) -> dict[str, str]:
    """Test sentences, and their translations by the model in memory; no two have the same."""
    sources = phrasebook.split("test").sources[:500]
    lengths = map(len, loaded.tokenizer.encode_all(sources))
    sentences = [s for s, length in zip(sources, lengths, strict=True) if length <= LIMITS.max_source_tokens]
    translator = Translator(loaded.model, loaded.tokenizer, loaded.description.search)
    translations = [translation.text for translation in translator.translate(sentences)]
    different = dict(zip(translations, sentences, strict=True))
    assert len(different) > 100
    return {sentence: translation for translation, sentence in different.items()}


@pytest.fixture(scope="module")
def texts(offline: dict[str, str]) -> list[str]:
    """The sentences."""
    return list(offline)


@pytest.fixture(scope="module")
def check(loaded: LoadedModel, offline: dict[str, str]) -> Callable[[Sequence[Reply]], None]:
    """A function that compares answers with the offline translations.

    Where rounding decides a tie, both translations must have the same log-probability to 1e-4.
    """

    def check_answers(replies: Sequence[Reply]) -> None:
        others = set()
        for reply in replies:
            sentences = json.loads(reply.request.body)["sentences"]
            for sentence, translation in zip(sentences, reply.translations(), strict=True):
                if translation != offline[sentence]:
                    others.add((sentence, translation))
        if others:
            sources, targets = zip(*others, strict=True)
            forced = [
                Scorer(loaded.model, loaded.tokenizer).score(ParallelText(list(sources), list(side), origin="test"))[0]
                for side in (targets, [offline[source] for source in sources])
            ]
            np.testing.assert_allclose(forced[0], forced[1], rtol=0, atol=1e-4)

    return check_answers


@pytest.fixture(scope="module")
def server(export_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("load") / "server.log"
    with serving(log, "--model", str(export_path)) as server:
        yield server


def test_clients_get_right_answers_and_memory_stays(
    server: Server, texts: list[str], check: Callable[[Sequence[Reply]], None]
) -> None:
    process = psutil.Process(server.process.pid)
    sizes: list[float] = []
    replies: list[Reply] = []
    began = time.monotonic()
    # A slow machine needs some rounds until it has seen every shape; what leaks grows in each.
    while len(sizes) < 2 or (sizes[-1] > sizes[-2] + 8 and len(sizes) < 10):
        round_of = for_seconds(SECONDS / 3, texts, most=4, seed=len(sizes))
        replies += send_all(server.port, round_of, CLIENTS)
        sizes.append(process.memory_info().rss / 2**20)
    print(summary(replies, time.monotonic() - began), "MiB:", *map(round, sizes))
    assert {(reply.code, repr(reply.error)) for reply in replies} == {(200, "None")}
    check(replies)
    assert sizes[-1] <= sizes[-2] + 8


SCRIPTS = (
    "A man sleeps on a bench. ",
    "L’été, c’est «à côté» ! ",
    "Мужчина спит. ",
    "男は眠っている。",
    "رجل نائم ",
    "एक आदमी सो रहा है। ",
    "\N{THUMBS UP SIGN}\N{EMOJI MODIFIER FITZPATRICK TYPE-5}\N{ZERO WIDTH JOINER}",
    "\x00\x1b[31m\u202e\ufeff\x7f\n\r\t",
    "a" + "\N{COMBINING ACUTE ACCENT}" * 40,
    "\ud83d",
)


def odd_text(draw: random.Random) -> str:
    """Text in any script and none; some of it long, or half a character."""
    if draw.random() < 0.02:
        return draw.choice(SCRIPTS) * draw.choice((100, 3000, 100_000))
    if draw.random() < 0.2:
        return "".join(chr(draw.randrange(0x110000)) for _ in range(draw.randint(0, 20)))
    return "".join(draw.choices(SCRIPTS, k=draw.randint(0, 3)))


def odd_value(draw: random.Random) -> Any:
    """Anything that JSON can say, and some that only Python's can."""
    kinds: list[Callable[[], Any]] = [
        lambda: None,
        lambda: draw.choice([True, 0, -1, 2**70, 10**400, 1.5, float("nan"), float("-inf")]),
        lambda: odd_text(draw),
        lambda: [odd_value(draw) for _ in range(draw.randint(0, 3))],
        lambda: {odd_text(draw)[:50]: odd_value(draw) for _ in range(draw.randint(0, 2))},
        lambda: [draw.choice(["", 0, None, []])] * draw.choice([65, 5000, 300_000]),
    ]
    (kind,) = draw.choices(kinds, [10, 10, 10, 5, 5, 1])
    return kind()


def odd_body(draw: random.Random) -> bytes:
    """A body of a request; about half of them are well formed."""
    body: Any = {"sentences": [odd_text(draw) for _ in range(draw.randint(0, 4))], "sentence": odd_text(draw)}
    del body[draw.choice(list(body))]
    if draw.random() < 0.4:
        body[draw.choice(["sentences", "sentence", "beam_size", "n_best", "model", odd_text(draw)])] = odd_value(draw)
    if draw.random() < 0.1:
        body = odd_value(draw)
    content = json.dumps(body, ensure_ascii=draw.random() < 0.5).encode(errors="surrogatepass")
    if draw.random() < 0.2:
        start = draw.randint(0, len(content))
        damages = (
            b"",
            b"[" * 50_000,
            b'{"a":' * 2000,
            draw.randbytes(9),
            content.decode(errors="replace").encode("utf-16"),
        )
        content = content[:start] + draw.choice(damages) + content[start + draw.randint(0, 9) :]
    return content


def odd_request(draw: random.Random) -> Request:
    """Most go where they belong; they may still be asked for in another way, or for another place."""
    path, method, headers = draw.choice(("/translate", "/attention")), "POST", dict(JSON)
    if draw.random() < 0.1:
        path = draw.choice(
            ("/", "//translate", "/translate/x", "/../../etc/passwd", "/%00%ff", "/a?" + "b" * 9000, "*")
        )
    if draw.random() < 0.1:
        method = draw.choice(("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"))
    if draw.random() < 0.1:
        kinds = (
            "text/plain",
            "multipart/form-data",
            "application/json; charset=utf-16",
            "application/x-pickle",
            "\xe9",
            "",
        )
        headers = {"Content-Type": draw.choice(kinds), "Content-Encoding": "gzip"}
    return Request(path, odd_body(draw), method, headers)


def test_whatever_is_sent_gets_a_reason_or_a_translation(
    server: Server, texts: list[str], check: Callable[[Sequence[Reply]], None]
) -> None:
    draw = random.Random(6)
    replies = send_all(server.port, (odd_request(draw) for _ in range(BAD_REQUESTS)), clients=16)
    assert len(replies) == BAD_REQUESTS
    for reply in replies:
        request = (reply.request.method, reply.request.path, reply.request.headers, reply.request.body[:200])
        assert reply.code == 200 or (400 <= reply.code < 500 and reply.body), (reply, request)
        if reply.code == 200:
            asked = json.loads(reply.request.body)
            answers = json.loads(reply.body)
            found = answers["translations"] if "sentences" in asked else [answers]
            assert all(isinstance(row["translation"], str) for row in found), request
            assert len(found) == len(asked.get("sentences", [0])), request
    assert {200, 400, 404, 405, 413, 422} <= {reply.code for reply in replies}
    assert server.get("/healthz").code == 200
    check(send_all(server.port, [translate(texts[:60])]))


ANSWERED = 'nmt_requests_total{code="200",path="/translate"}'


def test_clients_survive_what_ends_a_server(
    export_path: Path, tmp_path: Path, texts: list[str], check: Callable[[Sequence[Reply]], None]
) -> None:
    """Killed, it leaves connections that end, and is used again when it is back; told to end, it answers first."""
    done = threading.Event()
    requests = takewhile(lambda _: not done.is_set(), for_seconds(300, texts, most=4))
    large = [translate(random.Random(seed).choices(texts, k=24)) for seed in range(CLIENTS)]
    models = ["--model", str(export_path), "--max-waiting", "10000"]
    with ThreadPoolExecutor(2) as pool:
        try:
            with serving(tmp_path / "first.log", *models) as server:
                running = pool.submit(send_all, server.port, requests, CLIENTS)
                server.wait_for_metric(ANSWERED, 200)
                server.process.kill()
                server.process.wait(60)
            with serving(tmp_path / "second.log", *models, port=server.port) as server:
                server.wait_for_metric(ANSWERED, 200)
                accepting = pool.submit(send_all, server.port, large, CLIENTS)
                server.wait_for_metric("nmt_open_requests", 2 * CLIENTS + 1)  # both kinds, and the one that asks
                server.process.terminate()
                accepted = accepting.result()
                assert server.process.wait(60) == 0, server.log.read_text()
        finally:
            done.set()
    assert [reply.code for reply in accepted] == [200] * CLIENTS
    replies = running.result()
    check(accepted + [reply for reply in replies if reply.code == 200])
    errors = [reply.error for reply in replies if reply.code != 200]
    assert errors
    assert [error for error in errors if not isinstance(error, ConnectionError | IncompleteRead)] == []


def test_a_client_that_never_finishes_does_not_keep_the_server(export_path: Path, tmp_path: Path) -> None:
    with (
        serving(tmp_path / "server.log", "--model", str(export_path), "--max-seconds", "1") as server,
        socket.create_connection(("127.0.0.1", server.port)) as stuck,
    ):
        stuck.sendall(b"POST /translate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        server.wait_for_metric("nmt_open_requests", 2)  # itself is one
        server.process.terminate()
        assert server.process.wait(30) == 0, server.log.read_text()
