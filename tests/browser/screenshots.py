"""`python -m tests.browser.screenshots`: a picture of every page, in light, dark and on a phone, to be looked at.

The pages are those of the data folder's site (`make demo` makes one); the pictures go to `screenshots/` in that folder.
With `--readme` the two of the README are made as well.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from orchestration.settings import REPOSITORY, load
from reports.writer import MANIFEST
from tests.browser.reader import CHROMIUM

LOOKS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1440, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1440, "height": 900}},
    "phone": {
        "color_scheme": "light", "viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True,
    },
}  # fmt: skip
STATES = {
    "analytics": ("#by=model", "#days=7&measure=tokens&by=resource", "#by=api_key&only=charge_type~%3Dhosted"),
    "prompts": ("sheet",), "workflows": ("sheet",), "agents": ("sheet",), "users": ("user",),
}  # fmt: skip
"""What a page shows only when it is asked to: further pictures of it. `sheet` opens the third run, `user` the first user."""
IN_SIGHT = (
    "document.querySelectorAll('.panel').forEach(panel => { panel.style.contentVisibility = 'visible'; })"
)
"""Panels that a reader has not reached are not laid out; a picture of the whole page would show them empty."""
OPENED = {
    "sheet": ("#log tbody tr:nth-child(3) .open", "#sheet[open] .w-row"),
    "user": ("#users tbody a", "html[data-runs=ready]"),
}


def main(arguments: list[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m tests.browser.screenshots", description=__doc__)
    parser.add_argument("--readme", action="store_true", help="also make the pictures of the README")
    options = parser.parse_args(arguments)
    settings = load()
    site = settings.site_dir
    if CHROMIUM is None or not (site / MANIFEST).is_file():
        print(f"needs Chromium, and a site in {site}: make demo", file=sys.stderr)
        return 2
    target = settings.data_dir / "screenshots"
    target.mkdir(exist_ok=True)
    pages = sorted(
        name for name in json.loads((site / MANIFEST).read_text())["files"] if name.endswith(".html")
    )
    first = next(name for name in pages if "/" in name).split("/")[0]
    wanted = [name for name in pages if "/" not in name or name.startswith(first + "/")]
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for look, settings_of_look in LOOKS.items():
            context = browser.new_context(offline=True, **settings_of_look)
            page = context.new_page()
            for name in wanted:
                stem = Path(name).stem
                for number, state in enumerate(("", *STATES.get(stem, ()))):
                    page.goto("about:blank")
                    page.goto(f"{(site / name).as_uri()}{'' if state in OPENED else state}")
                    page.wait_for_timeout(700)
                    if state in OPENED and page.locator(OPENED[state][0]).count():
                        page.locator(OPENED[state][0]).first.click()
                        page.wait_for_selector(OPENED[state][1], state="attached")
                        page.wait_for_timeout(200)
                    page.evaluate(IN_SIGHT)
                    page.screenshot(
                        path=target / f"{stem}{f'-{number}' if number else ''}-{look}.png",
                        full_page=state != "sheet",
                    )
            context.close()
        if options.readme:
            _readme(browser, site / first)
        browser.close()
    print(target)
    return 0


def _readme(browser: object, folder: Path) -> None:
    """The pictures of the README: analytics by model with a day pointed at, and a run sheet over its log."""
    images = REPOSITORY / "docs" / "images"
    context = browser.new_context(  # type: ignore[attr-defined]
        offline=True, viewport={"width": 1440, "height": 960}, color_scheme="light"
    )
    page = context.new_page()
    page.goto(f"{(folder / 'analytics.html').as_uri()}#by=model")
    page.wait_for_timeout(700)
    box = page.locator("#c-cost svg").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.62, box["y"] + box["height"] * 0.5)
    page.wait_for_timeout(300)
    page.screenshot(path=images / "analytics.png")
    page.mouse.move(0, 0)
    page.goto((folder / "agents.html").as_uri())
    page.wait_for_selector("html[data-log=ready]", state="attached")
    page.locator("#log tbody tr").nth(2).click(position={"x": 240, "y": 12})
    page.wait_for_selector("#sheet[open] .w-row")
    bars = page.locator("#sheet .w-row")
    page.locator("#sheet .w-view").focus()
    for number in range(min(bars.count(), 12)):
        if "completion, completed" in (bars.nth(number).text_content() or ""):
            bars.nth(number).click()
            break
    page.wait_for_timeout(400)
    page.screenshot(path=images / "run-sheet.png")
    context.close()


if __name__ == "__main__":
    raise SystemExit(main())
