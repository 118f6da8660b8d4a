import gzip
import hashlib
import io
import random
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from nmt_keras.data.download import fetch
from nmt_keras.errors import UserError

CONTENT = random.Random(5).randbytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
OTHER = random.Random(6).randbytes(300_000)


class Handler(BaseHTTPRequestHandler):
    """Serves `server.content`, with Range, unless the next entry of the server's script says otherwise."""

    server: "Server"

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        step = self.server.next_step()
        content = OTHER if step == "other" else self.server.content
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        partial = wanted is not None and step != "no range"
        if not partial:
            start = 0
        body = content[start:]
        if step.isdigit() or start > len(content):
            self.answer(int(step) if step.isdigit() else 416, b"", wanted)
        elif step == "cut":
            self.answer(206 if partial else 200, body, wanted, start, sent=len(body) // 2)
        elif step == "wrong range":
            self.answer(206, content[start + 1 :], wanted, start + 1)
        else:
            if step == "wait":
                self.server.second_request.wait(0.5)
            self.answer(206 if partial else 200, body, wanted, start)

    def answer(self, status: int, body: bytes, wanted: str | None, start: int = 0, sent: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if self.server.content_encoding:
            self.send_header("Content-Encoding", self.server.content_encoding)
        if status == 206:
            end = start + len(body)
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{end}")
        body = body[:sent]
        self.server.log.append((wanted, status, len(body)))  # before the client can see an answer
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """Its log holds, per request, the Range header, the status and the number of bytes sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: list[str] = []
        self.log: list[tuple[str | None, int, int]] = []
        self.content = CONTENT
        self.content_encoding = ""
        self.requests = 0
        self.second_request = threading.Event()
        self.address = f"http://127.0.0.1:{self.server_address[1]}/data/train.en.gz"

    def next_step(self) -> str:
        self.requests += 1
        if self.requests == 2:
            self.second_request.set()
        return self.script.pop(0) if self.script else ""


@dataclass
class Site:
    server: Server
    destination: Path
    sleeps: list[float] = field(default_factory=list)

    @property
    def part(self) -> Path:
        return self.destination.with_name("train.en.gz.part")

    @property
    def log(self) -> list[tuple[str | None, int, int]]:
        return self.server.log

    def fetch(self, sha256: str | None = SHA256, missing_ok: bool = False) -> bool:
        return fetch(self.server.address, self.destination, sha256, missing_ok=missing_ok, attempts=4, backoff=0.5)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    result = Site(server, tmp_path / "cache" / "multi30k" / "train.en.gz")
    monkeypatch.setattr(time, "sleep", result.sleeps.append)
    yield result
    server.shutdown()
    thread.join()
    server.server_close()


def put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def test_a_file_is_fetched_once(site: Site) -> None:
    assert site.fetch()
    assert site.destination.read_bytes() == CONTENT
    assert not site.part.exists()
    assert site.fetch()
    assert site.log == [(None, 200, len(CONTENT))]
    assert site.sleeps == []


def test_a_cache_that_cannot_be_written_is_enough(site: Site) -> None:
    put(site.destination, CONTENT)
    site.destination.with_name("train.en.gz.lock").mkdir()  # stands for a read-only directory
    assert site.fetch()
    assert site.log == []


def test_a_file_already_there_with_another_hash_is_replaced(site: Site) -> None:
    put(site.destination, OTHER)
    assert site.fetch()
    assert site.destination.read_bytes() == CONTENT


@pytest.mark.parametrize("status", ["429", "500", "503"])
def test_a_failing_server_is_asked_again_with_growing_pauses(site: Site, status: str) -> None:
    site.server.script = [status, status]
    assert site.fetch()
    assert site.destination.read_bytes() == CONTENT
    assert [entry[1] for entry in site.log] == [int(status), int(status), 200]
    assert site.sleeps == [0.5, 1.0]


def test_attempts_are_bounded(site: Site) -> None:
    site.server.script = ["503"] * 50
    with pytest.raises(UserError) as caught:
        site.fetch()
    assert len(site.log) == 4
    assert site.sleeps == [0.5, 1.0, 2.0]
    message = str(caught.value)
    assert site.server.address in message
    assert "Received: HTTP 503" in message
    assert "--data-dir DIR" in message
    assert "NMT_KERAS_DATA" in message
    assert "DIR/multi30k/train.en.gz" in message
    assert not site.destination.exists()


@pytest.mark.parametrize("status", ["401", "403", "404", "410"])
def test_a_refusal_is_final(site: Site, status: str) -> None:
    site.server.script = [status]
    with pytest.raises(UserError, match="could not be downloaded"):
        site.fetch()
    assert len(site.log) == 1


def test_a_missing_file_may_be_allowed(site: Site) -> None:
    site.server.script = ["404", "403"]
    assert not site.fetch(missing_ok=True)
    assert list(site.destination.parent.glob("*.gz*")) == [site.destination.with_name("train.en.gz.lock")]
    with pytest.raises(UserError, match="403"):
        site.fetch(missing_ok=True)


def test_after_a_cut_connection_only_the_missing_bytes_are_asked_for(site: Site) -> None:
    site.server.script = ["cut", "cut"]
    assert site.fetch()
    assert site.destination.read_bytes() == CONTENT
    assert site.log == [
        (None, 200, 150_000),
        ("bytes=150000-", 206, 75_000),
        ("bytes=225000-", 206, 75_000),
    ]


def test_a_part_of_an_earlier_run_is_continued(site: Site) -> None:
    put(site.part, CONTENT[:299_000])
    assert site.fetch()
    assert site.destination.read_bytes() == CONTENT
    assert site.log == [("bytes=299000-", 206, 1_000)]


def test_what_arrived_before_the_last_attempt_failed_is_kept(site: Site) -> None:
    site.server.script = ["cut", "503", "503", "503"]
    with pytest.raises(UserError):
        site.fetch()
    assert site.part.read_bytes() == CONTENT[:150_000]
    assert site.fetch()
    assert site.log[-1] == ("bytes=150000-", 206, 150_000)
    assert site.destination.read_bytes() == CONTENT


def test_a_whole_part_needs_no_request(site: Site) -> None:
    put(site.part, CONTENT)
    assert site.fetch()
    assert site.destination.read_bytes() == CONTENT
    assert site.log == []


def test_a_server_that_ignores_range_sends_all_again(site: Site) -> None:
    site.server.script = ["cut", "no range"]
    assert site.fetch()
    assert site.destination.read_bytes() == CONTENT
    assert site.log == [(None, 200, 150_000), ("bytes=150000-", 200, 300_000)]


def test_a_server_that_sends_another_range_is_asked_for_all(site: Site) -> None:
    site.server.script = ["cut", "wrong range"]
    assert site.fetch(sha256=None)  # no hash would tell that a byte is missing
    assert site.destination.read_bytes() == CONTENT
    assert [entry[0] for entry in site.log] == [None, "bytes=150000-", None]


def test_a_part_longer_than_the_file_is_thrown_away(site: Site) -> None:
    put(site.part, OTHER + b"more")
    assert site.fetch()
    assert site.destination.read_bytes() == CONTENT
    assert [entry[:2] for entry in site.log] == [("bytes=300004-", 416), (None, 200)]


def test_a_part_of_another_file_costs_one_fresh_try(site: Site) -> None:
    put(site.part, OTHER[:1000])
    assert site.fetch()
    assert site.destination.read_bytes() == CONTENT
    assert site.log == [("bytes=1000-", 206, 299_000), (None, 200, 300_000)]


def test_a_wrong_hash_costs_one_fresh_try(site: Site) -> None:
    site.server.script = ["other"]
    assert site.fetch()
    assert site.destination.read_bytes() == CONTENT
    assert len(site.log) == 2


def test_a_hash_wrong_twice_is_an_error(site: Site) -> None:
    site.server.script = ["other", "other"]
    with pytest.raises(UserError) as caught:
        site.fetch()
    assert len(site.log) == 2
    message = str(caught.value)
    assert f"must have SHA-256 {SHA256}" in message
    assert f"Received: {hashlib.sha256(OTHER).hexdigest()}" in message
    assert str(site.destination) in message
    assert "--data-dir" in message
    assert not site.destination.exists()
    assert not site.part.exists()


def test_without_a_known_hash_the_received_one_is_shown(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    put(site.part, OTHER[:1000])
    assert site.fetch(sha256=None)
    assert site.destination.read_bytes() == CONTENT
    assert site.log == [(None, 200, 300_000)], "an old part cannot be trusted without a hash"
    output = capsys.readouterr()
    assert f"SHA-256: {SHA256}" in output.err
    assert output.out == ""


def test_a_gzip_file_stays_packed(site: Site) -> None:
    site.server.content_encoding = "gzip"  # as some servers name the file's own format
    site.server.content = packed = gzip.compress(b"sentence\n")
    assert site.fetch(sha256=hashlib.sha256(packed).hexdigest())
    assert site.destination.read_bytes() == packed


def test_without_a_network_the_message_says_what_to_do(site: Site) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, but nothing listens
        site.server.address = f"http://127.0.0.1:{unused.getsockname()[1]}/train.en.gz"
        with pytest.raises(UserError) as caught:
            site.fetch()
    assert site.sleeps == [0.5, 1.0, 2.0]
    assert "could not be downloaded" in str(caught.value)
    assert "--data-dir" in str(caught.value)
    assert "NMT_KERAS_DATA" in str(caught.value)


def test_an_address_that_is_none_is_an_error(site: Site) -> None:
    site.server.address = "no address"
    with pytest.raises(UserError, match="no address could not be downloaded"):
        site.fetch()


def test_a_directory_that_cannot_be_written_is_an_error(site: Site) -> None:
    put(site.destination.parent, b"a file where the directory should be")
    with pytest.raises(UserError, match="must be writable"):
        site.fetch()
    assert site.log == []


def test_of_two_fetches_at_once_one_downloads(site: Site) -> None:
    site.server.script = ["wait"]  # for a second request, which should not come
    results: list[bool] = []
    threads = [threading.Thread(target=lambda: results.append(site.fetch())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True, True]
    assert len(site.log) == 1
    assert site.destination.read_bytes() == CONTENT


def test_progress_is_one_line_where_stderr_is_no_terminal(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.server.script = ["503"]
    assert site.fetch()
    output = capsys.readouterr()
    assert output.err == f"Downloading {site.server.address}\n"
    assert output.out == ""


def test_progress_is_a_bar_on_a_terminal(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    put(site.part, CONTENT[:100_000])
    assert site.fetch()
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())
    assert "train.en.gz" in plain
    assert "300.0/300.0 kB" in plain, "the total counts what an earlier run fetched"
    assert "Downloading" not in plain
