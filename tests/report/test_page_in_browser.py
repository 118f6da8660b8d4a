"""The page in a real browser, with the network shut: it draws, answers, fits a phone, and asks for nothing."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from browsing import Opened
from report_example import example

from nmt_keras.report.page import Report, write_page

pytestmark = pytest.mark.heavy


class OpenedReport(Opened):
    """A report, with the network shut."""

    def __init__(self, browser: Any, path: Path, size: str, scheme: str) -> None:
        super().__init__(browser, path.as_uri(), size, scheme, offline=True)
        self.page.wait_for_function(
            "[...document.querySelectorAll('.chart')].every(c => c.id === 'curves' || c.querySelector('.main-svg'))"
        )

    def drawn(self) -> dict[str, int]:
        """The marks of each figure: lines, points, cells of a heat map."""
        return self.page.evaluate(
            "Object.fromEntries([...document.querySelectorAll('.chart')].map(chart => [chart.dataset.plot || chart.id,"
            " chart.querySelectorAll('.trace path, .point, .hm image, .heatmaplayer image').length]))"
        )

    def fine(self) -> None:
        """Beside that, nothing was asked for but the page and what lies in it."""
        assert [url for url in self.requests if not url.startswith(("file:", "data:", "blob:"))] == []
        assert len([url for url in self.requests if url.startswith("file:")]) == 1
        super().fine()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(example(), tmp_path_factory.mktemp("page") / "report.html")


@pytest.mark.parametrize(("size", "scheme"), [("laptop", "light"), ("phone", "dark")])
def test_every_figure_is_drawn_and_nothing_leaves(browser: Any, path: Path, size: str, scheme: str) -> None:
    opened = OpenedReport(browser, path, size, scheme)
    drawn = opened.drawn()
    assert set(drawn) == {
        *(name for name in example().charts if not name.startswith("curves")),
        "curves",
        "attention-map",
    }
    assert all(drawn.values()), drawn
    assert opened.is_dark() == (scheme == "dark")
    opened.fine()


def test_the_explorer_answers(browser: Any, path: Path) -> None:
    opened = OpenedReport(browser, path, "laptop", "light")
    page = opened.page

    def note() -> str:
        return page.locator("#explorer-note").inner_text()

    def options(part: str) -> list[str]:
        return page.locator(f"#{part} option").all_inner_texts()

    assert options("kind") == ["Cross-attention"]
    assert options("head") == ["1"]
    # The last head of the example attends to its own place.
    page.select_option("#architecture", "transformer")
    assert options("kind") == ["Cross-attention", "Encoder self-attention", "Decoder self-attention"]
    assert options("layer") == ["mean of all", "1", "2"]
    page.select_option("#kind", "decoder_self")
    page.select_option("#layer", index=2)
    page.select_option("#head", index=4)
    for row, (token, attended) in enumerate([("Le", "⟨start⟩"), ("ch", "Le"), ("at", "ch"), ("⟨end⟩", "at")]):
        page.locator("#rows button").nth(row).click()
        assert note() == f"“{token}” attends most to “{attended}” (100%)."
    page.locator("#rows button").nth(1).hover()
    assert note().startswith("“ch” attends most to “Le”")
    assert page.locator("#columns .token").nth(1).get_attribute("style") == "background: rgba(var(--attended), 0.75);"
    page.select_option("#sentence", "1")
    assert page.locator("#rows button").count() == 14
    page.locator("#attention-map").scroll_into_view_if_needed()
    box = page.locator("#attention-map .nsewdrag").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 4.5 / 14, box["y"] + box["height"] * 4.5 / 14, steps=4)
    page.wait_for_function(
        "text => document.querySelector('#explorer-note').innerText === text",
        arg="“word4” attends most to “word3” (100%).",
    )
    opened.fine()


def test_selections_switch_figures_and_pairs(browser: Any, path: Path) -> None:
    opened = OpenedReport(browser, path, "phone", "light")
    page = opened.page
    axis = page.locator("#curves .xtitle")
    assert axis.text_content() == "Updates"
    page.select_option("[data-switches=curves]", "curves-valid-bleu-training-seconds")
    page.wait_for_function("document.querySelector('#curves .xtitle').textContent === 'Training time (minutes)'")
    assert page.locator("[data-pair='0']").is_visible()
    page.select_option("[data-shows=pair]", "1")
    assert not page.locator("[data-pair='0']").is_visible()
    assert page.locator("[data-pair='1'] mark").all_inner_texts() == ["mange", "chat."]
    assert page.locator("[data-pair='1'] .source").inner_text() == "The cat <b>sleeps</b> & the dog “barks”."
    opened.fine()


def test_a_report_with_little_to_say(browser: Any, tmp_path: Path) -> None:
    """One architecture without attention: sections say what is not there."""
    whole = example()
    ranking = whole.charts["ranking"]
    chart = replace(ranking, series=ranking.series[:1])
    report: Report = replace(
        whole,
        charts={"ranking": chart},
        tables={"scores": whole.tables["scores"]},
        attention={},
        system_pairs=[],
        notice="",
    )
    opened = OpenedReport(browser, write_page(report, tmp_path / "report.html"), "phone", "dark")
    page = opened.page
    text = page.locator("main").inner_text()
    untested = replace(report, charts={"ranking": ranking})
    assert "share no seed" in write_page(untested, tmp_path / "untested.html").read_text(encoding="utf-8")
    for expected in (
        "nothing to compare it with", "No architecture of this run has attention", "no pairs to measure agreement",
        "Step times were not measured", "TensorFlow backend only",
    ):  # fmt: skip
        assert expected in text
    opened.fine()
