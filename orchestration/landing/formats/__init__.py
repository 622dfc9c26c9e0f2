"""Foreign formats: what other stacks export, converted to the contract in SQL. One module each, registered here.

To accept a new format: write a module with a `SourceFormat` (`base.py` says what it has to do), add it to `FORMATS`, and test it.
What does not belong here: reading bytes (`readers`, `documents`), typing and judging values (`conform`), which call is billed (dbt).
"""

from __future__ import annotations

from orchestration.landing.formats import langfuse, litellm, otlp
from orchestration.landing.formats.base import Convert, Layout, Sniff, SourceFormat

FORMATS: tuple[SourceFormat, ...] = (otlp.FORMAT, langfuse.FORMAT, litellm.FORMAT)
"""All foreign formats; of several that recognise a file the first counts, where none does it is one of the contract."""

__all__ = ["FORMATS", "Convert", "Layout", "Sniff", "SourceFormat", "detect", "markdown"]


def detect(sniff: Sniff) -> SourceFormat | None:
    """The foreign format of a file; None for one of the contract."""
    return next((item for item in FORMATS if item.detect(sniff)), None)


_INTRODUCTION = """# Sources

Generated from `orchestration/landing/formats/`; do not edit. `make docs` writes it.

Files of the [landing contract](contract.md) and of the formats below may lie in `landing/` side by side, in any number, order and
depth; what a file is, is told by its content. Whose spans they are comes from the file, or from `[[sources]]` in the settings
([operations](operations.md#settings)). Prompts, completions and tool arguments are left out unless `keep_content` is set.

## A trace becomes a run

A trace is a run of its own id, unless a run of that id arrives in a file of the contract. It is an *agent* where one of its spans is
an agent, a *workflow* where it has several steps, else a *prompt*. Its root gives name, times and status; user, session (in
`user_metadata`), API key and deployment come from the span nearest to the root that names them. A span that arrives later opens
the dates that it changes.

## One call, one bill

The same model call may be seen by a framework and by the client below it, by a gateway and by an SDK, or be delivered twice. Each
span has a `billing_role` in `facts.fct_span_usage`, the span that its call is billed under (`billed_run_id`, `billed_span_id`) and
why (`billing_reason`):

| role | meaning |
| --- | --- |
| call | the call is billed here, with what all its spans know together |
| duplicate | the same call, seen again; what it claimed is kept in `rollup_reported_*` and summed nowhere |
| rollup | usage of other calls (an agent, a step, a wrapper), likewise |
| none | no usage |

1. Calls are the spans that their source marks as model calls. Usage on spans that it marks as something else is a rollup. A span
   without any marker is a call where no span below it bears usage.
2. Calls with the same response id are one call, in whatever traces they are. Ids of fewer than 20 characters, which local servers
   number, count only where two scopes saw the call at once, or the same span was delivered twice.
3. A call inside another with the same input and output tokens (one more or less: streams) is the same call. Of several inner calls
   of one scope the outer one repeats one only. Where one of them knows nothing of the cache, its input may be that of the other without
   what was cached; the other's counts. An image generation and a call that is none are one only by the same model.
4. Calls of different scopes with the same model (the one asked of or the one that answered; vendor prefix, date and version apart),
   the same tokens and one within the other's time (5 ms) are matched one to one, the nearest first; never two of one scope, never two
   different ids. Where as many equal calls on either side are left over, they are matched in the order of time.
5. Within a call, input and output come from the scope nearest to the provider, else from the span that tells most; of all other
   classes the greatest counts, because a class that is absent is not 0. `usage_conflict` in `quality_flags` marks calls whose spans
   disagree.
6. The billed span is the one in a framework's tree rather than one in a trace that a client opened for want of a current span. A
   trace of which every span is billed elsewhere is no run.
7. A call without usage is a call of unknown usage, unless it lies in or around one that has some. A failure that several scopes saw,
   one inside the other, is one failed call; so are a Logfire stream and the moment beside it that tells its usage one call.
8. A call around exactly one call of another scope and the same model, which starts and ends within 100 ms of it, with other usage, is
   a framework's own count: a rollup. Where it is not that clear, both are billed. `nested_usage_mismatch` marks both cases.
"""


_RECORDED = """## Held against a provider's ledger

`tests/recordings/` has 91 recordings of about 45 instrumentation packages and of combinations of them, in several releases: errors,
retries,
streams, nested agents, clients that two or three packages watch. A provider on localhost wrote down what it served
(`ledger.json`). A plain sum over spans is wrong in 65 of them, by up to 4.0 times; a sum over the innermost spans in 38, by up to 2.0
times. What a night bills equals the ledger, class by class, in 62; in the other 29 the telemetry itself lacks tokens (a stream without
usage, a package without reasoning tokens) or, in one, counts a stream's input twice: each difference stands in the ledger with its
reason, and nothing beside it is off. `python -m tests.recordings.reference` prints the table.

## What this does to recorded traces

Eleven traces of agent frameworks, exported by Langfuse (tests/integration/test_real_billing.py). *Reported* is the sum over all
observations, each once; *billed* is what the rules above leave. Input / output tokens.

| trace | reported | billed | why |
| --- | --- | --- | --- |
| agno | 2,936 / 903 | 826 / 245 | Langfuse counted the framework's LLM spans itself; the client's calls inside have the real numbers |
| autogen | 41 / 3 | 41 / 3 | |
| beeai | 5,542 / 0 | 5,542 / 0 | input counted by Langfuse; two more LLM spans without usage are calls of unknown usage |
| claude-agent | 34 / 232 | 34 / 232 | counted by Langfuse: cached input is not in it |
| crewai | 190 / 164 | 190 / 164 | |
| google-adk | 67 / 9 | 67 / 9 | |
| koog | 215 / 125 | 215 / 125 | counted by Langfuse |
| langgraph | 168 / 66 | 168 / 66 | |
| llamaindex | 13 / 81 | 13 / 81 | |
| openai-agents | 140 / 44 | 140 / 44 | |
| pydantic-ai | 31 / 96 | 31 / 96 | the agent span repeats them in its attributes only |

A file of the API holds each observation twice where the trace lists them, too; the copies are duplicates.
"""


def markdown() -> str:
    """The formats as documentation; `docs/sources.md` is this text."""
    lines = [_INTRODUCTION]
    for item in FORMATS:
        lines += [
            f"## {item.title}",
            "",
            f"`source_format` is `{item.name}`.",
            "",
            item.documentation.strip(),
            "",
        ]
        lines += ["| `token_convention` | meaning |", "| --- | --- |"]
        lines += [f"| {convention.name} | {convention.description} |" for convention in item.conventions]
        if item.flags:
            lines += ["", "| `quality_flags` | meaning |", "| --- | --- |"]
            lines += [f"| {flag} | {meaning} |" for flag, meaning in item.flags.items()]
        lines.append("")
    return "\n".join([*lines, _RECORDED])
