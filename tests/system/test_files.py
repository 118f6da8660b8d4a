"""Files that are whole or not there, and directories of one owner."""

import os
from pathlib import Path

import pytest

from nmt_keras.errors import ConfigError, DamagedFileError
from nmt_keras.system.files import (
    atomic_write,
    locked_directory,
    read_json,
    read_object,
    remove_partial,
    write_json,
)


def test_a_device_is_written_to_and_stays(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with atomic_write(pipe) as path:
        path.write_bytes(b"one\n")
    assert os.read(reader, 100) == b"one\n"
    os.close(reader)
    assert pipe.is_fifo()
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with atomic_write(tmp_path / "link") as path:
        path.write_bytes(b"two\n")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"two\n"


def test_a_writer_that_cannot_cope_with_a_full_disk_is_not_begun(tmp_path: Path) -> None:
    begun = False
    with pytest.raises(OSError, match=r"No space|too large") as error, atomic_write(tmp_path / "w", 2**60):
        begun = True
    assert error.value.filename == str(tmp_path / "w")
    assert not begun
    assert not list(tmp_path.iterdir())
    with atomic_write(tmp_path / "weights", size=1000) as path:
        assert path.stat().st_size == 0
        path.write_bytes(b"all")
    assert (tmp_path / "weights").read_bytes() == b"all"


def test_a_failed_or_killed_writer_leaves_what_was_there(tmp_path: Path) -> None:
    write_json(tmp_path / "kept.json", {"epochs": 3})
    with pytest.raises(ZeroDivisionError), atomic_write(tmp_path / "kept.json") as path:  # noqa: PT012
        path.write_text("{")
        raise ZeroDivisionError
    assert [path.name for path in tmp_path.iterdir()] == ["kept.json"]
    with atomic_write(tmp_path / "kept.json") as path:
        path.write_text("{}")
        killed = path.read_bytes()
        partial = path.name
    (tmp_path / partial).write_bytes(killed)
    remove_partial(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.json"]


def test_the_longest_name_is_written(tmp_path: Path) -> None:
    name = "é" * 125 + ".json"  # 255 bytes, as many as file systems take
    write_json(tmp_path / name, [1])
    assert read_json(tmp_path / name, list) == [1]


@pytest.mark.parametrize("content", ["", '{"epochs": 3', "\x00\x00\x00", "\udcff"])
def test_a_damaged_file_is_told_by_its_path(content: str, tmp_path: Path) -> None:
    (tmp_path / "kept.json").write_text(content, errors="surrogateescape")
    with pytest.raises(DamagedFileError, match=r"kept\.json must hold JSON as it was written\. Received a damaged"):
        read_json(tmp_path / "kept.json")
    assert read_object(tmp_path / "kept.json") == read_object(tmp_path / "missing.json") == {}


def test_a_directory_has_one_owner_at_a_time(tmp_path: Path) -> None:
    directory = tmp_path / "new" / "output"
    for _ in range(2):
        with locked_directory(directory), pytest.raises(ConfigError, match="nothing is trained at present"):
            locked_directory(directory).__enter__()
