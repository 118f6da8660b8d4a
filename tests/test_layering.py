"""A file imports only from lines above its own, and heavy packages only where they belong."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import nmt_keras

PACKAGE = Path(nmt_keras.__file__).parent

# From the bottom to the top: a module imports only from its own line and from lines above it.
ORDER = [
    "version",
    "errors",
    "config",
    "system",
    "text",
    "layers",
    "models",
    "data",
    "decoding",
    "metrics",
    "training",
    "analysis",
    "serving",
    "tracking",
    "report",
    "experiments",
    "api",
    "cli",
    "__main__",
    "",  # the package itself, with the public names
]

# Package -> where it may be imported. TensorFlow and SentencePiece are what the tokenizer is made of.
ONLY_IN = {
    "mlflow": ("tracking.", "serving.pyfunc"),
    "sentencepiece": ("text.",),
    "tensorflow_text": ("text.", "serving."),
    "sacrebleu": ("metrics.",),
    "matplotlib": ("report.", "analysis."),
    "fastapi": ("serving.server",),
    "prometheus_client": ("serving.server",),
    "uvicorn": ("cli.serve",),
    # Whoever reads what these wrote runs the code in it.
    **dict.fromkeys(("pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"), ()),
    "plotly": ("report.",),
    "jinja2": ("report.",),
}
NOT_IN = {"tensorflow": ("layers.", "models.", "decoding.search", "decoding.scoring")}


def modules(package: Path) -> dict[str, Path]:
    """Module name without the package's -> file."""
    return {
        ".".join(path.relative_to(package).with_suffix("").parts).removesuffix("__init__").removesuffix("."): path
        for path in package.rglob("*.py")
    }


def imports(path: Path, known: set[str]) -> list[tuple[int, str]]:
    """(line, module) of every import in a file; modules of the package are named as in `known`, with a dot before."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} is a relative import"
            found += [
                (
                    node.lineno,
                    name if name.partition(".")[2] in known and name.startswith("nmt_keras.") else node.module,
                )
                for alias in node.names
                for name in [f"{node.module}.{alias.name}"]
            ]
    return [
        (line, name.removeprefix("nmt_keras") or ".") if name.split(".")[0] == "nmt_keras" else (line, name)
        for line, name in found
    ]


def place(module: str) -> int:
    """The line of a module in ORDER."""
    name = module.split(".")[0]
    return ORDER.index(name) if name in ORDER else -1  # `faults` reports it where the module is


def faults(package: Path) -> list[str]:
    """Every import that breaks a rule."""
    known = modules(package)
    wrong = []
    for module, path in known.items():
        if module.split(".")[0] not in ORDER:
            wrong.append(f"{module} has no place in ORDER")
            continue
        for line, imported in imports(path, set(known)):
            where = f"{module}:{line} imports {imported}"
            if imported.startswith("."):
                if place(imported[1:]) > place(module):
                    wrong.append(f"{where}, which lies above")
                continue
            root = imported.split(".")[0]
            if root in ONLY_IN and not f"{module}.".startswith(ONLY_IN[root]):
                wrong.append(f"{where}, which belongs in {', '.join(ONLY_IN[root])}")
            if root in NOT_IN and f"{module}.".startswith(NOT_IN[root]):
                wrong.append(where)
    return wrong


def cycle(package: Path) -> list[str]:
    """Modules that import each other in a ring, or nothing."""
    known = modules(package)
    graph = {
        module: {name[1:] for _, name in imports(path, set(known)) if name.startswith(".") and name[1:] in known}
        for module, path in known.items()
    }
    free: set[str] = set()
    while ready := [module for module in graph if module not in free and graph[module] <= free | {module}]:
        free.update(ready)
    return sorted(set(graph) - free)


def test_imports_point_downwards() -> None:
    assert len(modules(PACKAGE)) > 20
    assert faults(PACKAGE) == []


def test_no_stranger_s_model_is_run_by_mlflow() -> None:
    """`mlflow.pyfunc.load_model` runs the Python that lies in a model."""
    calls = [
        f"{path.name}:{node.lineno}"
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and ast.unparse(node).endswith("pyfunc.load_model")
    ]
    assert calls == []


def test_no_module_imports_itself_in_a_ring() -> None:
    assert cycle(PACKAGE) == []


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("layers/bad.py", "from nmt_keras.models.base import TranslationModel"),
        ("layers/bad.py", "from nmt_keras import cli"),
        ("layers/bad.py", "import tensorflow as tf"),
        ("decoding/search.py", "from tensorflow.compat import v1"),
        ("training/bad.py", "def log():\n    import mlflow.entities"),
        ("models/bad.py", "import pickle"),
        ("serving/savedmodel.py", "from mlflow import log_metric"),
        ("unheard_of.py", "import json"),
    ],
)
def test_the_rules_find_what_breaks_them(tmp_path: Path, file: str, line: str) -> None:
    for module in ("cli.py", "models/base.py", file):
        (tmp_path / module).parent.mkdir(exist_ok=True)
        (tmp_path / module).write_text("import json\n")
    assert [fault for fault in faults(tmp_path) if "unheard_of" not in fault] == []
    (tmp_path / file).write_text(line + "\n")
    assert len(faults(tmp_path)) == 1


def test_a_ring_is_found(tmp_path: Path) -> None:
    (tmp_path / "first.py").write_text("from nmt_keras import second\n")
    (tmp_path / "second.py").write_text("def later():\n    from nmt_keras.first import name\n")
    (tmp_path / "third.py").write_text("import json\n")
    assert cycle(tmp_path) == ["first", "second"]


def test_help_needs_no_heavy_package() -> None:
    program = """
import sys
from nmt_keras.cli.main import main
try:
    main(["--help"])
except SystemExit as end:
    assert not end.code
print("LOADED", *sorted({name.split(".")[0] for name in sys.modules}))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    *help_text, loaded = done.stdout.splitlines()
    assert any("train" in line for line in help_text)
    heavy = {"tensorflow", "keras", "keras_hub", "mlflow", "matplotlib", "plotly", "sacrebleu", "sentencepiece"}
    assert heavy.isdisjoint(loaded.split())
