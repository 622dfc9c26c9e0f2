"""Check results for machines of others: JUnit XML and annotations of GitHub Actions.

What belongs here: the two forms. What does not: running checks, and our own JSON (`results`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.etree import ElementTree

from orchestration.quality.results import CheckResult, printable


def junit(results: Sequence[CheckResult]) -> bytes:
    """A JUnit document: a test case for each check. Warnings are skipped cases with their message, so that no build fails on them."""
    failed = [result for result in results if not result.passed]
    blocking = sum(result.severity == "blocking" for result in failed)
    suite = ElementTree.Element(
        "testsuite",
        name="credit-usage check",
        tests=str(len(results)),
        failures=str(blocking),
        skipped=str(len(failed) - blocking),
        errors="0",
    )
    for result in results:
        table, _, rule = result.name.partition("__")
        case = ElementTree.SubElement(suite, "testcase", classname=table, name=rule or table)
        if not result.passed:
            kind = "failure" if result.severity == "blocking" else "skipped"
            ElementTree.SubElement(case, kind, message=printable(result.message))
    return bytes(ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True)) + b"\n"


def github(results: Iterable[CheckResult]) -> list[str]:
    """A workflow command of GitHub Actions for each check that failed; where a detail names a file, it stands at its line."""
    lines = []
    for result in results:
        if result.passed:
            continue
        places = {
            "file": result.details.get("file"),
            "line": result.details.get("line"),
            "title": result.name,
        }
        told = ",".join(
            f"{key}={_property(str(value))}" for key, value in places.items() if value is not None
        )
        kind = "error" if result.severity == "blocking" else "warning"
        lines.append(f"::{kind} {told}::{_data(printable(result.message))}")
    return lines


def _data(value: str) -> str:
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")
