"""How a price file names models: exact names, and patterns with `*`, `?` and `[…]` as in file names. Case never counts.

What belongs here: the spelling of such names. Which of several patterns wins is in the choice of prices.
"""

from __future__ import annotations

import fnmatch
import re

_CLASS_OF_ONE = re.compile(r"\[([^\]!])\]", re.DOTALL)


def normal(name: str) -> str:
    """A name of a provider or model, or a pattern, as it is compared."""
    return name.strip().lower()


def matches(rule: str, model: str) -> bool:
    """Whether a pattern covers the name of a model."""
    return fnmatch.fnmatchcase(normal(model), normal(rule))


def escape(model: str) -> str:
    """The pattern that covers this name only: `a*` becomes `a[*]`.

    A first character that a spreadsheet would take for a formula is put in brackets too: names come from data.
    """
    name = re.sub(r"[*?[]", r"[\g<0>]", normal(model))
    return re.sub(r"^[=+\-@]", r"[\g<0>]", name)


def exact_name(rule: str) -> str | None:
    """The one name that a pattern covers; None where it covers several."""
    rule = normal(rule)
    rest = _CLASS_OF_ONE.sub("", rule)
    if re.search(r"[*?]|\[.*\]", rest, re.DOTALL):
        return None
    return _CLASS_OF_ONE.sub(r"\1", rule)
