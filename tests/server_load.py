"""Many clients of a server at once, each with a connection of its own. For tests, and to measure a server:

python tests/server_load.py 8080 SENTENCES.txt --clients 32 --seconds 60
"""

import argparse
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import NamedTuple

import numpy as np
from free_port import free_port

TIMEOUT = 60.0  # seconds that a client waits: beyond that, the server hangs
JSON = {"Content-Type": "application/json"}


class Request(NamedTuple):
    """What a client sends."""

    path: str
    body: bytes = b""
    method: str = "POST"
    headers: Mapping[str, str] = JSON


class Reply(NamedTuple):
    """What a client got: an answer, or the error that ended the connection."""

    request: Request
    code: int
    body: bytes
    seconds: float
    error: Exception | None = None

    def translations(self) -> list[str]:
        """Of an answer of POST /translate."""
        return [row["translation"] for row in json.loads(self.body)["translations"]]


def translate(sentences: Sequence[str], **others: str) -> Request:
    """A request for translations, with what else is asked for."""
    return Request("/translate", json.dumps({"sentences": sentences} | others).encode())


def send_all(port: int, requests: Iterable[Request], clients: int = 32) -> list[Reply]:
    """Sends all requests; each client takes the next one as soon as it has its answer.

    Args:
        port: of a server on this machine.
        requests: until they end.
        clients: at once.

    Returns:
        The replies, in the order of their arrival.
    """
    source, lock = iter(requests), threading.Lock()
    replies: list[Reply] = []

    def work(_: int) -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
        while True:
            with lock:
                request = next(source, None)
            if request is None:
                return connection.close()
            began = time.perf_counter()
            try:
                connection.request(request.method, request.path, request.body, dict(request.headers))
                answer = connection.getresponse()
                reply = Reply(request, answer.status, answer.read(), time.perf_counter() - began)
            except (OSError, HTTPException) as error:
                connection.close()  # the next request opens another
                reply = Reply(request, 0, b"", time.perf_counter() - began, error)
                time.sleep(0.05)
            replies.append(reply)

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(work, range(clients)))
    return replies


def for_seconds(seconds: float, sentences: Sequence[str], most: int = 1, seed: int = 1) -> Iterator[Request]:
    """Requests of 1 to `most` sentences that are drawn at random, until time is up."""
    draw, end = random.Random(seed), time.monotonic() + seconds
    while time.monotonic() < end:
        yield translate(draw.choices(sentences, k=draw.randint(1, most)))


def summary(replies: Sequence[Reply], seconds: float) -> str:
    """Throughput and latency, for people."""
    answered = [reply for reply in replies if reply.code == 200]
    if not answered:
        return f"{len(replies)} requests, none answered"
    sentences = sum(len(reply.translations()) for reply in answered)
    median, ninety, most = np.percentile([1000 * reply.seconds for reply in answered], (50, 90, 99))
    return (
        f"{len(answered)} of {len(replies)} requests answered in {seconds:.0f} s: "
        f"{len(answered) / seconds:.1f} requests and {sentences / seconds:.1f} sentences a second; "
        f"milliseconds: median {median:.0f}, 90% {ninety:.0f}, 99% {most:.0f}, "
        f"longest {1000 * max(reply.seconds for reply in answered):.0f}"
    )


class Server:
    """A running `nmt-keras serve`.

    Args:
        process: of the server.
        port: that it listens on.
        log: what it prints.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.log = log

    def get(self, path: str) -> Reply:
        """The answer to a GET."""
        (reply,) = send_all(self.port, [Request(path, method="GET")], clients=1)
        return reply

    def metric(self, name: str) -> float:
        """A figure of /metrics, named with its labels; 0 where it is not there yet."""
        lines = self.get("/metrics").body.decode().splitlines()
        return sum(float(line.removeprefix(f"{name} ")) for line in lines if line.startswith(f"{name} "))

    def wait_for_metric(self, name: str, least: float) -> None:
        """Returns when the figure is that large.

        Raises:
            TimeoutError: it does not become so.
        """
        end = time.monotonic() + TIMEOUT
        while self.metric(name) < least:
            if time.monotonic() > end:
                raise TimeoutError(f"{name} is not {least} yet:\n{self.log.read_text()}")
            time.sleep(0.01)


@contextmanager
def serving(log: Path, *options: str, port: int | None = None) -> Iterator[Server]:
    """A server in a process of its own, from the time when it answers; it is killed at the end.

    Args:
        log: file for what it prints.
        options: of `nmt-keras serve`.
        port: to listen on; by default a free one.
    """
    if port is None:
        port = free_port()
    command = [sys.executable, "-c", "import sys; from nmt_keras.cli.main import main; sys.exit(main())", "serve"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, *options, "--port", str(port)], stdout=output, stderr=subprocess.STDOUT, env={**os.environ}
        )
    server = Server(process, port, log)
    try:
        end = time.monotonic() + 300
        while server.get("/healthz").code != 200:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"The server did not start:\n{log.read_text()}")
            time.sleep(0.2)
        yield server
    finally:
        process.kill()
        process.wait(60)


def main() -> None:
    """Measures a server that runs already."""
    parser = argparse.ArgumentParser(description="Many clients, each with a sentence a request.")
    parser.add_argument("port", type=int)
    parser.add_argument("sentences", type=Path, help="a file, a sentence a line")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    sentences = options.sentences.read_text(encoding="utf-8").splitlines()
    began = time.monotonic()
    replies = send_all(options.port, for_seconds(options.seconds, sentences), options.clients)
    print(summary(replies, time.monotonic() - began))


if __name__ == "__main__":
    main()
