"""The comparison report: one HTML page that needs nothing beside itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, NamedTuple

from nmt_keras.report.chart import Chart, Table
from nmt_keras.report.interactive import plot
from nmt_keras.system.files import atomic_write


class Claim(NamedTuple):
    """Something that is said of architectures, held against an experiment.

    Args:
        statement: a sentence.
        supported: whether the figures bear it out; None where there are none.
        evidence: the figures, a sentence each.
        lacking: why there are none, if so.
    """

    statement: str
    supported: bool | None
    evidence: Sequence[str]
    lacking: str


class TranslationExample(NamedTuple):
    """One sentence as two systems translate it.

    Args:
        source: the sentence.
        reference: what it should read.
        one: translation of the first system.
        other: translation of the second.
        one_score: sentence BLEU of the first, percent.
        other_score: sentence BLEU of the second.
    """

    source: str
    reference: str
    one: str
    other: str
    one_score: float
    other_score: float


class SystemPair(NamedTuple):
    """Two systems sentence by sentence.

    Args:
        one: name of the first.
        other: name of the second.
        better: sentences that the first translates much better, the largest difference first.
        worse: those that the second does.
    """

    one: str
    other: str
    better: Sequence[TranslationExample]
    worse: Sequence[TranslationExample]


@dataclass(frozen=True)
class Report:
    """All that the page shows. A section without content says so.

    Args:
        title: what was compared.
        facts: name and value, in the head of the page.
        notice: what a reader of the figures must know first; may be empty.
        findings: sentences that sum up.
        claims: held against this experiment.
        tables: "scores", and any others by name; those whose name begins with "pairs" compare pairs.
        charts: by name: "ranking", "curves-...", "length", "agreement", "step-time", "encoding-time", "gradients".
        notes: a sentence or two below a chart or table, by its name.
        attention: for the explorer: "sentences", and by architecture for each of them "target" and "maps"
            (`measurements.attention_to_json`).
        system_pairs: each two systems.
        commands: to run it again.
        versions: name and value: packages, machine, data, vocabulary, commit.
    """

    title: str
    facts: Sequence[tuple[str, str]]
    notice: str
    findings: Sequence[str]
    claims: Sequence[Claim]
    tables: Mapping[str, Table]
    charts: Mapping[str, Chart]
    notes: Mapping[str, str] = field(default_factory=dict)
    attention: Mapping[str, Any] = field(default_factory=dict)
    system_pairs: Sequence[SystemPair] = ()
    commands: Sequence[str] = ()
    versions: Sequence[tuple[str, str]] = ()


def marked(text: str, reference: str) -> list[tuple[str, bool]]:
    """A translation in runs of words, each with whether it differs from the reference (longest common blocks)."""
    words = text.split()
    matcher = SequenceMatcher(None, words, reference.split(), autojunk=False)
    return [
        (" ".join(words[start:end]), kind != "equal") for kind, start, end, *_ in matcher.get_opcodes() if end > start
    ]


def write_page(report: Report, path: Path) -> Path:
    """Renders the report.

    Args:
        report: what it says.
        path: of the HTML file to write.

    Returns:
        the path.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from plotly.offline import get_plotlyjs

    environment = Environment(
        loader=PackageLoader("nmt_keras.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["marked"] = marked
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}  # and keys in their order
    html = environment.get_template("report.html").render(
        report=report,
        plots={name: plot(chart) for name, chart in report.charts.items()},
        plotly=get_plotlyjs(),
    )
    with atomic_write(path) as temporary:
        temporary.write_text(html, encoding="utf-8")
    return path
