"""How fast a model translates, by a clock that only its translations advance."""

from types import SimpleNamespace
from typing import Any

import pytest

from nmt_keras.analysis import evaluation
from nmt_keras.data.parallel_text import ParallelText


class Timed:
    """A translator that needs so many seconds for the first call, and then for each next one."""

    def __init__(self, *seconds: float) -> None:
        self.now = 0.0
        self.seconds = iter(seconds)
        self.calls: list[list[str]] = []

    def translate(self, sentences: list[str], progress: Any = None) -> list[Any]:
        self.calls.append(list(sentences))
        self.now += next(self.seconds)
        return [SimpleNamespace(text=sentence, score=0.0) for sentence in sentences]


def test_latency_is_the_median_in_milliseconds_without_the_first_call(monkeypatch: pytest.MonkeyPatch) -> None:
    translator: Any = Timed(9.0, 0.005, 0.007, 0.006)
    monkeypatch.setattr(evaluation, "time", SimpleNamespace(perf_counter=lambda: translator.now))
    assert evaluation.median_latency_ms(translator, ["a", "b", "c"]) == pytest.approx(6.0)
    assert translator.calls == [["a"], ["a"], ["b"], ["c"]]


def test_sentences_per_second_are_those_of_the_search_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    translator: Any = Timed(100.0, 4.0)
    monkeypatch.setattr(evaluation, "time", SimpleNamespace(perf_counter=lambda: translator.now))
    found = evaluation.evaluate(translator, ParallelText(["", "b", "c"], ["x", "b", "c"]), "en", "fr")
    assert found.sentences_per_second == pytest.approx(3 / 4)
    assert translator.calls == [["b"], ["", "b", "c"]]
