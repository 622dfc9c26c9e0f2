"""Taking secrets and addresses out of content that is kept.

What belongs here: the SQL macro `redacted(text)`, used wherever a format keeps prompts or completions. What does not: which content is
kept at all.
"""

from __future__ import annotations

from orchestration.sql import literal

PATTERNS: tuple[tuple[str, str], ...] = (
    # Keys of providers and platforms, tokens in three parts, and what follows the word that announces one.
    (r"\b(sk|pk|rk|xox[abprs]|gh[pousr]|glpat|hf|AKIA|AIza)[-_]?[A-Za-z0-9_-]{16,}", "[key]"),
    (r"\beyJ[A-Za-z0-9_-]{8,}[.][A-Za-z0-9_-]{8,}[.][A-Za-z0-9_-]*", "[token]"),
    (r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{12,}", "[token]"),
    (r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+[.][A-Za-z]{2,}", "[e-mail]"),
    (r"\b[0-9](?:[ -]?[0-9]){12,18}\b", "[card number]"),
)


def _redacted() -> str:
    text = "text"
    for pattern, word in PATTERNS:
        text = f"regexp_replace({text}, {literal(pattern)}, {literal(word)}, 'g')"
    return text


MACROS = (f"create or replace temp macro redacted(text) as {_redacted()}",)
