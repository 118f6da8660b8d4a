"""The server's page in a real browser, with the server in front of a real model."""

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn
from browsing import Opened

from nmt_keras.decoding.translator import Translator
from nmt_keras.models.directory import LoadedModel
from nmt_keras.serving.served_model import Attend, ServedModel, Translate
from nmt_keras.serving.server import RequestLimits, create_app

pytestmark = pytest.mark.heavy


class Shouting:
    """A model without attention that is easy to tell from others."""

    reference = "loud"
    exported = SimpleNamespace(
        path=Path("loud"),
        signatures={"serving_default": None},
        card={
            "signatures": ["serving_default"], "limits": {"max_beam_size": 4},
            "source_language": "en", "target_language": "EN",
        },
    )  # fmt: skip

    def refresh(self) -> None:
        """Stays as it is."""

    def answer(self, exported: Any, asked: Any, sentences: list[str]) -> list[dict[str, Any]]:
        if "fails" in sentences:
            raise RuntimeError("a secret of the server")
        answer = {"score": -1.5, "status": "split"}
        return [
            {"translation": text.upper(), **answer, "n_best": [{"translation": text.upper(), **answer}]}
            for text in sentences
        ]


@pytest.fixture(scope="module")
def quiet(export_path: Path) -> ServedModel:
    return ServedModel("models:/digits@champion", lambda: export_path)


@pytest.fixture(scope="module")
def address(quiet: ServedModel) -> Iterator[str]:
    models: Any = [quiet, Shouting()]
    app = create_app(models, RequestLimits(max_characters=500))
    server = uvicorn.Server(uvicorn.Config(app, port=0, ws="none", log_level="critical"))
    started = threading.Event()
    startup = server.startup

    async def tell(sockets: Any = None) -> None:
        await startup(sockets)
        started.set()

    server.startup = tell  # type: ignore[method-assign]
    thread = threading.Thread(target=server.run)
    thread.start()
    assert started.wait(60)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    server.should_exit = True
    thread.join(60)


class OpenedPage(Opened):
    """The page, as someone uses it."""

    def __init__(self, browser: Any, address: str, size: str = "laptop", scheme: str = "light") -> None:
        super().__init__(browser, address, size, scheme, offline=False)
        self.address = address
        self.page.wait_for_selector("#first option", state="attached")

    def translate(self, sentence: str) -> list[Any]:
        """The panels of the answers."""
        self.page.fill("#sentence", sentence)
        self.page.click("button")
        self.page.locator("section:not(:has(table, .note))").first.wait_for(state="detached")
        return self.page.locator("section").all()

    def fine(self) -> None:
        """Beside that, nothing was asked of other sites."""
        assert [url for url in self.requests if not url.startswith(self.address)] == []
        super().fine()


@pytest.mark.parametrize(("size", "scheme"), [("laptop", "light"), ("phone", "dark")])
def test_two_models_side_by_side(
    browser: Any, address: str, quiet: ServedModel, loaded: LoadedModel, size: str, scheme: str
) -> None:
    opened = OpenedPage(browser, address, size, scheme)
    sentence = "one two <b>three</b>"
    first, second = opened.translate(sentence)
    (translation,) = Translator(loaded.model, loaded.tokenizer, loaded.description.search).translate([sentence])
    assert first.locator("h2").inner_text() == "models:/digits@champion"
    assert first.locator(".translation").inner_text() == translation.text.strip()
    (listed,) = quiet.answer(quiet.exported, Translate(0, 3), [sentence])
    assert [item.split() for item in first.locator("li").all_text_contents()] == [
        [*row["translation"].split(), f"{row['score']:.2f}"] for row in listed["n_best"]
    ]
    (aligned,) = quiet.answer(quiet.exported, Attend(), [sentence])
    assert first.locator("thead th").all_text_contents() == aligned["source_tokens"]
    assert first.locator("tbody th").all_text_contents() == aligned["target_tokens"]
    shades = first.locator("tbody td").evaluate_all("cells => cells.map(c => getComputedStyle(c).backgroundColor)")
    weights = [weight for row in aligned["attention"] for weight in row]
    drawn = [float(shade[:-1].split(",")[3]) if shade.startswith("rgba") else 1.0 for shade in shades]
    assert drawn == pytest.approx(weights, abs=0.01)

    assert second.locator(".translation").inner_text() == sentence.upper()
    assert second.locator(".note").all_inner_texts() == ["The sentence was split."]
    boxes = [panel.bounding_box() for panel in (first, second)]
    assert (boxes[0]["y"] == boxes[1]["y"]) == (size == "laptop")
    assert opened.is_dark() == (scheme == "dark")
    opened.fine()


def test_one_model_is_chosen(browser: Any, address: str) -> None:
    opened = OpenedPage(browser, address)
    assert opened.page.locator("#first option").all_inner_texts() == ["models:/digits@champion (en-fr)", "loud (en-EN)"]
    assert opened.page.locator("#n_best").get_attribute("max") == "4"
    opened.page.select_option("#first", "loud")
    opened.page.select_option("#second", "")
    (panel,) = opened.translate("one")
    assert panel.locator(".translation").inner_text() == "ONE"
    opened.page.select_option("#second", "models:/digits@champion")
    assert [panel.locator("h2").inner_text() for panel in opened.translate("one")] == [
        "loud",
        "models:/digits@champion",
    ]
    opened.fine()


def test_errors_are_told(browser: Any, address: str) -> None:
    opened = OpenedPage(browser, address, "phone")
    for panel in opened.translate("x" * 501):
        assert panel.locator(".note").inner_text() == (
            "The sentences of a request must have at most 500 characters. Received: 501."
        )
        assert panel.locator(".translation").count() == 0
    opened.page.select_option("#first", "loud")
    opened.page.select_option("#second", "")
    (panel,) = opened.translate("fails")
    assert panel.locator(".note").inner_text() == "The server failed (500)."
    assert opened.errors  # Chromium's console tells of each answer that is no success
    assert all("Failed to load resource" in error for error in opened.errors)
    opened.errors.clear()
    opened.page.context.set_offline(True)
    (panel,) = opened.translate("one")
    assert panel.locator(".note").inner_text() == "The server does not answer."
