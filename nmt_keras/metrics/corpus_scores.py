"""Corpus BLEU, chrF and TER by sacreBLEU, each with the signature that makes the figure comparable."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nmt_keras.errors import UserError
from nmt_keras.metrics.tokenization import tokenization, words

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric


@dataclass(frozen=True)
class Score:
    """A figure and the settings it was measured with.

    Args:
        score: percent. BLEU and chrF: 0 to 100, higher is better. TER: lower is better, and may exceed 100.
        signature: in sacreBLEU's own format: "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0".
    """

    score: float
    signature: str


def bleu(hypotheses: Sequence[str], references: Sequence[str], language: str = "") -> Score:
    """BLEU of a corpus (Papineni et al. 2002; Post 2018): cased, one reference each.

    Args:
        hypotheses: translations, detokenized; an empty translation is allowed.
        references: what each should read, detokenized, as many.
        language: code of theirs, for the `tokenization`.

    Raises:
        UserError: nothing to score, or the two differ in length.
    """
    from sacrebleu.metrics import BLEU

    return _score("BLEU", BLEU(tokenize=tokenization(language)), hypotheses, references)


def chrf(hypotheses: Sequence[str], references: Sequence[str]) -> Score:
    """chrF2 of a corpus (Popović 2015): F-score of character n-grams; arguments and errors as `bleu`."""
    from sacrebleu.metrics import CHRF

    return _score("chrF", CHRF(), hypotheses, references)


def ter(hypotheses: Sequence[str], references: Sequence[str], language: str = "") -> Score:
    """Translation edit rate of a corpus (Snover et al. 2006); arguments and errors as `bleu`.

    TER = (insertions + deletions + substitutions + shifts of phrases) / words of the references

    Words are those between spaces, or those that BLEU parts in languages without spaces.
    """
    from sacrebleu.metrics import TER

    if tokenization(language) == "13a":
        return _score("TER", TER(case_sensitive=True), hypotheses, references)
    # TER's own treatment of Asian text leaves Thai, Khmer and kana in one piece.
    parted = [[" ".join(words(sentence, language)) for sentence in side] for side in (hypotheses, references)]
    score = _score("TER", TER(case_sensitive=True), *parted)
    return replace(score, signature=f"{score.signature}|characters:parted")


def _score(name: str, metric: "Metric", hypotheses: Sequence[str], references: Sequence[str]) -> Score:
    if len(hypotheses) != len(references) or not hypotheses:
        raise UserError(
            f"{name} needs one reference for each hypothesis, and at least one of them. "
            f"Received: {len(hypotheses)} hypotheses, {len(references)} references."
        )
    result = metric.corpus_score(hypotheses, [references])
    return Score(score=float(result.score), signature=str(metric.get_signature()))
