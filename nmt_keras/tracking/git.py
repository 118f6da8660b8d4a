"""Which state of the source code is running."""

import subprocess
from pathlib import Path


def git_tags(file: Path) -> dict[str, str]:
    """The commit of the git checkout that a source file belongs to, and whether tracked files differ from it.

    Args:
        file: a file of the project; one that the surrounding checkout does not track (a package installed
            below another project) belongs to none.

    Returns:
        the tags "mlflow.source.git.commit" and "git_dirty" of a run; empty without git or outside a checkout.
    """
    try:
        _git(file, "ls-files", "--error-unmatch", file.name)
        commit = _git(file, "rev-parse", "HEAD")
        dirty = bool(_git(file, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return {}
    return {"mlflow.source.git.commit": commit, "git_dirty": str(dirty).lower()}


def _git(file: Path, *arguments: str) -> str:
    command = ["git", "-C", str(file.parent), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
