"""Files that are either whole or not there."""

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Gives a name beside `path` to write to; what was written takes the name `path` when the block succeeds.

    A device, a pipe, or what a link leads to is written to as it is.
    """
    if path.is_symlink() or (path.exists() and not path.is_file() and not path.is_dir()):
        yield path
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield beside
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Writes `value` as indented JSON."""
    with written_whole(path) as beside:
        beside.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Reads a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def used(entry: Path, number: int = 16, seconds: float = 7 * 86_400) -> Path:
    """Notes that an entry of a cache is used, and removes those that are not.

    Args:
        entry: in the cache's directory.
        number: the last used so many stay.
        seconds: what was used so recently stays, too.

    Returns:
        The entry.
    """

    def last_used(path: Path) -> float:
        try:
            return path.stat().st_mtime
        except OSError:  # another process removed it
            return 0.0

    with suppress(OSError):  # a cache may be of another user
        os.utime(entry)
    for path in sorted(entry.parent.iterdir(), key=last_used, reverse=True)[number:]:
        if last_used(path) < time.time() - seconds:
            removed = path.with_name(f".{uuid4().hex}")
            with suppress(OSError):
                path.rename(removed)  # lest another process finds half of it
                shutil.rmtree(removed, ignore_errors=True)
    return entry
