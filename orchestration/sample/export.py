"""Writes the rows of a day in the landing contract, in any of its file formats.

What belongs here: spelling (token shapes, timestamps, quoting) and file formats. What does not: the rows
themselves (`rows.py`). JSON lines are built as text, because every row has its own fields; columns that are
null are left out.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import duckdb

FileFormat = Literal["jsonl", "jsonl.gz", "jsonl.zst", "csv", "parquet"]
Entity = Literal["runs", "spans"]
ENTITIES: tuple[Entity, ...] = ("runs", "spans")

_TEXT = "'\"{name}\":' || to_json({name})::varchar"
_PLAIN = "'\"{name}\":\"' || {name} || '\"'"
_RAW = "'\"{name}\":' || {name}"
_NUMBER = "'\"{name}\":' || number_quote || {value} || number_quote"
_TIME = "'\"{name}\":\"' || iso({name}, iso_style) || '\"'"

# Only columns that hold names or messages need escaping; the others are made of safe characters.
_RUN_COLUMNS = {
    "run_id": _PLAIN, "workspace_id": _PLAIN, "run_type": _PLAIN, "resource_id": _PLAIN, "resource_name":
    _TEXT,
    "source": _PLAIN, "delivery": _PLAIN, "charge_type": _PLAIN, "status": _PLAIN, "started_at": _TIME,
    "completed_at": _TIME, "updated_at": _TIME, "provider": _PLAIN, "model": _PLAIN, "api_key_id": _PLAIN,
    "api_key_name": _TEXT, "collaborator": _TEXT, "user_id": _TEXT, "user_metadata": _RAW, "trace_id": _PLAIN,
    "parent_run_id": _PLAIN, "deployment": _PLAIN, "error_message": _TEXT, "reported_total_tokens": _RAW,
    "client_version": _PLAIN,
}  # fmt: skip

_SPAN_COLUMNS = {
    "span_id": _PLAIN, "trace_id": _PLAIN, "run_id": _PLAIN, "workspace_id": _PLAIN, "parent_span_id": _PLAIN,
    "name": _TEXT, "kind": _PLAIN, "service": _PLAIN, "provider": _PLAIN, "model": _PLAIN, "charge_type":
    _PLAIN,
    "status": _PLAIN, "started_at": _TIME, "ended_at": _TIME, "attempt": _RAW, "error_message": _TEXT,
    "attributes": _RAW, "region": _PLAIN,
}  # fmt: skip

_TOKEN_COLUMNS = (
    "input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens",
    "image_tokens",
    "citation_tokens", "audio_input_tokens", "audio_output_tokens", "units",
)  # fmt: skip


def _json_fields(columns: dict[str, str]) -> list[str]:
    return [template.format(name=name) for name, template in columns.items()]


def _nested(name: str, condition: str, parts: dict[str, str]) -> str:
    """A usage object like {"total_tokens":…}, where the condition holds and there is a total."""
    fields = ", ".join(_NUMBER.format(name=key, value=value) for key, value in parts.items())
    return (
        f"case when {condition} and {parts['total_tokens']} is not null"
        f" then '\"{name}\":{{' || concat_ws(',', {fields}) || '}}' end"
    )


def _usage_fields() -> list[str]:
    """The token fields of a span's JSON line, in the shape the row asks for."""
    flat = "token_shape = 'flat'"
    unnested = "token_shape in ('flat', 'flat prompt')"
    fields = []
    for name in _TOKEN_COLUMNS:
        # A nested shape carries these inside; prompt shapes rename input and output and have no place for
        # audio.
        where = {
            "input_tokens": flat,
            "output_tokens": flat,
            "cached_tokens": unnested,
            "reasoning_tokens": unnested,
            "audio_input_tokens": "token_shape <> 'nested input'",
            "audio_output_tokens": "token_shape <> 'nested input'",
        }.get(name)
        text = _NUMBER.format(name=name, value=name)
        fields.append(f"case when {where} then {text} end" if where else text)
    for name, value in (("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens")):
        fields.append(
            f"case when token_shape = 'flat prompt' then {_NUMBER.format(name=name, value=value)} end"
        )
    nested_input, nested_prompt = "token_shape = 'nested input'", "token_shape = 'nested prompt'"
    audio_in, audio_out = "coalesce(audio_input_tokens, 0)", "coalesce(audio_output_tokens, 0)"
    totals_in = {"total_tokens": "input_tokens", "cached_tokens": "cached_tokens"}
    totals_out = {"total_tokens": "output_tokens", "reasoning_tokens": "reasoning_tokens"}
    fields.append(_nested("input_tokens", nested_input, {**totals_in, "audio_tokens": audio_in}))
    fields.append(_nested("output_tokens", nested_input, {**totals_out, "audio_tokens": audio_out}))
    fields.append(_nested("prompt_tokens", nested_prompt, totals_in))
    fields.append(_nested("completion_tokens", nested_prompt, totals_out))
    # Money is text: a JSON number would pass through binary floating point in most readers.
    fields.append("'\"provider_cost_usd\":\"' || exact(provider_cost_usd) || '\"'")
    fields.append("'\"task_credits\":' || number_quote || exact(task_credits) || number_quote")
    return fields


def _flat_columns(entity: Entity, file_format: FileFormat) -> str:
    """The select list of a CSV or Parquet file: the contract's flat columns."""
    columns = list(_RUN_COLUMNS)
    if entity == "spans":
        columns = [*_SPAN_COLUMNS, *_TOKEN_COLUMNS, "provider_cost_usd", "task_credits"]
    if file_format == "parquet":
        return ", ".join(columns)
    spelled = {name: f"iso({name}, iso_style) as {name}" for name in columns if name.endswith("_at")}
    spelled |= {name: f"exact({name}) as {name}" for name in ("provider_cost_usd", "task_credits")}
    return ", ".join(spelled.get(name, name) for name in columns)


def write(connection: duckdb.DuckDBPyConnection, entity: Entity, path: Path, file_format: FileFormat) -> None:
    """Write all rows of `export_run` or `export_span` as one file, in a fixed order."""
    table, order = {
        "runs": ("export_run", "started_at, run_id, updated_at"),
        "spans": ("export_span", "started_at, span_id"),
    }[entity]
    target = "'" + str(path).replace("'", "''") + "'"
    if file_format in ("csv", "parquet"):
        options = "format csv, header" if file_format == "csv" else "format parquet, compression zstd"
        columns = _flat_columns(entity, file_format)
    else:
        fields = _json_fields(_RUN_COLUMNS if entity == "runs" else _SPAN_COLUMNS)
        fields += _usage_fields() if entity == "spans" else []
        columns = "'{' || concat_ws(',', " + ", ".join(fields) + ") || '}' as line"
        compression = {"jsonl": "uncompressed", "jsonl.gz": "gzip", "jsonl.zst": "zstd"}[file_format]
        # One text column, written as it is: no header, no quoting, and a delimiter that JSON text cannot
        # contain.
        options = (
            f"format csv, header false, quote '', escape '', delimiter E'\\x1f', compression {compression}"
        )
    connection.execute(f"copy (select {columns} from {table} order by {order}) to {target} ({options})")
