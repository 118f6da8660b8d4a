"""The comparison of an experiment as one report: tables, charts, claims, examples, and how to make it again."""

import os
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import keras
import numpy as np

from nmt_keras.data.parallel_text import Corpus
from nmt_keras.experiments.charts import chart_notes, charts
from nmt_keras.experiments.claims import claims
from nmt_keras.experiments.comparison import bleu_by_length, by_architecture, counts_by_architecture
from nmt_keras.experiments.run import Outcome, TrainedModel
from nmt_keras.metrics.adequacy import rare_word_recall, repetition, word_counts
from nmt_keras.metrics.bootstrap import Interval, SentenceCounts, mean_bleu
from nmt_keras.metrics.significance import PairedComparison
from nmt_keras.metrics.tokenization import sentence_lengths
from nmt_keras.report.chart import Table
from nmt_keras.report.figures import chart_image
from nmt_keras.report.page import Report, SystemPair, TranslationExample, write_page
from nmt_keras.report.summary import mean_of_seeds
from nmt_keras.system.processes import processors
from nmt_keras.tracking.git import git_tags
from nmt_keras.version import versions

_EXAMPLES = 4  # wins, and as many losses, of each two systems
_PACKAGES = (
    "keras",
    "tensorflow",
    "tensorflow-text",
    "numpy",
    "sacrebleu",
    "sentencepiece",
    "mlflow",
    "plotly",
)

Grouped = Mapping[str, Sequence[TrainedModel]]


def write_report(
    corpus: Corpus, outcome: Outcome, comparisons: Mapping[str, Sequence[PairedComparison]], command: str
) -> Path:
    """Writes report.html into the experiment's directory, and logs it with its images and tables.

    Args:
        corpus: what was trained and tested on.
        outcome: of the experiment.
        comparisons: by test split, of each two architectures; without any where there is one.
        command: what the user typed.
    """
    report = comparison_report(corpus, outcome, comparisons, command)
    path = write_page(report, outcome.directory / "report.html")
    outcome.run.log_file(path)
    for name, chart in report.charts.items():
        outcome.run.log_image(chart_image(chart, outcome.directory / "figures" / f"{name}.png"), name)
    for table in report.tables.values():
        columns = {name: [row[place] for row in table.rows] for place, name in enumerate(table.columns)}
        outcome.run.log_table(columns, f"tables/{table.name}")
    return path


def comparison_report(
    corpus: Corpus, outcome: Outcome, comparisons: Mapping[str, Sequence[PairedComparison]], command: str
) -> Report:
    """Collects what the page shows; arguments as `write_report`."""
    grouped = by_architecture(outcome.models)
    grouped = {name: grouped[name] for name in dict.fromkeys(m.settings.architecture for m in outcome.models.values())}
    splits = list(next(iter(outcome.models.values())).evaluations)
    counts = counts_by_architecture(outcome.models, corpus, splits)
    sources = list(chain.from_iterable(corpus.split(split).sources for split in splits))
    size = len(corpus.split("test"))
    tests = {name: mean_bleu([of.counts[:size] for of in counts[name]])[0] for name in grouped}  # splits begin so
    ranked = sorted(grouped, key=lambda name: tests[name].value, reverse=True)
    buckets = bleu_by_length(sources, counts, corpus.source_language)
    longest = _longest_trained_on(corpus, outcome.models.values())
    pairs = list(comparisons.get("test", ()))
    scores, notes = _scores(corpus, grouped, ranked, tests, pairs)
    seeds = sorted({model.settings.seed for model in outcome.models.values()})
    return Report(
        title=f"{Path(corpus.name).name}: {corpus.source_language} to {corpus.target_language}",
        facts=[
            ("architectures", str(len(grouped))),
            ("seeds", ", ".join(map(str, seeds))),
            ("test sentences", f"{size:,}"),
            ("training pairs", f"{len(corpus.split('train')):,}"),
            ("best", ranked[0]),
        ],
        notice=corpus.notice,
        findings=list(_findings(ranked, tests, pairs, len(seeds))),
        claims=claims(grouped, [bucket for bucket in buckets if bucket.mean_length <= longest]),
        tables={"scores": scores}
        | {f"pairs-{split}": _pairs(list(of), split) for split, of in comparisons.items() if of},
        charts={chart.name: chart for chart in charts(grouped, ranked, tests, buckets)},
        notes=notes | chart_notes(grouped, splits, buckets),
        attention=_attention(grouped),
        system_pairs=_system_pairs(corpus, grouped, counts),
        commands=["pip install -e .", command],
        versions=list(_versions(corpus, outcome)),
    )


def _longest_trained_on(corpus: Corpus, models: Iterable[TrainedModel]) -> int:
    """Length of the longest source that every training kept, or less where shorter ones were left out."""
    left_out = max(sum(model.summary.dropped.values()) for model in models)
    lengths = sorted(sentence_lengths(corpus.split("train").sources, corpus.source_language))
    return lengths[-1 - left_out]


def _findings(
    ranked: Sequence[str], tests: Mapping[str, Interval], pairs: Sequence[PairedComparison], seeds: int
) -> Iterator[str]:
    best, *others = ranked
    yield f"{best} has the highest BLEU on test, {tests[best].value:.2f}" + (
        f" (mean of {seeds} seeds)." if seeds > 1 else "."
    )
    equal = [name for name in others if not _significant(pairs, best, name)]
    if others and not pairs:
        yield "No seed was trained with every architecture: the differences are not tested."
    elif equal:
        yield f"Its difference from {', '.join(equal)} is not significant."
    elif others:
        yield "It differs significantly from each of the others."
    if seeds == 1:
        yield "There is one seed: how much another seed would change is not known."
    elif pairs:
        yield (
            "Tests and intervals draw test sentences and keep the seeds as they are: compare a difference with the "
            "deviation over the seeds, too."
        )


def _significant(pairs: Sequence[PairedComparison], one: str, other: str) -> bool:
    return any(pair.significant for pair in pairs if {pair.system, pair.other} == {one, other})


def _scores(
    corpus: Corpus,
    grouped: Grouped,
    ranked: Sequence[str],
    tests: Mapping[str, Interval],
    pairs: Sequence[PairedComparison],
) -> tuple[Table, dict[str, str]]:
    test, language = corpus.split("test"), corpus.target_language
    seen = word_counts(corpus.split("train").targets, language)
    # The BLEU that every architecture reaches, so that each has a time to it.
    goal = min(
        max(row["valid_bleu"] for row in model.summary.history) for trained in grouped.values() for model in trained
    )
    # With fewer validations, that time is how long the training took.
    timed = all(len(model.summary.history) > 2 for trained in grouped.values() for model in trained)
    rows = []
    for name in ranked:
        trained = grouped[name]
        hypotheses = [model.evaluations["test"].hypotheses for model in trained]
        recalls = [rare_word_recall(of_seed, test.targets, seen, language) for of_seed in hypotheses]
        times = [_seconds_to(model, goal) for model in trained]
        rows.append(
            [
                name,
                mean_of_seeds([model.evaluations["test"].bleu.score for model in trained], ".2f"),
                f"{tests[name].low:.1f} to {tests[name].high:.1f}",
                _difference(pairs, ranked[0], name),
                mean_of_seeds([model.evaluations["test"].chrf.score for model in trained], ".2f"),
                mean_of_seeds([model.measurements.ter.score for model in trained], ".2f"),
                mean_of_seeds([model.measurements.perplexity["test"] for model in trained], ".2f"),
                mean_of_seeds([100 * recall.share for recall in recalls if recall.share is not None], ".1f"),
                mean_of_seeds([100 * repetition(of_seed, language) for of_seed in hypotheses], ".1f"),
                mean_of_seeds([_length_ratio(of_seed, test.targets, language) for of_seed in hypotheses], ".3f"),
                *([mean_of_seeds([seconds / 60 for seconds in times if seconds is not None], ".1f")] if timed else []),
                mean_of_seeds([model.summary.cost.tokens_per_second for model in trained], ",.0f"),
                f"{max(model.summary.peak_memory_bytes for model in trained) / 1e9:.1f}",
                mean_of_seeds([model.measurements.latency_ms for model in trained], ".0f"),
                f"{trained[0].summary.parameters:,}",
            ]
        )
    columns = [
        "architecture", "BLEU", "95% interval", "from the best", "chrF", "TER", "perplexity", "rare words %",
        "repeated %", "length ratio", *([f"minutes to BLEU {goal:.1f}"] if timed else []), "tokens/s", "GB",
        "ms a sentence", "parameters",
    ]  # fmt: skip
    first = grouped[ranked[0]][0]
    signatures = [first.evaluations["test"].bleu, first.evaluations["test"].chrf, first.measurements.ter]
    repeated = 100 * repetition(test.targets, language)
    wanted = rare_word_recall(test.targets, test.targets, seen, language).wanted
    minutes = f"Minutes: of updates, to the first validation BLEU of {goal:.1f}, which every training reached. "
    shared = first.summary.cost.processors < len(processors())
    note = (
        "BLEU, chrF (higher is better) and TER (lower is better) on test, mean ± standard deviation over the seeds. "
        "The interval is that of bootstrap resampling of the test sentences. From the best: the difference in BLEU, "
        "and the larger of its two corrected p-values. Perplexity is per vocabulary token. "
        f"Rare words: share of the {wanted:,} words of the references that training has ten times or less. "
        f"Repeated: bigrams that their sentence already had (references: {repeated:.1f}%). "
        f"{minutes if timed else ''}Tokens/s: target tokens in training. Each training had "
        f"{first.summary.cost.processors} CPU{' while others ran beside it' if shared else ''}. "
        "GB: peak memory of the training's process. ms a sentence: median latency, one sentence at a time. Signatures: "
        + "; ".join(score.signature for score in signatures)
    )
    return Table("scores", "Scores, costs and speeds", columns, rows), {"scores": note}


def _difference(pairs: Sequence[PairedComparison], best: str, name: str) -> str:
    for pair in pairs:
        if {pair.system, pair.other} == {best, name}:
            p = max(pair.bootstrap_p, pair.randomization_p)
            difference = pair.difference.value if pair.system == name else -pair.difference.value
            return f"{difference:+.2f} (p {p:.4f})".replace("-", "−")
    return "best" if name == best else "–"


def _seconds_to(model: TrainedModel, goal: float) -> float | None:
    reached = [row for row in model.summary.history if row["valid_bleu"] >= goal]
    return reached[0]["training_seconds"] if reached else None


def _length_ratio(hypotheses: Sequence[str], references: Sequence[str], language: str) -> float:
    hypothesis, reference = (word_counts(sentences, language).total() for sentences in (hypotheses, references))
    return hypothesis / max(reference, 1)


def _pairs(pairs: Sequence[PairedComparison], split: str) -> Table:
    rows = [
        [
            f"{pair.system} − {pair.other}",
            f"{pair.difference.value:+.2f}",
            f"{pair.difference.low:+.2f} to {pair.difference.high:+.2f}",
            f"{pair.bootstrap_p:.4f}",
            f"{pair.randomization_p:.4f}",
            "different" if pair.significant else "not significant",
        ]
        for pair in pairs
    ]
    columns = [
        "pair", "BLEU difference", "95% interval", "p, paired bootstrap", "p, approximate randomization",
        "at the 5% level",
    ]  # fmt: skip
    return Table(f"pairs-{split}", f"Each two architectures on {split}", columns, rows)


def _attention(grouped: Grouped) -> dict[str, Any]:
    found = {name: trained[0].measurements.attention for name, trained in grouped.items()}
    found = {name: pairs for name, pairs in found.items() if pairs}
    if not found:
        return {}
    sentences = [pair["source"] for pair in next(iter(found.values()))]
    return {"sentences": sentences, "architectures": found}


def _system_pairs(corpus: Corpus, grouped: Grouped, counts: Mapping[str, Sequence[SentenceCounts]]) -> list[SystemPair]:
    """Each two architectures, sentence by sentence on test, with the first seed of each."""
    test = corpus.split("test")
    hypotheses = {name: trained[0].evaluations["test"].hypotheses for name, trained in grouped.items()}
    _, different = np.unique(test.sources, return_index=True)
    system_pairs = []
    for one, other in combinations(grouped, 2):
        scores = [counts[name][0].scores for name in (one, other)]
        gain = scores[0] - scores[1]
        ordered = different[np.argsort(-gain[different], kind="stable")]
        better, worse = (
            [
                TranslationExample(
                    test.sources[index],
                    test.targets[index],
                    hypotheses[one][index],
                    hypotheses[other][index],
                    float(scores[0][index]),
                    float(scores[1][index]),
                )
                for index in chosen[:_EXAMPLES]
                if sign * gain[index] > 0
            ]
            for sign, chosen in ((1, ordered), (-1, ordered[::-1]))
        )
        system_pairs.append(SystemPair(one, other, better, worse))
    return system_pairs


def _versions(corpus: Corpus, outcome: Outcome) -> Iterator[tuple[str, str]]:
    tags = git_tags(Path(__file__))
    commit = tags.get("mlflow.source.git.commit", "not in a git checkout")
    yield "git commit", commit + (", with changes" if tags.get("git_dirty") == "true" else "")
    if outcome.version is not None:
        yield "MLflow run", outcome.run.run_id
        yield "registered", f"{outcome.registered_name} version {outcome.version} ({outcome.best})"
    yield (
        "Python",
        f"{platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} processors",
    )
    yield "Keras backend", keras.backend.backend()
    yield "packages", ", ".join(f"{package} {number}" for package, number in versions(_PACKAGES).items())
    for split, text in corpus.splits.items():
        yield f"{split}: pairs, SHA-256", f"{len(text):,}, {text.sha256}"
    for sha256 in dict.fromkeys(model.measurements.vocabulary_sha256 for model in outcome.models.values()):
        seeds = sorted({m.settings.seed for m in outcome.models.values() if m.measurements.vocabulary_sha256 == sha256})
        yield f"vocabulary of seed {', '.join(map(str, seeds))}, SHA-256", sha256
