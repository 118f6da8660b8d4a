"""Fill in the tables of settings when the pages are built (a hook of mkdocs).

A page holds `<!-- settings -->` or `<!-- presets -->` where they go.
"""

import inspect
import re
from dataclasses import MISSING, Field, asdict, fields
from typing import Any, Literal, get_args, get_origin

from nmt_keras.config import ARCHITECTURES, PRESETS, SECTIONS, load_preset

_CLASSES: dict[str, Any] = {**SECTIONS, **{name: each.config_class for name, each in ARCHITECTURES.items()}}


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the marks in the text of a page."""
    for mark, make in {"settings": settings, "presets": presets}.items():
        if f"<!-- {mark} -->" in markdown:
            markdown = markdown.replace(f"<!-- {mark} -->", make())
    return markdown


def settings() -> str:
    """Return a table of the settings for each class of them: name, values, default and meaning."""
    sections: dict[Any, list[str]] = {}
    for name, section in _CLASSES.items():
        sections.setdefault(section, []).append(name)
    return "\n\n".join(_section(names, section) for section, names in sections.items())


def _section(names: list[str], section: Any) -> str:
    fixed = {key for name in names if name in ARCHITECTURES for key in ARCHITECTURES[name].fixed}
    meaning = argument_texts(section)
    rows = [
        [f"`{each.name}`", _values(each), _default(each), meaning[each.name]]
        for each in fields(section)
        if each.name not in fixed
    ]
    title = ", ".join(f"`--{name}.…`" for name in names)
    return f"### {title}\n\n" + table(["setting", "values", "default", "meaning"], rows)


def argument_texts(section: Any) -> dict[str, str]:
    """Return what the docstrings of a class and of those it stems from say of each argument."""
    texts: dict[str, str] = {}
    for each in reversed(section.__mro__):
        _, _, arguments = inspect.cleandoc(each.__doc__ or "").partition("\nArgs:\n")
        for found in re.finditer(r"^    (\w+): (.*(?:\n {5,}.*)*)", arguments, re.MULTILINE):
            texts[found[1]] = " ".join(found[2].split())
    return texts


def _values(each: Field[Any]) -> str:
    if "range" in each.metadata:
        low, high = each.metadata["range"]
        null = " or `null`" if each.default is None else ""
        return f"{_shown(low)} to {_shown(high)}{null}"
    if get_origin(each.type) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(each.type))
    if each.type is bool:
        return "`true`, `false`"
    return f"`{getattr(each.type, '__name__', each.type)}`"


def _default(each: Field[Any]) -> str:
    return "" if each.default is MISSING else _shown(each.default)


def _shown(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return f"`{'null' if value is None else str(value).lower()}`"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer() and 1 <= value < 1e6):
        return f"{int(value):,}" if value < 10**7 else f"{float(value):g}"
    return f"{value:g}" if isinstance(value, float) else f"`{value}`"


def presets() -> str:
    """Return a table of the values of every setting in every preset, where they are not the same in all."""
    values = {name: _flat(name) for name in PRESETS}
    alike: dict[tuple[str, ...], list[str]] = {}
    for section, key in values[PRESETS[0]]:
        shown = [_shown(values[name][section, key]) for name in PRESETS]
        if len(set(shown)) > 1:
            alike.setdefault((key, *shown), []).append(section)
    rows = [
        [", ".join(f"`{section}`" for section in sections), f"`{key}`", *shown]
        for (key, *shown), sections in alike.items()
    ]
    return table(["section", "setting", *(f"`{name}`" for name in PRESETS)], rows)


def _flat(name: str) -> dict[tuple[str, str], Any]:
    preset = load_preset(name)
    sections = {section: asdict(getattr(preset, section)) for section in SECTIONS}
    sections |= {architecture: asdict(sizes) for architecture, sizes in preset.architectures.items()}
    return {(section, key): value for section, items in sections.items() for key, value in items.items()}


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
