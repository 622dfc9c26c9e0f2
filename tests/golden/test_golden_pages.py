"""The pages of a small fixed publication, byte for byte as they were accepted. `make accept` writes `tests/golden/site/` anew; the
diff of these files is what a review reads.
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path

import pytest

from reports.build import build_site
from tests.reports_fixture import make_published

GOLDEN = Path(__file__).with_name("site")
LINES = 40
"""Lines of a difference that a failure shows."""


def _lines(content: bytes) -> list[str]:
    """One element and one value of data a line, so that a difference can be read."""
    return (
        content.decode("utf-8")
        .replace("><", ">\n<")
        .replace('","', '",\n"')
        .replace("],[", "],\n[")
        .splitlines()
    )


def test_pages_are_as_accepted(tmp_path: Path) -> None:
    """A change of code moved the HTML of the pages without anybody having looked at the difference."""
    published = make_published(tmp_path / "usage.duckdb", days=3, runs_per_day=8)
    build_site(published, tmp_path / "site")
    made = {
        path.relative_to(tmp_path / "site").as_posix(): path.read_bytes()
        for path in sorted((tmp_path / "site").rglob("*.html"))
    }
    if os.environ.get("GOLDEN_ACCEPT"):
        for old in GOLDEN.rglob("*.html"):
            old.unlink()
        for name, content in made.items():
            (GOLDEN / name).parent.mkdir(parents=True, exist_ok=True)
            (GOLDEN / name).write_bytes(content)
    accepted = {
        path.relative_to(GOLDEN).as_posix(): path.read_bytes() for path in sorted(GOLDEN.rglob("*.html"))
    }
    assert sorted(made) == sorted(accepted), "other pages than accepted: review, then `make accept`"
    told = []
    for name, content in made.items():
        if content != accepted[name]:
            told += list(
                difflib.unified_diff(
                    _lines(accepted[name]),
                    _lines(content),
                    f"accepted {name}",
                    f"made {name}",
                    n=1,
                    lineterm="",
                )
            )
    if told:
        more = f"\n… {len(told) - LINES} lines more" if len(told) > LINES else ""
        pytest.fail(
            "pages are not as accepted: review, then `make accept`\n"
            + "\n".join(line[:200] for line in told[:LINES])
            + more
        )
