"""The commands that write and run exported models."""

import hashlib
import math
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Hashable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from jsonargparse import Namespace

from nmt_keras.cli.inputs import search_config
from nmt_keras.errors import ConfigError, ModelError, UserError


def run_export(options: Namespace) -> None:
    if options.check is not None:
        from nmt_keras.serving.savedmodel import check_export, load_export, newest_version

        path = newest_version(Path(options.check))
        print(f"{path}: {check_export(load_export(path))} held-out sentences are translated as by the model in memory")
        return
    from nmt_keras.models.directory import load_model
    from nmt_keras.serving.savedmodel import export_directory
    from nmt_keras.serving.signatures import ServingLimits
    from nmt_keras.tracking.registry import resolve

    limits = ServingLimits(options.max_source_tokens, options.max_beam_size)
    directory = resolve(options.model)
    held_out = None if options.source_file is None else _read_sentences(Path(options.source_file))
    loaded = load_model(directory)
    print(
        export_directory(
            directory,
            Path(options.output),
            loaded,
            held_out,
            model_license=options.license,
            config=search_config(options, loaded),
            limits=limits,
            xla=options.xla,
        )
    )


def _read_sentences(path: Path) -> list[str]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"--source-file must be a text file in UTF-8, a sentence a line. Received: {path}: {error}."
        ) from None
    return [line.removesuffix("\r") for line in text.split("\n") if line]


def run_serve(options: Namespace) -> None:
    references = list(dict.fromkeys(options.model))
    if not 0 < options.port < 65536:
        raise ConfigError(f"--port must be at least 1 and at most 65535. Received: --port {options.port}.")
    try:
        import uvicorn

        from nmt_keras.serving.server import RequestLimits, create_app
    except ModuleNotFoundError as error:
        raise UserError(f"serve needs pip install 'nmt-keras[serve]'. Received: {error}.") from None
    from nmt_keras.serving.served_model import ServedModel

    limits = RequestLimits(
        max_batch=options.max_batch,
        max_waiting=options.max_waiting,
        max_seconds=options.max_seconds,
        reload_seconds=options.reload_seconds,
    )
    with _listener(options.host, options.port) as listener:
        models = [ServedModel(reference, _locator(reference)) for reference in references]
        host = f"[{options.host}]" if ":" in options.host else options.host
        print(f"http://{host}:{options.port} serves {', '.join(references)}", file=sys.stderr)
        config = uvicorn.Config(
            create_app(models, limits),
            log_level="warning",
            use_colors=False,  # else it asks the output, which may be closed, whether it is a terminal
            timeout_keep_alive=75,  # longer than usual proxies keep a connection
            timeout_graceful_shutdown=math.ceil(limits.max_seconds),  # a request may never come to its end
        )
        # uvicorn stops gracefully, and then raises the signal once more for whoever handled it before.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
            signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])


def _listener(host: str, port: int) -> socket.socket:
    """A socket that listens already, else another could still take its address while the models are loaded."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()
    except (OSError, UnicodeError) as error:  # the latter of a name that can be no host's
        listener.close()
        raise UserError(
            f"--host and --port must be an address of this machine that is free. Received: {host} {port}: {error}."
        ) from None
    return listener


def _locator(reference: str) -> Callable[[], Path]:
    """What finds the exported model of a reference: the newest version in a directory, the registry's, or one that is
    made of a model directory, anew when other files lie there, or an hour after it could not be made."""
    from nmt_keras.models.directory import DESCRIPTION, HELD_OUT, MODEL_FILES
    from nmt_keras.serving.savedmodel import newest_version
    from nmt_keras.tracking.registry import resolve

    directory = Path(reference)

    @lru_cache(maxsize=1)
    def exported(*_: Hashable) -> Path | Exception:
        try:
            return _exported(directory, reference)
        except (UserError, OSError) as error:  # costs too much to be found out at each look
            return error

    def locate() -> Path:
        if not (directory / DESCRIPTION).is_file():
            return newest_version(resolve(reference, "saved_model"))
        stats = [(directory / name).stat() for name in (*MODEL_FILES, HELD_OUT) if (directory / name).exists()]
        found = exported(time.monotonic() // 3600, *((stat.st_ino, stat.st_size, stat.st_mtime_ns) for stat in stats))
        if isinstance(found, Exception):
            raise found.with_traceback(None)
        return found

    return locate


def _exported(directory: Path, reference: str) -> Path:
    """The export of a model directory in the user's cache, made if it is not there."""
    from platformdirs import user_cache_dir

    from nmt_keras.models.directory import MODEL_FILES, load_model, read_held_out
    from nmt_keras.serving.savedmodel import FORMAT, checked_card, export_directory
    from nmt_keras.version import VERSION

    def digest() -> str:
        hashed = hashlib.sha256(f"{VERSION} {FORMAT}".encode())
        for name in MODEL_FILES:
            hashed.update((directory / name).read_bytes() if (directory / name).is_file() else b"")
        return hashed.hexdigest()[:32]

    before = digest()
    kept = Path(user_cache_dir("nmt_keras")) / "exports" / before
    if (kept / "1").is_dir():
        with suppress(ModelError):
            checked_card(kept / "1")
            return kept / "1"
        shutil.rmtree(kept / "1", ignore_errors=True)
    loaded = load_model(directory)
    if digest() != before:
        raise ModelError(f"A model must stay as it is while it is read. Received: {directory}, which was written to.")
    held_out = read_held_out(directory)
    if not held_out:
        raise ModelError(
            f"{reference} keeps no held-out sentences to check an export with. Give some, and serve what is written: "
            f"`nmt-keras export --model {reference} --source-file FILE --output DIR`."
        )
    try:
        export_directory(directory, kept, loaded, held_out, version=1)
    except ConfigError:
        if not (kept / "1").is_dir():  # otherwise another server was first
            raise
    return kept / "1"
