"""A reader of the site in Chromium: opens pages from disk without a network and remembers every complaint."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import duckdb

CHROMIUM = (
    os.environ.get("CHROMIUM")
    or shutil.which("chromium")
    or shutil.which("chromium-browser")
    or shutil.which("google-chrome")
)


class Reader:
    """A page from disk, without a network, that remembers every complaint."""

    def __init__(self, browser: Any, site: Path, width: int = 1400, **options: Any) -> None:
        self.site = site
        self.problems: list[str] = []
        self.context = browser.new_context(offline=True, viewport={"width": width, "height": 900}, **options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)  # a loaded machine is slow, not wrong
        self.page.on(
            "console",
            lambda message: (
                self.problems.append(message.text) if message.type in ("error", "warning") else None
            ),
        )
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on(
            "request",
            lambda request: (
                None if request.url.startswith("file:") else self.problems.append(f"network: {request.url}")
            ),
        )

    def open(self, path: str) -> Any:
        self.page.goto("about:blank")
        self.page.goto(f"file://{self.site}/{path}")
        return self.page

    def log(self, path: str) -> Any:
        page = self.open(path)
        self.ready()
        return page

    def ready(self) -> None:
        self.page.wait_for_selector("html[data-log=ready]")

    def settle(self, action: Any) -> None:
        """Do something to a log's controls and wait for its table."""
        self.page.evaluate("document.documentElement.removeAttribute('data-log')")
        action()
        self.ready()


def until(page: Any, expression: str) -> None:
    """Wait for something to become true. Playwright's own wait needs eval, which the pages' policy forbids."""
    for _ in range(2400):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(25)
    raise AssertionError(f"still not true after 60 s: {expression}")


def one(published: Path, sql: str, *values: object) -> tuple[Any, ...]:
    with duckdb.connect(str(published), read_only=True) as connection:
        row = connection.execute(sql, list(values)).fetchone()
    assert row is not None
    return tuple(row)
