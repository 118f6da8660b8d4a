import hashlib
import random
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from nmt_keras.data.download import fetch
from nmt_keras.errors import UserError

CONTENT = {name: random.Random(name).randbytes(100_000) for name in ("train.en.gz", "val.en.gz")}
SHA256 = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()}


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT, unless the next entry of the server's script says otherwise."""

    server: "Server"

    def do_GET(self) -> None:
        name = self.path.lstrip("/")
        self.server.requested.append(name)
        step = self.server.script.pop(0) if self.server.script else ""
        if self.server.both:
            self.server.both.wait(10)
        content = b"another file" if step == "other" else CONTENT[name]
        self.send_response(int(step) if step.isdigit() else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if step == "cut" else content)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: list[str] = []
        self.requested: list[str] = []
        self.both: threading.Barrier | None = None
        self.address = f"http://127.0.0.1:{self.server_address[1]}/"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def sleeps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that would have been made."""
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    return pauses


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "multi30k"


def holds(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_files_are_fetched_once(server: Server, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fetch(server.address, cache, SHA256)
    assert holds(cache) == CONTENT
    assert server.requested == list(CONTENT)
    output = capsys.readouterr()
    assert output.err == f"Downloading 2 files from {server.address} to {cache}\n"
    assert output.out == ""
    before = cache.stat().st_mtime_ns
    fetch(server.address, cache, SHA256)
    assert server.requested == list(CONTENT)
    assert cache.stat().st_mtime_ns == before, "a cache that is read-only is enough"
    assert capsys.readouterr().err == ""


def test_a_damaged_file_is_replaced(server: Server, cache: Path) -> None:
    cache.mkdir(parents=True)
    for name, content in CONTENT.items():
        (cache / name).write_bytes(content[: 70_000 if name == "val.en.gz" else None])
    fetch(server.address, cache, SHA256)
    assert holds(cache) == CONTENT
    assert server.requested == ["val.en.gz"]


def test_a_failure_that_passes_is_tried_again(server: Server, cache: Path, sleeps: list[float]) -> None:
    server.script = ["503", "cut", "other"]
    fetch(server.address, cache, SHA256)
    assert holds(cache) == CONTENT
    assert server.requested == ["train.en.gz"] * 4 + ["val.en.gz"]
    assert sleeps == sorted(sleeps)
    assert len(sleeps) == 3


@pytest.mark.parametrize(
    ("step", "cause"),
    [("404", "404 Client Error"), ("500", "500 Server Error"), ("cut", "50000 bytes"), ("other", SHA256["val.en.gz"])],
)
def test_a_failure_that_stays_is_told_and_leaves_nothing(server: Server, cache: Path, step: str, cause: str) -> None:
    server.script = ["", *[step] * 50]
    with pytest.raises(UserError, match=cause) as caught:
        fetch(server.address, cache, SHA256)
    message = str(caught.value)
    assert f"{server.address}val.en.gz could not be downloaded to {cache}" in message
    for part in ("DIR/multi30k/", "--data-dir DIR", "NMT_KERAS_DATA", "train.en.gz, val.en.gz"):
        assert part in message
    assert 2 < len(server.requested) < 10
    assert holds(cache) == {"train.en.gz": CONTENT["train.en.gz"]}


NOBODY = "127.0.0.1:9"  # the port of the service "discard", which nobody runs


@pytest.mark.parametrize(
    ("variable", "value", "address", "cause"),
    [
        ("REQUESTS_CA_BUNDLE", "/nonexistent.pem", f"https://{NOBODY}/", "bundle, invalid path: /nonexistent.pem"),
        ("REQUESTS_CA_BUNDLE", __file__, "https://127.0.0.1:PORT/", "certificate|PEM|SSL"),
        ("HTTP_PROXY", f"http://{NOBODY}", "http://multi30k.invalid/", "[Pp]roxy.*refused"),
        ("HTTP_PROXY", "socks9://proxy", "http://multi30k.invalid/", "SOCKS"),
        ("HTTP_PROXY", "http://proxy:port", "http://multi30k.invalid/", "proxy:port"),
        ("NO_PROXY", "*", f"http://{NOBODY}/", "refused"),
        ("NO_PROXY", "*", "http://[::/", "not a valid host"),
        ("NO_PROXY", "*", "http://multi30k.invalid/", "resolve"),
    ],
)
def test_a_machine_without_a_way_out_tells_why(
    variable: str, value: str, address: str, cause: str, server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv(variable, value)
    with pytest.raises(UserError, match=rf"Received: .*(?:{cause})"):
        fetch(address.replace("PORT", str(server.server_port)), cache, SHA256)


def test_a_directory_that_cannot_be_made_is_told(server: Server, cache: Path) -> None:
    cache.parent.write_text("a file where the directory should be", encoding="utf-8")
    with pytest.raises(UserError, match=r"Received: .*(Not a directory|File exists)"):
        fetch(server.address, cache, SHA256)


def test_two_at_once_get_whole_files(server: Server, cache: Path) -> None:
    server.both = threading.Barrier(2)  # each waits for the other in the middle of each file
    threads = [threading.Thread(target=fetch, args=(server.address, cache, SHA256)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert holds(cache) == CONTENT
    assert sorted(server.requested) == sorted([*CONTENT, *CONTENT])
