"""What the dbt profile may say about memory and spilling."""

from __future__ import annotations

import os
from pathlib import Path

import yaml

from orchestration.publication.candidate import DBT_PROJECT
from orchestration.settings import load
from orchestration.warehouse import runner


def test_limits_are_given_when_the_file_is_opened_and_not_for_each_statement() -> None:
    """dbt-duckdb repeats `settings` for each cursor, and DuckDB refuses a new temporary directory once it has spilled:
    the first night that needs its spill folder would fail."""
    profile = yaml.safe_load((DBT_PROJECT / "profiles.yml").read_text(encoding="utf-8"))
    target = profile["credit_usage"]["outputs"]["duckdb"]
    assert set(target["settings"]) == {"TimeZone"}, "only session settings may be repeated for each cursor"
    assert {"memory_limit", "temp_directory", "threads"} <= set(target["config_options"]), (
        "memory and spilling must stay bounded"
    )


def test_threads_of_the_settings_reach_dbt(tmp_path: Path) -> None:
    """`CREDIT_USAGE_THREADS` bounds landing and audit, while the build takes every core."""
    for threads, expected in ((1, "1"), (3, "3"), (0, str(os.cpu_count()))):
        settings = load({}, data_dir=tmp_path, threads=threads)
        with runner._environment(settings, tmp_path / "x.duckdb"):
            assert os.environ["CREDIT_USAGE_THREADS"] == expected
