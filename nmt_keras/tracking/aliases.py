"""Aliases of a registered model: `candidate` is the newest to consider, `champion` the one in use."""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from uuid import uuid4

from nmt_keras.errors import ModelError
from nmt_keras.tracking.mlflow_client import load_mlflow, mlflow_errors, require_store

CANDIDATE = "candidate"
CHAMPION = "champion"
ROLLED_BACK = "rolled back"
_PREVIOUS = "promotion.previous"  # tag of a champion: the version before it
_CLAIM = "promotion.claim."
_CLAIM_SECONDS = 600  # a claim outlives its process no longer than this
_WAIT_SECONDS = 20.0  # for the claims of others, where nothing is lost by going on after that


def promote_candidate(name: str, version: int) -> list[str]:
    """Make a version the candidate, and the champion too where there is none yet.

    Args:
        name: of the registered model.
        version: of that model.

    Returns:
        the aliases that were set.

    Raises:
        ModelError: no such model or version.
    """
    doing = f"Promoting version {version} of {name!r}"
    with _promotion_lock(name, doing, _WAIT_SECONDS), mlflow_errors(ModelError, doing):
        client = load_mlflow().MlflowClient()
        present = client.get_registered_model(name).aliases
        aliases = [CANDIDATE] if int(present.get(CANDIDATE, 0)) < version else []  # a newer one may be registered
        if CHAMPION not in present:
            aliases.append(CHAMPION)
        for alias in aliases:
            client.set_registered_model_alias(name, alias, str(version))
    return aliases


def champion_of(name: str) -> int | None:
    """The version that is the champion.

    Raises:
        ModelError: no such model.
    """
    with mlflow_errors(ModelError, f"Looking up the champion of {name!r}"):
        version = load_mlflow().MlflowClient().get_registered_model(name).aliases.get(CHAMPION)
    return None if version is None else int(version)


def promote_champion(name: str, version: int, instead_of: int | None) -> None:
    """Make a version the champion (`models:/NAME@champion`).

    Args:
        name: of the registered model.
        version: of that model.
        instead_of: the champion that it was found to be better than.

    Raises:
        ModelError: no such model or version, another champion by now, or another promotion under way.
    """
    doing = f"Promoting version {version} of {name!r}"
    with _promotion_lock(name, doing):
        if (present := champion_of(name)) != instead_of:
            raise ModelError(
                f"Version {version} of {name} was compared with champion {instead_of or 'none'}, but the champion is "
                f"{present or 'none'} by now. Nothing was changed; promote again to compare with that."
            )
        with mlflow_errors(ModelError, doing):
            client = load_mlflow().MlflowClient()
            client.get_model_version(name, str(version))  # an unknown one is found out before anything is changed
            if instead_of is not None:
                client.set_model_version_tag(name, str(version), _PREVIOUS, str(instead_of))
            client.set_registered_model_alias(name, CHAMPION, str(version))


def roll_back(name: str, check: Callable[[int], object]) -> tuple[int, int]:
    """Make the champion before the present one the champion again, and note that the present one was `ROLLED_BACK`.

    Args:
        name: of the registered model.
        check: called with the version before; raises if it cannot be used any more.

    Returns:
        the present champion, and the one before.

    Raises:
        ModelError: no such model, no champion, none before it, or a promotion under way.
    """
    require_store(name)
    doing = f"Rolling back {name!r}"
    with _promotion_lock(name, doing):
        present = champion_of(name)
        with mlflow_errors(ModelError, doing):
            client = load_mlflow().MlflowClient()
            previous = present and client.get_model_version(name, str(present)).tags.get(_PREVIOUS)
        if not present or not previous or not previous.isdecimal():
            raise ModelError(
                f"A rollback needs an earlier champion. Received: {name}, champion {present or 'none'}, "
                f"before it {previous or 'none'}."
            )
        check(int(previous))
        record(name, present, {"decision": ROLLED_BACK})  # first: undone, it must not be promoted again
        with mlflow_errors(ModelError, doing):
            client.set_registered_model_alias(name, CHAMPION, previous)
    return present, int(previous)


def record(name: str, version: int, figures: Mapping[str, str]) -> None:
    """Keep what was decided of a version, and why, as its tags `promotion.*`."""
    with mlflow_errors(ModelError, f"Tagging version {version} of {name!r}"):
        for key, value in figures.items():
            load_mlflow().MlflowClient().set_model_version_tag(name, str(version), f"promotion.{key}", value)


def decision_of(name: str, version: int) -> str | None:
    """What was decided last of a version, as `record` kept it."""
    with mlflow_errors(ModelError, f"Looking up version {version} of {name!r}"):
        decision = load_mlflow().MlflowClient().get_model_version(name, str(version)).tags.get("promotion.decision")
    return decision and str(decision)


@contextmanager
def _promotion_lock(name: str, doing: str, wait_seconds: float = 0.0) -> Iterator[None]:
    """Of two promotions at once, on whichever machines, at most one goes on.

    A registry has no locks, but who reads later sees what was written earlier. Each promotion writes a claim and then
    reads all claims: the later writer of two sees the other's and gives up. (Both may see each other and give up.)

    Args:
        name: of the registered model.
        doing: what is done, for messages.
        wait_seconds: how long to try again before going on in spite of another's claim; at 0, it is an error.
    """
    deadline = time.monotonic() + wait_seconds
    claim = f"{_CLAIM}{uuid4().hex}"
    while True:
        with mlflow_errors(ModelError, doing):
            client = load_mlflow().MlflowClient()
            client.set_registered_model_tag(name, claim, f"{time.time():.0f}")
            tags = client.get_registered_model(name).tags
        contended = any(_is_claim(key, value) for key, value in tags.items() if key != claim)
        if not contended or (wait_seconds and time.monotonic() > deadline):
            break
        _withdraw(name, claim)
        if not wait_seconds:
            raise ModelError(f"Another promotion of {name} is under way. Nothing was changed; try again.")
        time.sleep(random.uniform(0.1, 0.5))  # two that see each other must not do so again
    try:
        yield
    finally:
        _withdraw(name, claim)


def _is_claim(tag: str, began: str) -> bool:
    return tag.startswith(_CLAIM) and began.isdecimal() and time.time() - int(began) < _CLAIM_SECONDS


def _withdraw(name: str, claim: str) -> None:
    with suppress(ModelError), mlflow_errors(ModelError, "Withdrawing a claim"):
        load_mlflow().MlflowClient().delete_registered_model_tag(name, claim)  # otherwise it runs out by itself
