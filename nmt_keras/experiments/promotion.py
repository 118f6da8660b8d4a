"""Whether a model may take the champion's place: the rules, and what was found for each."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from nmt_keras.analysis.evaluation import Evaluation, InferenceModel, evaluate, median_latency_ms
from nmt_keras.data.parallel_text import ParallelText
from nmt_keras.errors import ConfigError, ModelError
from nmt_keras.metrics.bootstrap import interval, mean_bleu, sentence_counts
from nmt_keras.metrics.by_length import length_buckets
from nmt_keras.metrics.significance import compare_systems
from nmt_keras.models.directory import LoadedModel
from nmt_keras.serving.savedmodel import check_export, check_translations, load_export

_LEAST_SENTENCES = 100  # of a length bucket that is looked at
_TIMED_SENTENCES = 30


@dataclass(frozen=True)
class PromotionRules:
    """What a new champion must keep.

    Args:
        min_gain: BLEU above the champion's, at least; the gain must be significant, too.
        max_fall: BLEU that a bucket of source lengths may lose at most, where the loss's 95% interval excludes 0.
        max_milliseconds: median time of one sentence alone; None for any.
        export_sentences: so many sentences must come out of the exported model as they do here.
    """

    min_gain: float = 0.5
    max_fall: float = 2.0
    max_milliseconds: float | None = None
    export_sentences: int = 50

    def __post_init__(self) -> None:
        limit = self.max_milliseconds
        kept = {
            "--min-gain must be at least 0": (self.min_gain, self.min_gain >= 0),
            "--max-fall must be at least 0": (self.max_fall, self.max_fall >= 0),
            "--max-milliseconds must be above 0": (limit, limit is None or limit > 0),
            "--export-sentences must be at least 1": (self.export_sentences, self.export_sentences >= 1),
        }
        faults = [
            f"{rule}. Received: {rule.split()[0]} {value}." for rule, (value, is_kept) in kept.items() if not is_kept
        ]
        if faults:
            raise ConfigError("\n".join(faults))


class RuleResult(NamedTuple):
    """What was found for one rule.

    Args:
        rule: its name, such as "gain".
        kept: whether the candidate keeps it.
        figures: what was measured, beside what is asked.
    """

    rule: str
    kept: bool
    figures: str


def evaluate_candidate(
    candidate: LoadedModel, export: Path, champion: LoadedModel | None, text: ParallelText, rules: PromotionRules
) -> list[RuleResult]:
    """Measures a candidate, and the champion beside it, on the same test set.

    Args:
        candidate: who wants to be champion.
        export: what would be served of it.
        champion: who is; without one, the rules that compare are kept.
        text: the test set.
        rules: what is asked.

    Returns:
        One result for each rule, and one for each length bucket of 100 sentences and more.
    """
    ready = InferenceModel.of(candidate)
    languages = candidate.description.source_language, candidate.description.target_language
    own = evaluate(ready.translator, text, *languages)
    if champion is None:
        figures = f"BLEU {own.bleu.score:.2f}; there is no champion to compare with"
        results = [RuleResult("gain", True, figures)]
    else:
        other = evaluate(InferenceModel.of(champion).translator, text, *languages)
        results = [
            _gain(own, other, text, languages[1], rules),
            *_length_regressions(own, other, text, *languages, rules),
        ]
    results.append(_export(candidate, export, own, text, rules.export_sentences))
    return [*results, _latency(ready, text.sources, rules)]


def _gain(own: Evaluation, other: Evaluation, text: ParallelText, language: str, rules: PromotionRules) -> RuleResult:
    (pair,) = compare_systems({"candidate": [own.hypotheses], "champion": [other.hypotheses]}, text.targets, language)
    figures = (
        f"BLEU {own.bleu.score:.2f}, champion {other.bleu.score:.2f}: {pair.difference.value:+.2f} "
        f"({pair.difference.low:+.2f} to {pair.difference.high:+.2f}; "
        f"p {max(pair.bootstrap_p, pair.randomization_p):.4f}); at least {rules.min_gain:+.2f} and p < 0.05 are asked"
    )
    return RuleResult("gain", pair.significant and pair.difference.value >= max(rules.min_gain, 1e-9), figures)


def _length_regressions(
    own: Evaluation,
    other: Evaluation,
    text: ParallelText,
    source_language: str,
    target_language: str,
    rules: PromotionRules,
) -> list[RuleResult]:
    counts = [sentence_counts(found.hypotheses, text.targets, target_language).counts for found in (own, other)]
    results = []
    for first, last, members in length_buckets(text.sources, language=source_language):
        if len(members) < _LEAST_SENTENCES:
            continue
        (candidate, resampled), (champion, others) = (mean_bleu([of_system[members]]) for of_system in counts)
        change = interval(candidate.value - champion.value, resampled - others)
        fell = change.value < -rules.max_fall and change.excludes_zero
        figures = (
            f"BLEU {change.value:+.2f} ({change.low:+.2f} to {change.high:+.2f}) on {len(members)} sentences; "
            f"a fall of more than {rules.max_fall:.2f} with an interval that excludes 0 is refused"
        )
        results.append(RuleResult(f"length {first}-{last or ''}", not fell, figures))
    return results


def _export(candidate: LoadedModel, path: Path, own: Evaluation, text: ParallelText, most: int) -> RuleResult:
    try:
        exported = load_export(path)
        check_export(exported)
        longest = exported.card["limits"]["max_source_tokens"]  # longer ones are split
        lengths = candidate.tokenizer.encode_all(text.sources[:most])
        places = [place for place, ids in enumerate(lengths) if len(ids) <= longest]
        expected = [own.translations[place] for place in places]
        check_translations(
            exported,
            [text.sources[place] for place in places],
            [translation.text for translation in expected],
            [translation.score for translation in expected],
        )
    except ModelError as error:
        return RuleResult("export", False, str(error))
    return RuleResult("export", True, f"the exported model translates {len(places)} sentences as the model in memory")


def _latency(candidate: InferenceModel, sentences: Sequence[str], rules: PromotionRules) -> RuleResult:
    milliseconds = median_latency_ms(candidate.translator, sentences[:_TIMED_SENTENCES])
    limit = rules.max_milliseconds
    asked = "no limit is set" if limit is None else f"at most {limit:g} are asked"
    return RuleResult("latency", limit is None or milliseconds <= limit, f"{milliseconds:.1f} ms a sentence; {asked}")
