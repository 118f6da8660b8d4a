"""Files fetched over HTTP: resumed, retried, verified, and put in place only when whole."""

import contextlib
import fcntl
import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import requests
import urllib3.exceptions

from nmt_keras.errors import UserError

CHUNK_BYTES = 1 << 16
_NOT_FOUND = "HTTP 404 (the server has no such file)"
_ShowProgress = Callable[[int, int | None], None]  # bytes received, bytes in all (None: unknown)


def fetch(
    address: str,
    destination: Path,
    sha256: str | None,
    *,
    missing_ok: bool = False,
    attempts: int = 5,
    backoff: float = 1.0,
    timeout: float = 30.0,
) -> bool:
    """Download a file, unless it is there already.

    The bytes go to `destination` + ".part", which takes its place once it is whole and verified. What an
    earlier attempt left there is continued by a Range request. Of two processes that fetch one file, the
    second waits.

    Args:
        address: an http or https address.
        destination: path of the file; its directory is created.
        sha256: its hash (hexadecimal); None accepts any content and shows its hash on stderr.
        missing_ok: a server without the file (HTTP 404, 410) is no error.
        attempts: how many requests are made at most, when the server fails or the connection is cut.
        backoff: seconds before the second attempt; doubled before each further one.
        timeout: seconds without an answer, or without a byte, after which an attempt has failed.

    Returns:
        Whether `destination` holds the file; False only with `missing_ok`.

    Raises:
        UserError: the file could not be had, or its hash is wrong twice.
    """
    part = destination.with_name(destination.name + ".part")
    try:
        if _is_file(destination, sha256):  # asked before the lock: a cache may be read-only
            return True
        destination.parent.mkdir(parents=True, exist_ok=True)
        with _locked(destination):
            if _is_file(destination, sha256):  # fetched by another process while this one waited
                return True
            if sha256 is None:
                # Nothing could tell whether a part left by an earlier run belongs to the file of today.
                part.unlink(missing_ok=True)
            for _ in range(2):
                if sha256 is None or not _is_file(part, sha256):
                    fault = _download(address, part, attempts, backoff, timeout)
                    if fault == _NOT_FOUND and missing_ok:
                        return False
                    if fault:
                        raise UserError(_failure(address, destination, fault))
                received = file_sha256(part)
                if sha256 in (None, received):
                    os.replace(part, destination)
                    if sha256 is None:
                        print(f"Note: {destination} has no known hash. SHA-256: {received}", file=sys.stderr)
                    return True
                part.unlink()
    except requests.RequestException as error:
        raise UserError(_failure(address, destination, str(error))) from error
    except OSError as error:
        raise UserError(
            f"The downloaded file must be writable at {destination}. Received: {error.strerror or error}. "
            f"{_place_it_yourself(destination)}"
        ) from error
    raise UserError(
        f"{address} must have SHA-256 {sha256}. Received: {received}, twice. The file {destination} was not "
        f"written: the server's copy has changed, or something between changes it. "
        f"{_place_it_yourself(destination)}"
    )


def file_sha256(path: Path) -> str:
    """The hash of a file's bytes (hexadecimal)."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_file(path: Path, sha256: str | None) -> bool:
    return path.is_file() and sha256 in (None, file_sha256(path))


def _download(address: str, part: Path, attempts: int, backoff: float, timeout: float) -> str:
    """Complete the file `part`; the reason why not, or an empty string."""
    fault = ""
    with requests.Session() as session, _progress(address) as show:
        for attempt in range(attempts):
            if attempt:
                time.sleep(backoff * 2 ** (attempt - 1))
            try:
                fault, again = _request(session, address, part, timeout, show)
            except (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError) as error:
                fault, again = str(error), True
            if not again:
                return fault
    return f"{fault} (the last of {attempts} attempts)"


def _request(
    session: requests.Session, address: str, part: Path, timeout: float, show: _ShowProgress
) -> tuple[str, bool]:
    """One request for what `part` lacks: the fault (empty: none), and whether another attempt may help."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"}  # a file compressed on the way could not be resumed
    if have:
        headers["Range"] = f"bytes={have}-"
    with session.get(address, headers=headers, stream=True, timeout=timeout) as response:
        status = response.status_code
        if status in (404, 410):
            return _NOT_FOUND, False
        if status == 416:  # there is nothing after `have`: what we hold belongs to another file
            part.unlink(missing_ok=True)
            return "HTTP 416 (Range not satisfiable)", True
        if status not in (200, 206):
            return f"HTTP {status} {response.reason}", status in (408, 425, 429) or status >= 500
        if status == 206 and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            part.unlink(missing_ok=True)
            return f"HTTP 206 with Content-Range {response.headers.get('Content-Range')!r}", True
        if status == 200:  # a server that ignores Range sends all from the start
            have = 0
        length = response.headers.get("Content-Length", "")
        total = have + int(length) if length.isdigit() else None
        with part.open("ab" if have else "wb") as file:
            show(have, total)
            # Not iter_content: it would unpack a .gz file that a server calls "Content-Encoding: gzip".
            while chunk := response.raw.read(CHUNK_BYTES, decode_content=False):
                file.write(chunk)
                have += len(chunk)
                show(have, total)
    return "", False


@contextlib.contextmanager
def _locked(destination: Path) -> Iterator[None]:
    with destination.with_name(destination.name + ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # ends with the file, also when the process dies
        yield


@contextlib.contextmanager
def _progress(address: str) -> Iterator[_ShowProgress]:
    """A progress bar on a terminal, one line elsewhere."""
    if not sys.stderr.isatty():
        print(f"Downloading {address}", file=sys.stderr)
        yield lambda _received, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(address.rpartition("/")[2], total=None)
        yield lambda received, total: progress.update(task, completed=received, total=total)


def _failure(address: str, destination: Path, fault: str) -> str:
    return (
        f"{address} could not be downloaded. Received: {fault}. Check the network connection and run again "
        f"(what has arrived is kept). {_place_it_yourself(destination)}"
    )


def _place_it_yourself(destination: Path) -> str:
    return (
        f"Without a download: put the file at DIR/{destination.parent.name}/{destination.name}, and name DIR "
        f"by --data-dir DIR or by the environment variable NMT_KERAS_DATA."
    )
