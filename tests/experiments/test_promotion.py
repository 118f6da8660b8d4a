"""Only a better model becomes the champion."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nmt_keras.analysis.evaluation import Evaluation
from nmt_keras.cli.main import main
from nmt_keras.data.parallel_text import ParallelText
from nmt_keras.decoding.translator import Translation
from nmt_keras.errors import ConfigError
from nmt_keras.experiments import promotion
from nmt_keras.experiments.promotion import PromotionRules, evaluate_candidate

NAME = ["--name", "nmt-eng-fra"]


@pytest.mark.heavy
def test_a_worse_model_is_refused(
    tracking_server: Path, digit_files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for epochs in ("30", "1"):
        training = [
            "train", "--preset", "debug", "--architecture", "transformer", "--corpus", str(digit_files),
            "--source-language", "eng", "--target-language", "fra", "--vocabulary.size", "300",
            "--training.batch_tokens", "128", "--training.learning_rate", "0.01",
            "--training.epochs", epochs, "--training.validate_every", "30", "--output", f"epochs{epochs}",
        ]  # fmt: skip
        assert main(training) == 0
        assert main(["register", "--model", f"epochs{epochs}"]) == 0
    capsys.readouterr()

    def promote(*options: str) -> tuple[int, str, list[int]]:
        """The exit code, what was printed, and which version is the champion."""
        from nmt_keras.tracking.registry import versions

        files = ["--source-file", str(digit_files / "train.eng"), "--reference-file", str(digit_files / "train.fra")]
        code = main(["promote", *NAME, *files, *options])
        printed = capsys.readouterr()
        champions = [version.number for version in versions("nmt-eng-fra") if "champion" in version.aliases]
        return code, printed.out + printed.err, champions

    code, printed, champions = promote()
    assert (code, champions) == (2, [1])
    assert "Version 2 of nmt-eng-fra was refused: gain: BLEU" in printed
    assert "kept    export: the exported model translates 50 sentences as the model in memory" in printed
    monkeypatch.setattr(promotion, "_export", lambda *arguments: promotion.RuleResult("export", True, ""))  # takes long

    code, printed, champions = promote("--dry-run")
    assert (code, champions) == (2, [1])
    assert "Without --dry-run: refused" in printed

    code, printed, champions = promote("--force")
    assert (code, champions) == (0, [2])
    assert "Forced: version 2 of nmt-eng-fra is the champion in place of version 1." in printed

    code, printed, champions = promote("--model", "models:/nmt-eng-fra/1", "--max-milliseconds", "0.001")
    assert (code, champions) == (2, [2])
    assert "refused: latency:" in printed

    code, printed, champions = promote("--model", "models:/nmt-eng-fra/1")
    assert (code, champions) == (0, [1])
    assert "BROKEN" not in printed

    assert main(["models", *NAME]) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert [(row.split("|")[1].strip(), "champion" in row) for row in rows[-2:]] == [("2", False), ("1", True)]
    assert "forced" in rows[-2]
    assert "promoted" in rows[-1]

    assert main(["rollback", *NAME]) == 0
    assert "champion is version 2 again, in place of version 1" in capsys.readouterr().out
    code, printed, champions = promote("--model", "models:/nmt-eng-fra/1")
    assert (code, champions) == (2, [2])
    assert "Version 1 of nmt-eng-fra was rolled back. --force promotes it all the same." in printed


REFERENCES = [f"the cat number {number} sat on the mat and saw a dog" for number in range(240)]
SOURCES = ["a b c"] * 120 + ["a b c d e f g"] * 120


def evaluation(wrong: range) -> Evaluation:
    """Right translations, but for some."""
    hypotheses = ["nothing of the kind" if index in wrong else reference for index, reference in enumerate(REFERENCES)]
    return Evaluation.of(ParallelText(SOURCES, REFERENCES), [Translation(text, 0.0) for text in hypotheses], 1.0)


@pytest.mark.parametrize(
    ("own", "other", "rules", "broken"),
    [
        (range(0), range(60), PromotionRules(), []),
        (range(60), range(0), PromotionRules(), ["gain", "length 1-5"]),
        (range(60), range(60), PromotionRules(), ["gain"]),
        (range(1), range(2), PromotionRules(min_gain=0.0), ["gain"]),  # by chance
        (range(0), range(5), PromotionRules(min_gain=0.0), ["gain"]),  # by chance, though all five agree
        (range(0), range(60), PromotionRules(min_gain=50.0), ["gain"]),
        (range(40), range(120, 220), PromotionRules(), ["length 1-5"]),  # better in all, worse where short
        (range(40), range(120, 220), PromotionRules(max_fall=60.0), []),
    ],
)
def test_what_is_asked_of_a_new_champion(
    own: range, other: range, rules: PromotionRules, broken: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Loaded:
        def __init__(self, wrong: range) -> None:
            self.evaluation = evaluation(wrong)
            self.description = SimpleNamespace(source_language="en", target_language="fr")

    monkeypatch.setattr(promotion, "evaluate", lambda translator, *_: translator.evaluation)
    monkeypatch.setattr(
        promotion, "InferenceModel", SimpleNamespace(of=lambda loaded: SimpleNamespace(translator=loaded))
    )
    monkeypatch.setattr(promotion, "_export", lambda *arguments: promotion.RuleResult("export", True, ""))
    monkeypatch.setattr(promotion, "_latency", lambda *arguments: promotion.RuleResult("latency", True, ""))
    candidate: Any = Loaded(own)
    champion: Any = Loaded(other)
    results = evaluate_candidate(candidate, Path("export"), champion, ParallelText(SOURCES, REFERENCES), rules)
    assert [result.rule for result in results] == ["gain", "length 1-5", "length 6-10", "export", "latency"]
    assert [result.rule for result in results if not result.kept] == broken
    (first, *_) = evaluate_candidate(candidate, Path("export"), None, ParallelText(SOURCES, REFERENCES), rules)
    assert first.kept


@pytest.mark.parametrize("wrong", [{"min_gain": -1.0}, {"max_fall": float("nan")}, {"max_milliseconds": 0.0}])
def test_rules_have_limits(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=f"--{next(iter(wrong)).replace('_', '-')} must be"):
        PromotionRules(**wrong)
