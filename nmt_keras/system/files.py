"""Files that are either whole or not there."""

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from nmt_keras.errors import ConfigError, DamagedFileError

_PARTIAL = ".partial-"


@contextmanager
def atomic_write(path: Path, size: int = 0) -> Iterator[Path]:
    """Gives a name beside `path` to write to; what was written takes the name `path` when the block succeeds.

    A device, a pipe, or what a link leads to is written to as it is.

    Args:
        path: of the file; its directory is made.
        size: bytes that will be written at least, for a writer that cannot cope with a full disk.

    Raises:
        OSError: there is no room for `size` bytes, or what writing raises.
    """
    if path.is_symlink() or (path.exists() and not path.is_file() and not path.is_dir()):
        yield path
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(
        f"{_PARTIAL}{uuid4().hex[:8]}.{path.name[-60:]}"
    )  # the name itself may be as long as can be
    try:
        if size:
            _require_space(temporary, size)
        yield temporary
        with temporary.open("rb+") as file:  # else a machine that fails now would find the name, and no content
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if error.filename == str(temporary):  # a name that means nothing to a user
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise
    finally:
        temporary.unlink(missing_ok=True)


def remove_partial(directory: Path) -> None:
    """Removes what `atomic_write` left in a directory when its process was killed."""
    for partial in directory.glob(f"{_PARTIAL}*"):
        partial.unlink(missing_ok=True)


def _require_space(path: Path, size: int) -> None:
    with path.open("wb") as file:
        if hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(file.fileno(), 0, size)
            except OSError as error:
                raise OSError(error.errno, error.strerror, str(path)) from None
        elif shutil.disk_usage(path.parent).free < size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        file.truncate(0)


@contextmanager
def locked_directory(path: Path) -> Iterator[None]:
    """Makes a directory, and keeps other processes of this machine from training in it meanwhile.

    Raises:
        ConfigError: another one does.
    """
    path.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # goes with the process, however it ends
        except BlockingIOError:
            raise ConfigError(
                f"--output must be a directory in which nothing is trained at present. Received: {path}, "
                f"where another process trains. Wait for it, or give another --output."
            ) from None
        yield
    finally:
        os.close(descriptor)


def new_directory(prefix: str) -> Path:
    """Makes the directory PREFIX-DATE-TIME; of two programs that start in one second, each gets its own."""
    path = Path(f"{prefix}-{datetime.now():%Y%m%d-%H%M%S}")
    while True:
        try:
            path.mkdir(parents=True)
            return path
        except FileExistsError:
            path = path.with_name(f"{path.name}-2")


def write_json(path: Path, value: Any) -> None:
    """Writes `value` as indented JSON."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path, kind: type = dict) -> Any:
    """Reads a JSON file that `write_json` wrote.

    Args:
        path: of the file.
        kind: what it holds, `dict` or `list`.

    Raises:
        DamagedFileError: it holds something else.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(f"{path} must hold JSON as it was written. Received a damaged file: {error}.") from None
    if not isinstance(value, kind):
        raise DamagedFileError(f"{path} must hold a JSON {kind.__name__}. Received: {str(value)[:80]}.")
    return value


def read_object(path: Path) -> dict[str, Any]:
    """Reads the JSON object of a file whose content can be made again; {} where it is missing or damaged."""
    try:
        return dict(read_json(path))
    except (FileNotFoundError, DamagedFileError):
        return {}
