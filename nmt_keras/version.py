"""What is installed. The project itself need not be: `mlflow run` runs a checkout."""

from collections.abc import Iterable
from importlib.metadata import version

VERSION = "0.2.0"


def versions(packages: Iterable[str]) -> dict[str, str]:
    """The versions of this project and of packages, by name."""
    return {"nmt-keras": VERSION} | {package: version(package) for package in packages}
