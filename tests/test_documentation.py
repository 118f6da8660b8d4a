"""The documentation speaks of what there is: commands, options, public names, files and versions."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

import nmt_keras
from nmt_keras.cli.main import main
from nmt_keras.config import ARCHITECTURES, PRESETS, SECTIONS, load_preset
from nmt_keras.version import VERSION

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
OF_OTHER_PROGRAMS = {"--env-manager", "--experiment-name", "--xla_cpu_compilation_enabled", "--clients", "--seconds"}


@pytest.fixture(scope="module")
def generated() -> ModuleType:
    """The hook that fills in the tables of settings."""
    spec = importlib.util.spec_from_file_location("generated", ROOT / "docs" / "generated.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def help_of(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Return what `--help` prints."""
    with pytest.raises(SystemExit):
        main([*arguments, "--help"])
    return capsys.readouterr().out


def test_every_command_and_option_exists(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    commands = set(re.search(r"\{([\w,-]+)\}", help_of([], capsys))[1].split(","))
    options = {name: set(re.findall(r"--[\w.-]+", help_of([name], capsys))) for name in commands}
    known = set().union(*options.values(), OF_OTHER_PROGRAMS, {"--help"})
    for name in ARCHITECTURES:
        known |= set(re.findall(r"--[\w.-]+", help_of(["train", "--architecture", name], capsys)))
    text = {page: page.read_text(encoding="utf-8").replace("\\\n", " ") for page in PAGES}
    wrong, named = [], set()
    for page, content in text.items():
        for command, rest in re.findall(r"nmt-keras ([a-z][a-z-]*)((?: [^\n`|]*)?)", content):
            named.add(command)
            if command not in commands:
                wrong.append(f"{page.name}: {command}")
                continue
            given = [option for option in re.findall(r"(?<=\s)--[a-z][a-z-]*", rest) if "." not in option]
            wrong += [f"{page.name}: {command} {each}" for each in given if each not in options[command]]
        spans = re.findall(r"`[^`\n]*`", re.sub(r"--convolutional\S*", "", content))
        wrong += [f"{page.name}: {each}" for span in spans for each in re.findall(r"--[a-z][\w.-]*\w", span)
                  if each not in known and not any(other.startswith(each + ".") for other in known)]  # fmt: skip
    assert wrong == []
    assert commands - named == set()


def test_every_public_name_is_in_the_reference() -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^::: nmt_keras\.(\w+)$", page, re.MULTILINE)) == sorted(nmt_keras.__all__)


def test_links_of_pages_outside_the_site_lead_somewhere() -> None:
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md"):
        links = re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8"))
        assert links
        assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_tables_hold_every_setting(generated: ModuleType) -> None:
    settings = generated.settings()
    for name, section in {**SECTIONS, **{name: each.config_class for name, each in ARCHITECTURES.items()}}.items():
        table = next(part for part in settings.split("### ") if f"`--{name}.…`" in part)
        rows = {line.split("`")[1]: line for line in table.splitlines() if line.startswith("| `")}
        fixed = ARCHITECTURES[name].fixed if name in ARCHITECTURES else {}
        assert set(rows) == set(section.__dataclass_fields__) - set(fixed)
        assert all(not line.endswith("|  |") for line in rows.values())  # each has a meaning


def test_the_table_of_presets_holds_what_they_hold(generated: ModuleType) -> None:
    head, _, *rows = (line.strip("| ").split(" | ") for line in generated.presets().splitlines())
    assert head[2:] == [f"`{name}`" for name in PRESETS]
    (sizes,) = (row[2:] for row in rows if row[:2] == ["`vocabulary`", "`size`"])
    assert [int(size.replace(",", "")) for size in sizes] == [load_preset(name).vocabulary.size for name in PRESETS]


def test_the_changelog_begins_with_this_version() -> None:
    versions = re.findall(r"^## (\d\S*)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert versions[0] == VERSION


def test_the_readme_is_a_page() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150
