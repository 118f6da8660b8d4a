"""Batches, the bounded queue and the end of the batcher, with a function that waits until it is told to go on."""

import threading
from collections.abc import Iterator
from concurrent.futures import wait
from typing import Any

import pytest

from nmt_keras.serving.batcher import Batcher, QueueFullError


class Gate:
    """Upper case, once it is opened; records its batches."""

    def __init__(self) -> None:
        self.batches: list[tuple[Any, list[str]]] = []
        self.entered = threading.Semaphore(0)
        self.open = threading.Event()

    def __call__(self, kind: Any, sentences: list[str]) -> list[str]:
        self.batches.append((kind, sentences))
        self.entered.release()
        assert self.open.wait(60)
        if "fails" in sentences:
            raise ValueError("no such word")
        return [sentence.upper() for sentence in sentences]


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def batcher(gate: Gate) -> Iterator[Batcher]:
    batcher = Batcher(gate, max_batch=3, max_waiting=5)
    yield batcher
    gate.open.set()
    batcher.close()


def test_what_comes_meanwhile_shares_batches(gate: Gate, batcher: Batcher) -> None:
    first = batcher.submit("a", ["one"])
    gate.entered.acquire()
    others = [*batcher.submit("a", ["two"]), *batcher.submit("b", ["three"]), *batcher.submit("a", ["four", "five"])]
    assert batcher.waiting == 4
    gate.open.set()
    assert [answer.result(60) for answer in [*first, *others]] == ["ONE", "TWO", "THREE", "FOUR", "FIVE"]
    assert gate.batches == [("a", ["one"]), ("a", ["two", "four", "five"]), ("b", ["three"])]


def test_long_sentences_do_not_share_a_batch(gate: Gate) -> None:
    batcher = Batcher(gate, max_batch=9, max_waiting=9, max_characters=10)
    answers = batcher.submit("a", ["first"])
    gate.entered.acquire()
    answers += batcher.submit("a", ["x" * 6, "y" * 5, "zzzz", "longer than all", "z"])
    gate.open.set()
    wait(answers, 60)
    batcher.close()
    assert [batch for _, batch in gate.batches] == [
        ["first"],
        ["x" * 6, "zzzz"],
        ["y" * 5, "z"],
        ["longer than all"],
    ]


def test_a_full_queue_takes_all_or_nothing(gate: Gate, batcher: Batcher) -> None:
    answers = batcher.submit("a", ["one"])
    gate.entered.acquire()
    answers += batcher.submit("a", ["two"] * 3)
    with pytest.raises(QueueFullError):
        batcher.submit("a", ["three"] * 3)
    answers += batcher.submit("a", ["four"] * 2)
    with pytest.raises(QueueFullError):
        batcher.submit("a", ["five"])
    gate.open.set()
    wait(answers, 60)
    assert [text for _, sentences in gate.batches for text in sentences] == ["one", *["two"] * 3, *["four"] * 2]
    assert batcher.submit("a", ["six"])[0].result(60) == "SIX"


def test_an_error_is_told_to_those_who_asked_and_to_no_other(gate: Gate, batcher: Batcher) -> None:
    gate.open.set()
    (failed,) = batcher.submit("a", ["fails"])
    with pytest.raises(ValueError, match="no such word"):
        failed.result(60)
    assert batcher.submit("a", ["one"])[0].result(60) == "ONE"


def test_what_nobody_waits_for_is_not_computed(gate: Gate, batcher: Batcher) -> None:
    first = batcher.submit("a", ["one"])
    gate.entered.acquire()
    second, third = batcher.submit("a", ["two", "three"])
    assert second.cancel()
    gate.open.set()
    assert [first[0].result(60), third.result(60)] == ["ONE", "THREE"]
    assert gate.batches == [("a", ["one"]), ("a", ["three"])]


def test_the_end_finishes_what_was_taken_and_takes_no_more(gate: Gate) -> None:
    batcher = Batcher(gate, max_batch=2, max_waiting=9)
    answers = batcher.submit("a", ["one", "two", "three", "four", "five"])
    closing = threading.Thread(target=batcher.close)
    closing.start()
    gate.open.set()
    closing.join(60)
    assert [answer.result(0) for answer in answers] == ["ONE", "TWO", "THREE", "FOUR", "FIVE"]
    with pytest.raises(QueueFullError):
        batcher.submit("a", ["six"])
    assert Batcher(gate, 1, 1).close() is None  # nothing was asked


def test_many_callers_get_their_own_answers() -> None:
    batcher = Batcher(lambda kind, sentences: [f"{kind}{sentence}" for sentence in sentences], 7, 10_000)
    answers: dict[tuple[int, int], Any] = {}

    def call(caller: int) -> None:
        for number in range(100):
            (answers[caller, number],) = batcher.submit(caller % 3, [f" {caller} {number}"])

    threads = [threading.Thread(target=call, args=(caller,)) for caller in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    batcher.close()
    assert {key: answer.result(0) for key, answer in answers.items()} == {
        (caller, number): f"{caller % 3} {caller} {number}" for caller in range(8) for number in range(100)
    }
