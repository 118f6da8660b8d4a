"""A page in a real browser, and what went wrong on it."""

from pathlib import Path
from typing import Any

CHROMIUM = Path("/usr/bin/chromium")
SWITCHES = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
SIZES = {"laptop": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}


class Opened:
    """A page that was opened.

    Args:
        browser: Playwright's.
        address: of the page.
        size: a name of `SIZES`.
        scheme: "light" or "dark".
        offline: whether the network is shut.
    """

    def __init__(self, browser: Any, address: str, size: str, scheme: str, offline: bool) -> None:
        context = browser.new_context(
            viewport=SIZES[size], color_scheme=scheme, offline=offline, has_touch=size == "phone"
        )
        self.page = context.new_page()
        self.page.set_default_timeout(180_000)  # a busy machine is no fault of the page
        self.requests: list[str] = []
        self.errors: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("requestfailed", lambda request: self.errors.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda message: message.type == "error" and self.errors.append(message.text))
        self.page.on("dialog", lambda dialog: (self.errors.append(dialog.message), dialog.dismiss()))
        self.page.goto(address)

    def is_dark(self) -> bool:
        """Whether the text is brighter than what is behind it."""
        text, back = self.page.evaluate(
            "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
        )
        brightness = [sum(map(int, colour[4:-1].split(","))) for colour in (text, back)]
        return brightness[0] > brightness[1]

    def fine(self) -> None:
        """Nothing failed; nothing sticks out."""
        assert self.errors == []
        width = self.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert width[0] <= width[1]
