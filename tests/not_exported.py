"""In place of `export_directory`, which takes long, where nothing more matters of an export than that there is one."""

from pathlib import Path
from typing import Any


def not_exported(directory: Path, output: Path, *_: Any, **__: Any) -> Path:
    """Leaves a file with the name of an export's."""
    (output / "1").mkdir(parents=True)
    (output / "1" / "saved_model.pb").write_bytes(b"a graph")
    return output / "1"
