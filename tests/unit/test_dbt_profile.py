"""What the dbt profile may say about memory and spilling."""

from __future__ import annotations

import yaml

from orchestration.publication.candidate import DBT_PROJECT


def test_limits_are_given_when_the_file_is_opened_and_not_for_each_statement() -> None:
    """dbt-duckdb repeats `settings` for each cursor, and DuckDB refuses a new temporary directory once it has spilled:
    the first night that needs its spill folder would fail."""
    profile = yaml.safe_load((DBT_PROJECT / "profiles.yml").read_text(encoding="utf-8"))
    target = profile["credit_usage"]["outputs"]["duckdb"]
    assert set(target["settings"]) == {"TimeZone"}, "only session settings may be repeated for each cursor"
    assert {"memory_limit", "temp_directory"} <= set(target["config_options"]), (
        "memory and spilling must stay bounded"
    )
