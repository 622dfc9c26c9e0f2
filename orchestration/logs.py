"""What a night writes to standard error for whoever reads logs: a line for each stage and one at the end, in words or as JSON.

What belongs here: where lines go and how they look. What does not: what happened, which `progress` and the command line tell.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

ROOT = "orchestration"
FIELDS = "credit_usage_fields"
"""Attribute of a log record that holds its fields."""


def log(logger: logging.Logger, level: int, event: str, message: str, **fields: Any) -> None:
    """One line: `message` for people, `event` and fields for machines."""
    logger.log(level, message, extra={FIELDS: {"event": event, **fields}})


class _Json(logging.Formatter):
    """One JSON object a line: when, how bad, what, and the fields."""

    def format(self, record: logging.LogRecord) -> str:
        fields: Mapping[str, Any] = getattr(record, FIELDS, {"event": "log"})
        told = {
            "at": _at(record),
            "level": record.levelname.lower(),
            **fields,
            "message": record.getMessage(),
        }
        return json.dumps(told, ensure_ascii=False, default=str)


class _Text(logging.Formatter):
    """The same in words."""

    def format(self, record: logging.LogRecord) -> str:
        level = "" if record.levelno <= logging.INFO else f"{record.levelname.lower()}: "
        return f"{_at(record)} {level}{record.getMessage()}"


def _at(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@contextmanager
def written(log_format: str, *, quiet: bool = False) -> Iterator[None]:
    """Within the block, lines go to standard error. As words only where nothing better is shown there: not on a terminal, which has the
    progress bar, and not `quiet`.
    """
    if log_format != "json" and (quiet or sys.stderr.isatty()):
        yield
        return
    logger = logging.getLogger(ROOT)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if log_format == "json" else _Text())
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate
