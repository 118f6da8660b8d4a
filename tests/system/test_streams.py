"""Streams that a caller closed, that are full, or that lack a character."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nmt_keras.errors import UserError
from nmt_keras.system.streams import LossyStream, discard, require_open, usable_streams

CLOSED = """
import os, sys
from pathlib import Path
from nmt_keras.system.streams import usable_streams
with usable_streams():
    with open("database", "w") as database:
        assert database.fileno() > 2, database.fileno()
        os.write(1, b"from a C library")
        print("from Python")
        print("progress", file=sys.stderr)
        assert sys.stdin.read() == ""
        database.write("precious")
Path("done").touch()
"""


def _without(*closed: int) -> None:
    for descriptor in closed:
        os.close(descriptor)


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_a_closed_stream_is_an_empty_one_and_no_file_takes_its_number(closed: tuple[int, ...]) -> None:
    program = [sys.executable, "-c", CLOSED]
    subprocess.run(program, check=True, preexec_fn=lambda: _without(*closed), stdin=subprocess.DEVNULL)
    assert Path("done").exists()
    assert Path("database").read_text() == "precious"


def test_a_command_that_needs_a_stream_tells_that_it_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with usable_streams():
        require_open("stdout")
        with pytest.raises(UserError, match="stdin must be open for this command"):
            require_open("stdin")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_progress_that_cannot_be_written_is_lost() -> None:
    with Path("/dev/full").open("w", buffering=1) as full:
        stream = LossyStream(full)
        assert stream.write("epoch 1\n") == 8
        stream.flush()
        assert stream.isatty() is False
        print("epoch 2", file=stream, flush=True)  # type: ignore[call-overload]


def test_what_a_stream_still_holds_vanishes(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as stream:
        stream.write("lost")
        with pytest.raises(BrokenPipeError):
            stream.flush()
        discard(stream)
    discard(io.StringIO())  # has no descriptor


def test_characters_that_an_encoding_lacks_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="latin-1"))
    with usable_streams():
        print("Été − 5 € \udcff")
        sys.stdout.flush()
    assert written.getvalue() == "Été ? 5 ? ?\n".encode("latin-1")
