"""Files of a data set, fetched over HTTP: retried, verified, and put in place only when whole."""

import sys
from collections.abc import Mapping
from pathlib import Path

import pooch

from nmt_keras.errors import UserError
from nmt_keras.system.progress import progress_bar

_RETRIES = 4  # of each file; the pauses before them grow by a second each


def fetch(base_address: str, directory: Path, sha256: Mapping[str, str]) -> None:
    """Downloads what a directory lacks, or holds damaged.

    Nothing is written, and no network used, if it holds all files. Of two processes that fetch the same file at once,
    each gets a whole one.

    Args:
        base_address: http or https address of the files, ending in "/".
        directory: made if it is not there.
        sha256: the hash of each file, by name.

    Raises:
        UserError: a file could not be had, or not be written; the message has the cause.
    """
    pooch.get_logger().setLevel("WARNING")
    # Not compressed on the way: unpacked again, the file would be another. Not streamed: pooch leaves the connection
    # open where a server refuses.
    downloader = pooch.HTTPDownloader(headers={"Accept-Encoding": "identity"}, stream=False, timeout=30)
    files = pooch.create(directory, base_address, registry=dict(sha256), retry_if_failed=_RETRIES)
    name = ""
    try:
        missing = [name for name in sha256 if not _is_there(directory / name, sha256[name])]
        if not missing:
            return
        print(f"Downloading {len(missing)} files from {base_address} to {directory}", file=sys.stderr)
        with progress_bar("downloading", len(missing)) as advance:
            for name in missing:
                files.fetch(name, downloader=downloader)
                advance(1)
    except (OSError, ValueError) as error:  # all errors of requests are among them, and a hash that is wrong
        raise UserError(
            f"{base_address}{name} could not be downloaded to {directory}. Received: {str(error).rstrip('.')}. "
            f"Without a download: put the files at DIR/{directory.name}/, and name DIR by --data-dir DIR or by the "
            f"environment variable NMT_KERAS_DATA. They are {', '.join(sha256)}."
        ) from error


def _is_there(path: Path, sha256: str) -> bool:
    return path.is_file() and pooch.file_hash(str(path)) == sha256
