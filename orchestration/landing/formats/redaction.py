"""What is taken out of content that is kept: the same for every format."""

from __future__ import annotations

from orchestration.sql import literal

_PATTERNS = (
    (r"(?i)\b(sk|pk|rk|ghp|gho|xox[abp]|AKIA|AIza)[-_]?[A-Za-z0-9_-]{12,}", "[key]"),
    (r"(?i)bearer\s+[A-Za-z0-9._~+/=-]{8,}", "Bearer [key]"),
    (r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+[.][A-Za-z]{2,}", "[e-mail]"),
    (r"\b(?:\d[ -]?){12,18}\d\b", "[card]"),
)


def _redacted() -> str:
    text = "t"
    for pattern, replacement in _PATTERNS:
        text = f"regexp_replace({text}, {literal(pattern)}, {literal(replacement)}, 'g')"
    return text


MACRO = f"create or replace temp macro redacted(t) as {_redacted()}"
"""Keys, bearer tokens, e-mail addresses and card numbers of a text, replaced by what they were."""
