import pytest

from nmt_keras.errors import ModelError
from nmt_keras.tracking.promotion import promote_candidate, promote_champion
from nmt_keras.tracking.registry import register


def test_the_first_candidate_is_the_champion_until_another_is_promoted(client, log_model) -> None:
    versions = [register(log_model("promotion", test_bleu=1.0).model_uri, "promoted") for _ in range(2)]

    assert promote_candidate("promoted", versions[0]) == ["candidate", "champion"]
    assert aliases(client) == {"candidate": 1, "champion": 1}
    assert promote_candidate("promoted", versions[1]) == ["candidate"]
    assert aliases(client) == {"candidate": 2, "champion": 1}
    assert promote_champion("promoted", versions[1]) == ["champion"]
    assert aliases(client) == {"candidate": 2, "champion": 2}


@pytest.mark.parametrize("promote", [promote_candidate, promote_champion])
@pytest.mark.parametrize(("name", "version"), [("nobody", 1), ("single", 99)])
def test_an_unknown_version_is_an_error(client, log_model, promote, name, version) -> None:
    register(log_model("promotion", test_bleu=1.0).model_uri, "single")
    with pytest.raises(ModelError, match=f"version {version} of '{name}'"):
        promote(name, version)
    assert client.get_registered_model("single").aliases == {}


def aliases(client) -> dict[str, int]:
    return {alias: int(version) for alias, version in client.get_registered_model("promoted").aliases.items()}
