"""The table of faults in the documentation: `python -m tests.faults.table` writes it, `make docs` calls it.

What belongs here: the table. It stands here and not in `orchestration/docs.py`, because the product knows nothing of its tests.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from orchestration.settings import REPOSITORY
from tests.faults.corpus import FAULTS, BuildFault, Fault, TimeFault
from tests.faults.harness import blocking_data_tests, where
from tests.warehouse_fixture import Warehouse

PAGE = "docs/checks.md"
_BLOCK = re.compile(r"(<!-- generated: faults -->\n).*?(<!-- end -->)", re.DOTALL)
_STAGES = {"landing suite": "suite of landing files"}


def page(text: str, warehouse: Warehouse) -> str:
    """The page with its table as it should be."""
    return _BLOCK.sub(
        lambda found: f"{found[1]}\n{faults(FAULTS, blocking_data_tests(warehouse))}\n{found[2]}", text
    )


def faults(listed: Iterable[Fault], of_dbt: Iterable[str]) -> str:
    """Every fault with what it does, and the check that finds it."""
    lines = [
        "| fault | what goes wrong | in | found by | part of | then |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    names = list(of_dbt)
    for fault in listed:
        kind, severity = where(fault.check, names)
        place = (
            "build" if isinstance(fault, BuildFault) else "time" if isinstance(fault, TimeFault) else "export"
        )
        verdict = "nothing is published" if severity == "blocking" else "published with a warning"
        lines.append(
            f"| {fault.name} | {fault.what} | {place} | `{fault.check}` | {_STAGES.get(kind, kind)} | {verdict} |"
        )
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the page where it is stale."""
    path = REPOSITORY / PAGE
    text = path.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        fresh = page(text, Warehouse(Path(folder)))
    if fresh != text:
        path.write_text(fresh, encoding="utf-8")
        sys.stdout.write(f"{PAGE} written\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
