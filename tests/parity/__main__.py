"""`make parity`: sample exports of many spans, built by both engines on a first night and on one after it; prints what each took.

Exits with 1 where a table differs.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from datetime import date, timedelta
from pathlib import Path

from orchestration.sample import generate
from orchestration.settings import Settings
from orchestration.warehouse import spark_session
from tests.parity.engines import Engines

START = date(2026, 3, 1)


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m tests.parity", description=__doc__)
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--runs-per-day", type=int, default=10_000, help="about six spans each")
    options = parser.parse_args()
    if missing := spark_session.why_missing():
        print(f"no Spark here: {missing}", file=sys.stderr)
        return 2
    folder = Path(tempfile.mkdtemp(prefix="credit-usage-parity-"))
    try:
        settings = Settings(data_dir=folder, settle_seconds=0.0, threads=2)
        engines = Engines(settings)
        differing = 0
        for name, first, days in (
            ("first night", START, options.days),
            ("one more day", START + timedelta(options.days), 1),
        ):
            report = generate(
                settings.landing_dir / name.replace(" ", "-"),
                start=first,
                days=days,
                runs_per_day=options.runs_per_day,
            )
            _, found = engines.night()
            seconds = ", ".join(f"{key} {value:.1f} s" for key, value in engines.seconds.items())
            print(f"{name}: {report.span_rows:,} spans, {seconds}, {len(found)} tables differ")
            print("\n".join(found))
            differing += len(found)
        return 1 if differing else 0
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
