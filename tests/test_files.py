"""Files that are whole or not there, and caches that do not grow."""

import os
import time
from pathlib import Path

from nmt_keras.files import used, written_whole


def test_a_device_is_written_to_and_stays(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with written_whole(pipe) as path:
        path.write_bytes(b"one\n")
    assert os.read(reader, 100) == b"one\n"
    os.close(reader)
    assert pipe.is_fifo()
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with written_whole(tmp_path / "link") as path:
        path.write_bytes(b"two\n")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"two\n"


def test_the_entries_of_a_cache_that_were_used_last_stay(tmp_path: Path) -> None:
    for age in range(6):
        (tmp_path / str(age)).mkdir()
        (tmp_path / str(age) / "file").touch()
        os.utime(tmp_path / str(age), (time.time() - 1000 * age,) * 2)
    assert used(tmp_path / "5", number=2, seconds=2500) == tmp_path / "5"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1", "2", "5"]
    assert all((path / "file").exists() for path in tmp_path.iterdir())
