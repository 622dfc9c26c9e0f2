"""A guess of which dates a file is of, from its two ends. It decides how a file is written, never what is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from orchestration.landing.files import LandingFile

_END_BYTES = 64 << 10
_MOST_FILES = 8
_DAY = re.compile(rb"20[0-9]{2}-[01][0-9]-[0-3][0-9]")
_NANOSECONDS = re.compile(rb'TimeUnixNano"\s*:\s*"?([0-9]{10})[0-9]{9}')


def looks_like_one_date(files: Sequence[LandingFile]) -> bool:
    """Whether everything that looks like a time at either end of these files is of one UTC date."""
    if len(files) > _MOST_FILES:
        return False
    days: set[str] = set()
    for file in files:
        if file.compression != "none" or file.format == "parquet":
            return False
        with file.path.open("rb") as stream:
            head = stream.read(_END_BYTES)
            stream.seek(max(0, file.fingerprint.size_bytes - _END_BYTES))
            ends = head + stream.read(_END_BYTES)
        days |= {found.decode() for found in _DAY.findall(ends)}
        days |= {
            datetime.fromtimestamp(int(found), UTC).date().isoformat() for found in _NANOSECONDS.findall(ends)
        }
    return len(days) == 1
