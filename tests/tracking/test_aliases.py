import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier

import pytest

from nmt_keras.errors import ModelError
from nmt_keras.tracking import aliases as promotion
from nmt_keras.tracking.aliases import (
    ROLLED_BACK,
    champion_of,
    decision_of,
    promote_candidate,
    promote_champion,
    roll_back,
)
from nmt_keras.tracking.registry import add_version, register, version_of, versions


def test_the_first_candidate_is_the_champion_until_another_is_promoted(client, log_model) -> None:
    numbers = [register(log_model("promotion", test_bleu=1.0).model_uri, "promoted") for _ in range(2)]

    assert promote_candidate("promoted", numbers[0]) == ["candidate", "champion"]
    assert aliases(client) == {"candidate": 1, "champion": 1}
    assert promote_candidate("promoted", numbers[1]) == ["candidate"]
    assert aliases(client) == {"candidate": 2, "champion": 1}
    promote_champion("promoted", numbers[1], instead_of=numbers[0])
    assert aliases(client) == {"candidate": 2, "champion": 2}
    assert champion_of("promoted") == 2
    assert [(version.number, version.aliases) for version in versions("promoted")] == [
        (2, ["candidate", "champion"]),
        (1, []),
    ]
    assert versions("promoted")[0].tags["test_bleu"] == "1"

    def gone(version: int) -> None:
        raise ModelError(f"version {version} is gone")

    with pytest.raises(ModelError, match="version 1 is gone"):
        roll_back("promoted", gone)
    assert (champion_of("promoted"), decision_of("promoted", 2)) == (2, None)
    checked: list[int] = []
    assert roll_back("promoted", checked.append) == (2, 1)
    assert checked == [1]
    assert aliases(client) == {"candidate": 2, "champion": 1}
    assert [decision_of("promoted", version) for version in (1, 2)] == [None, ROLLED_BACK]
    with pytest.raises(ModelError, match="champion 1"):
        roll_back("promoted", checked.append)  # nobody was before the first


def test_the_candidate_stays_the_newest(client, log_model, monkeypatch) -> None:
    first, second = (register(log_model("promotion", test_bleu=1.0).model_uri, "overtaken") for _ in range(2))
    assert promote_candidate("overtaken", second) == ["candidate", "champion"]
    client.set_registered_model_tag("overtaken", "promotion.claim.left", str(int(time.time())))
    client.set_registered_model_tag("overtaken", "promotion.claim.damaged", "?")
    monkeypatch.setattr(promotion, "_WAIT_SECONDS", 0.2)
    assert promote_candidate("overtaken", first) == []
    assert {alias: int(number) for alias, number in client.get_registered_model("overtaken").aliases.items()} == {
        "candidate": second,
        "champion": second,
    }


@pytest.mark.parametrize("previous", ["", "two"])
def test_a_champion_before_that_cannot_be_read_is_none(client, log_model, previous) -> None:
    name = f"damaged-{previous}"
    version = register(log_model("promotion", test_bleu=1.0).model_uri, name)
    promote_candidate(name, version)
    client.set_model_version_tag(name, str(version), "promotion.previous", previous)
    with pytest.raises(ModelError, match="needs an earlier champion"):
        roll_back(name, lambda _: None)


def test_a_claim_that_cannot_be_taken_back_undoes_nothing(client, log_model, monkeypatch) -> None:
    import mlflow

    def refused(*_: object) -> None:
        raise mlflow.exceptions.MlflowException("the store is down")

    version = register(log_model("promotion", test_bleu=1.0).model_uri, "undone")
    monkeypatch.setattr(mlflow.MlflowClient, "delete_registered_model_tag", refused)
    promote_champion("undone", version, instead_of=None)
    assert champion_of("undone") == version


@pytest.mark.parametrize("promote", [promote_candidate, partial(promote_champion, instead_of=None)])
@pytest.mark.parametrize(("name", "version"), [("nobody", 1), ("single", 99)])
def test_an_unknown_version_is_an_error(client, log_model, promote, name, version) -> None:
    register(log_model("promotion", test_bleu=1.0).model_uri, "single")
    with pytest.raises(ModelError, match=f"version {version} of '{name}'"):
        promote(name, version)
    assert client.get_registered_model("single").aliases == {}


def test_a_champion_that_was_not_compared_with_is_not_replaced(client, log_model) -> None:
    first, second = (register(log_model("promotion", test_bleu=1.0).model_uri, "changed") for _ in range(2))
    promote_candidate("changed", first)
    with pytest.raises(ModelError, match="compared with champion none, but the champion is 1 by now"):
        promote_champion("changed", second, instead_of=None)
    assert champion_of("changed") == first
    assert client.get_registered_model("changed").tags == {}  # no claim is left behind


@pytest.mark.parametrize(("age", "taken"), [(5, True), (3600, False)])
def test_a_promotion_under_way_keeps_another_out_but_not_forever(client, log_model, age: int, taken: bool) -> None:
    name = f"claimed-{age}"
    version = register(log_model("promotion", test_bleu=1.0).model_uri, name)
    client.set_registered_model_tag(name, "promotion.claim.other", str(int(time.time()) - age))
    if taken:
        with pytest.raises(ModelError, match="Another promotion"):
            promote_champion(name, version, instead_of=None)
    else:
        promote_champion(name, version, instead_of=None)
    assert champion_of(name) == (None if taken else version)


def test_of_promotions_at_once_at_most_one_wins(store, log_model) -> None:
    numbers = [register(log_model("promotion", test_bleu=1.0).model_uri, "contended") for _ in range(4)]
    together = Barrier(len(numbers))

    def promote(version: int) -> bool:
        together.wait()
        try:
            promote_champion("contended", version, instead_of=None)
        except ModelError:
            return False
        return True

    with ThreadPoolExecutor(len(numbers)) as pool:
        won = list(pool.map(promote, numbers))
    assert sum(won) <= 1
    assert champion_of("contended") == (numbers[won.index(True)] if any(won) else None)


def test_the_version_of_a_reference(client, log_model) -> None:
    logged = log_model("promotion", test_bleu=1.0)
    first = register(logged.model_uri, "referred")
    promote_candidate("referred", first)
    assert version_of("models:/referred@candidate", "referred") == first
    assert version_of(f"models:/referred/{first}", "referred") == first
    for of_run in (False, True):
        logged = log_model("promotion", test_bleu=1.0)
        run_id = client.get_logged_model(logged.model_id).source_run_id
        reference = f"runs:/{run_id}/model" if of_run else logged.model_uri
        assert version_of(reference, "referred") is None
        number = add_version(reference, "referred")
        assert version_of(reference, "referred") == number
    for wrong in ("models:/other@candidate", "outputs/model"):
        with pytest.raises(ModelError, match="models:/referred@ALIAS"):
            version_of(wrong, "referred")
    with pytest.raises(ModelError, match="nobody"):
        version_of("models:/referred@nobody", "referred")


def aliases(client) -> dict[str, int]:
    return {alias: int(version) for alias, version in client.get_registered_model("promoted").aliases.items()}
