"""What a check says: one frozen `CheckResult`, its JSON form and the verdict over many.

What belongs here: the shape of a result, whoever produced it. What does not: running anything.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, get_args

Severity = Literal["blocking", "warning"]
JsonScalar = str | int | float | bool | None

SEVERITIES: tuple[Severity, ...] = get_args(Severity)
#: Longest text that a result carries from data or from an error; the whole is in the log of whoever ran the
#: check.
MAX_TEXT_CHARACTERS = 500
EXAMPLE = ", for example "
"""What follows it in a message names rows, of whatever workspace. Pages are of one workspace and cut a message here."""


@dataclass(frozen=True)
class CheckResult:
    """The outcome of one check. `failures` counts the offending rows or groups, 0 exactly when it passed."""

    name: str
    severity: Severity
    passed: bool
    failures: int
    message: str
    details: Mapping[str, JsonScalar] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise ValueError(
                f"{self.name}: severity must be one of {', '.join(SEVERITIES)}, got {self.severity!r}"
            )
        if self.passed != (self.failures == 0) or self.failures < 0:
            raise ValueError(f"{self.name}: passed={self.passed} contradicts {self.failures} failures")
        for key, value in self.details.items():
            # Decimal and dates must become text before they get here: JSON would make a float of an amount.
            if value is not None and not isinstance(value, str | int | float | bool):
                raise TypeError(f"{self.name}: detail '{key}' is {type(value).__name__}, not a JSON scalar")
        object.__setattr__(self, "details", MappingProxyType(dict(self.details)))

    def as_dict(self) -> dict[str, Any]:
        """Plain values, keys in a fixed order."""
        return {
            "name": self.name,
            "severity": self.severity,
            "passed": self.passed,
            "failures": self.failures,
            "message": self.message,
            "details": dict(sorted(self.details.items())),
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> CheckResult:
        """The inverse of `as_dict`; raises KeyError on a missing key."""
        return cls(
            name=str(document["name"]),
            severity=document["severity"],
            passed=bool(document["passed"]),
            failures=int(document["failures"]),
            message=str(document["message"]),
            details=dict(document["details"]),
        )


def to_json(results: Iterable[CheckResult]) -> str:
    """One stable JSON array, in the order given."""
    return json.dumps([result.as_dict() for result in results], ensure_ascii=False, indent=2)


def from_json(text: str) -> list[CheckResult]:
    """The inverse of `to_json`."""
    return [CheckResult.from_dict(document) for document in json.loads(text)]


def blocking_failures(results: Iterable[CheckResult]) -> list[CheckResult]:
    """The results that forbid publication."""
    return [result for result in results if result.severity == "blocking" and not result.passed]


def check_error(name: str, message: str) -> CheckResult:
    """A check that could not be carried out. Always blocking: what was not looked at may be wrong."""
    text = printable(message)
    return CheckResult(
        name=name,
        severity="blocking",
        passed=False,
        failures=1,
        message=f"The check could not be carried out: {text}",
        details={"error": text},
    )


def printable_lines(text: str) -> str:
    """The same text without what a terminal would obey; its lines stay as they are."""
    return "\n".join("".join(c if c.isprintable() else " " for c in line) for line in text.split("\n"))


def printable(value: object, limit: int = MAX_TEXT_CHARACTERS) -> str:
    """One line of printable text. Data and errors are hostile: control characters and endless values stop
    here.
    """
    text = " ".join("".join(c if c.isprintable() else " " for c in str(value)).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
