"""`python -m benchmarks.render`: times the pages of a data folder: rendering, sizes, and what a reader waits for.

What belongs here: measuring `reports` from outside, on what `benchmarks.run --data` left. What does not: any verdict.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reports.writer import MANIFEST
from tests.browser.reader import CHROMIUM

REPOSITORY = Path(__file__).resolve().parent.parent
_RENDER = """
import json, resource, sys
from pathlib import Path
from reports.build import build_site
result = build_site(Path(sys.argv[1]), Path(sys.argv[2]))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(json.dumps({"seconds": result.seconds, "peak_memory_bytes": peak, "files_written": result.files_written,
    "files_unchanged": result.files_unchanged}))
"""
REPEATS = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.render", description=__doc__)
    parser.add_argument("data", type=Path, help="a data folder with a publication and one before it")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args(arguments)
    published = options.data / "published" / "usage.duckdb"
    earlier = sorted((options.data / "published" / "history").glob("*.duckdb"))
    folder = Path(tempfile.mkdtemp(prefix="credit-usage-render-"))
    try:
        site = folder / "site"
        steps = {}
        if earlier:
            steps["the whole site, of the publication before"] = _render(earlier[-1], site)
            steps["the night after it"] = _render(published, site)
        else:
            steps["the whole site"] = _render(published, site)
        steps["nothing new"] = _render(published, site)
        document = {"rendering": steps, "files": _sizes(site), "reading": _read(site)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if options.json:
        print(json.dumps(document, indent=2))
        return 0
    for name, step in steps.items():
        print(
            f"{name:<45} {step['seconds']:8.1f} s {step['peak_memory_bytes'] / 1e6:8.0f} MB "
            f"{step['files_written']:7,} written {step['files_unchanged']:7,} kept"
        )
    for section in ("files", "reading"):
        for name, value in document[section].items():
            print(f"{name:<45} {value}")
    return 0


def _render(published: Path, site: Path) -> dict[str, Any]:
    """One build in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", _RENDER, str(published), str(site)],
        cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    held: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return held


def _sizes(site: Path) -> dict[str, str]:
    """The largest file of each kind, in bytes."""
    largest: dict[str, tuple[int, str]] = {}
    for name in json.loads((site / MANIFEST).read_text())["files"]:
        parts = name.split("/")
        kind = "pages" if name.endswith(".html") else "assets" if parts[0] == "assets" else f"data/{parts[2]}"
        largest[kind] = max(largest.get(kind, (0, "")), ((site / name).stat().st_size, name))
    return {
        f"largest of {kind}": f"{size:,} bytes ({name})" for kind, (size, name) in sorted(largest.items())
    }


def _read(site: Path) -> dict[str, str]:
    """Medians of what a reader of the largest analytics page, and of the longest log, waits for, in milliseconds."""
    if CHROMIUM is None:
        return {"reading": "no Chromium on this machine"}
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  (only where there is a browser)

    pages = sorted(site.glob("*/analytics.html"), key=lambda path: path.stat().st_size)
    log = max(
        site.glob("*/prompts.html"),
        key=lambda path: sum(1 for _ in (path.parent / "data" / "prompts").glob("*.js")),
    )
    found: dict[str, list[float]] = {}
    change = """([range, done_at]) => new Promise(done => {
        const started = performance.now(), wanted = range.join('/');
        const look = () => document.documentElement.getAttribute(done_at) === wanted
            ? requestAnimationFrame(() => setTimeout(() => done(performance.now() - started), 0)) : setTimeout(look, 1);
        CU.range.set(range[0], range[1]); look(); })"""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for _ in range(REPEATS):
            context = browser.new_context(offline=True, viewport={"width": 1440, "height": 900})
            page = context.new_page()
            page.goto(pages[-1].as_uri())
            page.wait_for_timeout(300)
            paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
            found.setdefault("first paint", []).append(paint)
            days = page.evaluate(
                "[CU.config().range.last_day, CU.format.addDays(CU.config().range.last_day, -89)]"
            )
            last, earliest = days
            week = page.evaluate("day => CU.format.addDays(day, -6)", last)
            for name, first, done_at in (
                ("90 days, first time (months are loaded)", earliest, "data-in-sight"),
                ("7 days", week, "data-in-sight"),
                ("90 days", earliest, "data-in-sight"),
                ("7 days, panels out of sight too", week, "data-range"),
                ("90 days, panels out of sight too", earliest, "data-range"),
            ):
                found.setdefault(name, []).append(page.evaluate(change, [[first, last], done_at]))
                page.wait_for_selector(f"html[data-range='{first}/{last}']", state="attached")
            page.goto("about:blank")
            page.goto(log.as_uri())
            page.wait_for_selector("html[data-log=ready]", state="attached")
            found.setdefault(f"{log.parent.name}/{log.name}: first rows", []).append(
                page.evaluate("performance.now()")
            )
            context.close()
        browser.close()
    return {
        f"{name}, ms": f"{sorted(values)[len(values) // 2]:.0f} ({min(values):.0f} to {max(values):.0f})"
        for name, values in found.items()
    }


if __name__ == "__main__":
    raise SystemExit(main())
