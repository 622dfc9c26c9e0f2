"""Files of foreign formats as text rows, the way `readers` makes them of files of the contract.

What belongs here: which relation of records a file gives, and the settings that say whose spans they are. What does not: what a
record means (`formats`).
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestration.landing.contract import SPANS, Entity
from orchestration.landing.files import LandingFile
from orchestration.landing.formats import Convert, SourceFormat
from orchestration.settings import SourceMapping
from orchestration.sql import identifier, literal

if TYPE_CHECKING:
    import duckdb

DEFAULT_WORKSPACE = "default"
"""Workspace of spans of which neither the file nor the settings say one."""


@dataclass(frozen=True)
class ForeignRows:
    """A source of a foreign format ready to be queried; see `readers.TextRows`, whose questions it answers.

    `records` makes the relation of its records, with line numbers where asked.
    """

    format: SourceFormat
    files: tuple[tuple[int, LandingFile], ...]
    records: Callable[[bool], str]
    convert: Convert
    mappings: Sequence[SourceMapping] = ()
    lines: Mapping[int, int] = field(default_factory=dict)
    """How many lines each file_no has, where each line is a record or blank."""
    majority: Entity = SPANS.plain
    may_be_mixed: bool = False
    may_have_usage: bool = True

    @property
    def source_format(self) -> str:
        """What the lake calls the format."""
        return self.format.name

    @property
    def at_most(self) -> dict[int, int]:
        """Lines, where the first of the passes makes one row at most of each; else nothing is known without parsing."""
        return dict(self.lines) if self.format.halves else {}

    def count(self, connection: duckdb.DuckDBPyConnection) -> dict[int, int]:
        """The rows of each file_no, counted apart from their conversion."""
        counted = connection.execute(self.format.row_count(self.records(False))).fetchall()
        return {file_no: 0 for file_no, _ in self.files} | dict(counted)

    def refuse_foreign(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Detection has looked already."""

    def passes(self) -> list[tuple[Entity, str]]:
        """See `readers.TextRows.passes`."""
        conversions = self.format.halves if self.at_most and self.format.halves else (self.format.spans,)
        return [
            (self.majority, self._mapped_rows(convert(self.records(False), self.convert)))
            for convert in conversions
        ]

    def select(self, entity: Entity, *, numbered: bool = False) -> str:
        """SQL of the text rows, with what the settings say of their source put in."""
        return self._mapped_rows(self.format.spans(self.records(numbered), self.convert))

    def _mapped_rows(self, rows: str) -> str:
        replaced = ", ".join(
            f"{self._mapped(name)} as {identifier(name)}"
            for name in (
                "workspace_id",
                "charge_type",
                "api_key_id",
                "api_key_name",
                "collaborator",
                "deployment",
            )
        )
        return f"select * replace ({replaced}) from ({rows})"

    def _mapped(self, name: str) -> str:
        """A column, as the first of the settings' mappings says that fits and names it, else as the file does."""
        arms = []
        for mapping in self.mappings:
            value = getattr(mapping, name)
            if value is None:
                continue
            conditions = [self._lies_in(mapping.path)] if mapping.path is not None else []
            conditions += [
                f"{column} = {literal(wanted)}"
                for column, wanted in (("service_name", mapping.service_name), ("project", mapping.project))
                if wanted is not None
            ]
            arms.append(f"when {' and '.join(conditions) or 'true'} then {literal(value)}")
        given = identifier(name)
        if name == "workspace_id":
            given = f"coalesce(nullif({given}, ''), {literal(DEFAULT_WORKSPACE)})"
        return f"case {' '.join(arms)} else {given} end" if arms else given

    def _lies_in(self, pattern: str) -> str:
        """Condition that the file's name below the landing folder fits a pattern."""
        numbers = [str(file_no) for file_no, file in self.files if fnmatch.fnmatchcase(file.name, pattern)]
        return f"file_no in ({', '.join(numbers)})" if numbers else "false"
