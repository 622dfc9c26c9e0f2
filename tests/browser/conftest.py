"""Fixtures of the browser tests: Chromium, a published file, its site, and somebody who reads it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reports.build import build_site
from tests.browser.reader import CHROMIUM, Reader
from tests.reports_fixture import make_published


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: install it, or name it in CHROMIUM")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_published(tmp_path_factory.mktemp("published") / "usage.duckdb")


@pytest.fixture(scope="module")
def site(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages") / "site"
    build_site(published, folder)
    return folder


@pytest.fixture
def reader(browser: Any, site: Path) -> Iterator[Reader]:
    held = Reader(browser, site)
    yield held
    held.context.close()
    assert not held.problems, f"the page complained: {held.problems}"
