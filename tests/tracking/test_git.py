import subprocess
from pathlib import Path

import pytest

from nmt_keras.tracking.git import git_tags


@pytest.fixture
def checkout(tmp_path, monkeypatch) -> Path:
    """A git checkout with one tracked file, package/module.py."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "module.py").write_text("x = 1\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "--quiet", "-m", "first")
    return tmp_path


def git(directory: Path, *arguments: str) -> str:
    command = ["git", "-C", str(directory), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_the_commit_and_a_changed_file_are_told(checkout) -> None:
    module = checkout / "package" / "module.py"
    commit = git(checkout, "rev-parse", "HEAD")
    assert len(commit) == 40
    (checkout / "notes.txt").write_text("not tracked")
    assert git_tags(module) == {"mlflow.source.git.commit": commit, "git_dirty": "false"}
    module.write_text("x = 2\n")
    assert git_tags(module) == {"mlflow.source.git.commit": commit, "git_dirty": "true"}


def test_a_package_installed_below_another_project_has_no_commit(checkout) -> None:
    installed = checkout / "venv" / "module.py"
    installed.parent.mkdir()
    installed.write_text("")
    assert git_tags(installed) == {}


def test_no_git_and_no_checkout_are_no_error(checkout, tmp_path_factory, monkeypatch) -> None:
    outside = tmp_path_factory.mktemp("outside") / "module.py"
    outside.write_text("")
    assert git_tags(outside) == {}
    monkeypatch.setenv("PATH", "")
    assert git_tags(checkout / "package" / "module.py") == {}
