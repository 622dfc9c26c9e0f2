"""Two expectations in Great Expectations' own extension point: a query that finds rows, and a share of rows.

Why not the built-in ones: over a query on DuckDB a column expectation first runs the whole query to learn its
column names (8 s on 600,000 spans), and `UnexpectedRowsExpectation` runs each query twice, once to count.
Both classes take one pass.

This module imports Great Expectations: import it inside a function.
"""

from __future__ import annotations

from typing import Any, ClassVar

from great_expectations.expectations import UnexpectedRowsExpectation


class ExpectNoRows(UnexpectedRowsExpectation):  # type: ignore[misc] # untyped to us
    """Succeeds when the query finds nothing. It limits itself and says in each row how many there are."""

    metric_dependencies: ClassVar[tuple[str, ...]] = ("unexpected_rows_query.table",)

    def _validate(
        self, metrics: dict[str, Any], runtime_configuration: Any = None, execution_engine: Any = None
    ) -> dict[str, Any]:
        rows = metrics["unexpected_rows_query.table"]
        return {"success": not rows, "result": {"observed_value": len(rows), "details": {"rows": rows}}}


class ExpectShareAtMost(UnexpectedRowsExpectation):  # type: ignore[misc]
    """Succeeds when `found_rows` is at most `share` of `asked_rows`, columns of the query's only row, which names no `worst_workspaces`."""

    share: float

    metric_dependencies: ClassVar[tuple[str, ...]] = ("unexpected_rows_query.table",)
    success_keys: ClassVar[tuple[str, ...]] = ("unexpected_rows_query", "share")

    def _validate(
        self, metrics: dict[str, Any], runtime_configuration: Any = None, execution_engine: Any = None
    ) -> dict[str, Any]:
        (row,) = metrics["unexpected_rows_query.table"]
        found, asked = int(row["found_rows"]), int(row["asked_rows"])
        return {
            "success": found <= self.share * asked and row["worst_workspaces"] is None,
            "result": {"observed_value": found, "details": dict(row)},
        }
