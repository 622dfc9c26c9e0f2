"""Foreign formats: what other stacks export, converted to the contract in SQL. One module each, registered here.

To accept a new format: write a module with a `SourceFormat` (`base.py` says what it has to do), add it to `FORMATS`, and test it.
What does not belong here: reading bytes (`readers`, `documents`), typing and judging values (`conform`), which call is billed (dbt).
"""

from __future__ import annotations

from orchestration.landing.formats import langfuse, litellm
from orchestration.landing.formats.base import Convert, Layout, Sniff, SourceFormat

FORMATS: tuple[SourceFormat, ...] = (langfuse.FORMAT, litellm.FORMAT)
"""All foreign formats; of several that recognise a file the first counts, where none does it is one of the contract."""

__all__ = ["FORMATS", "Convert", "Layout", "Sniff", "SourceFormat", "detect"]


def detect(sniff: Sniff) -> SourceFormat | None:
    """The foreign format of a file; None for one of the contract."""
    return next((item for item in FORMATS if item.detect(sniff)), None)
