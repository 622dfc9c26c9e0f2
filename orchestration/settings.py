"""Every setting: one frozen dataclass, read once from the environment over `credit_usage.toml`.

What belongs here: names, types, defaults, what each means (docs/operations.md is made of the `#:` comments), and
clear errors for wrong values. What does not: any behaviour, and any import that costs start-up time (only the
standard library is imported).
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

REPOSITORY = Path(__file__).resolve().parent.parent
"""The checkout: dbt project, dagster.yaml and the default data folder live beside the packages."""

ENVIRONMENT_PREFIX = "CREDIT_USAGE_"
CHARGE_TYPES = ("hosted", "personal")


class SettingsError(ValueError):
    """A setting is missing or wrong. The message names it, where it came from and what is allowed."""


@dataclass(frozen=True)
class WorkspaceSettings:
    """What is known of one workspace beside its data. Unset fields fall back to those of `Settings`."""

    #: The workspace's id in the data, the name of its table.
    workspace_id: str
    #: The name that reports show; the id when unset.
    name: str
    #: IANA time zone that gives the usage date of its runs.
    time_zone: str
    #: Who pays the provider where neither the span nor its run says so: `hosted` or `personal`.
    default_charge_type: str


@dataclass(frozen=True)
class Settings:
    """All settings, resolved. Paths are absolute; sizes are DuckDB size strings; times are seconds."""

    #: The data folder. In `credit_usage.toml` a relative path is taken from the folder of that file.
    data_dir: Path = REPOSITORY / "data"
    #: Memory limit of DuckDB, per process: a size such as `2GB`, or a share of the machine such as `50%`.
    #: Work that does not fit spills to the data folder's `tmp/`.
    memory_limit: str = "2GB"
    #: Threads of DuckDB when landing and auditing; 0 is one per core.
    threads: int = 0
    #: How many earlier publications are kept for `credit-usage rollback`, the current one not counted.
    keep_publications: int = 3
    #: Seconds. A landing file modified more recently than this is watched for that long; one that still
    #: changes waits for the next night.
    settle_seconds: float = 2.0
    #: IANA time zone that gives the usage date of workspaces that set none of their own.
    time_zone: str = "UTC"
    #: Who pays the provider where neither the span nor its run says so: `hosted` or `personal`.
    default_charge_type: str = "hosted"
    #: Cron expression of the nightly schedule in Dagster.
    schedule_cron: str = "30 2 * * *"
    #: IANA time zone in which that expression is read.
    schedule_time_zone: str = "UTC"
    #: First daily partition shown in the Dagster UI, as an ISO date; earlier dates are ingested and published
    #: all the same.
    partitions_start_date: str = "2023-01-01"
    #: Hours. Data older than this makes the freshness check warn and `credit-usage status` say STALE.
    freshness_hours: float = 36.0
    #: What is known of single workspaces: the tables `[workspaces.<id>]` of the settings file.
    workspaces: Mapping[str, WorkspaceSettings] = field(default_factory=dict)

    @property
    def landing_dir(self) -> Path:
        """Where exports are dropped, at any depth. Never written to by us."""
        return self.data_dir / "landing"

    @property
    def lake_dir(self) -> Path:
        """Immutable typed Parquet and the batch manifests: the source of truth."""
        return self.data_dir / "lake"

    @property
    def warehouse_dir(self) -> Path:
        """Candidates under construction and failed ones kept for inspection."""
        return self.data_dir / "warehouse"

    @property
    def candidate_path(self) -> Path:
        """The DuckDB file that dbt builds in; becomes the published file when its audit passes."""
        return self.warehouse_dir / "candidate.duckdb"

    @property
    def published_dir(self) -> Path:
        """The published file, its manifest and the kept history."""
        return self.data_dir / "published"

    @property
    def published_path(self) -> Path:
        """The file analysts and reports read."""
        return self.published_dir / "usage.duckdb"

    @property
    def manifest_path(self) -> Path:
        """What the published file is: publication id, batches, counts, settings fingerprint."""
        return self.published_dir / "manifest.json"

    @property
    def site_dir(self) -> Path:
        """The rendered pages; `index.html` is the entry."""
        return self.data_dir / "site"

    @property
    def temp_dir(self) -> Path:
        """Spill files of DuckDB; emptied at the start of each run."""
        return self.data_dir / "tmp"

    @property
    def dagster_dir(self) -> Path:
        """SQLite storage of Dagster: runs, event log, schedules."""
        return self.data_dir / "dagster"

    @property
    def dbt_target_dir(self) -> Path:
        """dbt's manifest, partial parse and run results."""
        return self.data_dir / "dbt"

    def workspace(self, workspace_id: str) -> WorkspaceSettings:
        """Settings of a workspace, defaults where it has none."""
        return self.workspaces.get(workspace_id) or WorkspaceSettings(
            workspace_id, workspace_id, self.time_zone, self.default_charge_type
        )


_SCALARS: dict[str, type] = {
    item.name: {"Path": Path, "str": str, "int": int, "float": float}[str(item.type)]
    for item in fields(Settings)
    if item.name != "workspaces"
}
_CRON_FIELDS = 5
_MEMORY_LIMIT = re.compile(r"^\d+(\.\d+)?\s*([KMGT]i?B|%)$", re.IGNORECASE)


def load(
    environment: Mapping[str, str] | None = None, config_path: Path | None = None, **overrides: Any
) -> Settings:
    """Read the settings: defaults, then `credit_usage.toml`, then `CREDIT_USAGE_*`, then `overrides`.

    The file is `config_path`, else `CREDIT_USAGE_CONFIG`, else `credit_usage.toml` in the repository.
    Raises SettingsError naming the setting and its source.
    """
    env = os.environ if environment is None else environment
    named = config_path or (Path(env["CREDIT_USAGE_CONFIG"]) if env.get("CREDIT_USAGE_CONFIG") else None)
    path = named or REPOSITORY / "credit_usage.toml"
    document: dict[str, Any] = {}
    if path.exists():
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"{path}: not valid TOML: {error}") from error
    elif named is not None:
        raise SettingsError(f"{path}: this settings file does not exist (CREDIT_USAGE_CONFIG names it)")

    values: dict[str, Any] = {}
    sources = dict.fromkeys(_SCALARS, "default")
    workspaces = document.pop("workspaces", {})
    for name, value in document.items():
        if name not in _SCALARS:
            raise SettingsError(f"{path}: unknown setting '{name}'; known are {', '.join(sorted(_SCALARS))}")
        values[name] = _convert(name, value, str(path))
        sources[name] = str(path)
        if name == "data_dir" and not Path(value).is_absolute():
            values[name] = (path.parent / value).resolve()
    for name in _SCALARS:
        text = env.get(ENVIRONMENT_PREFIX + name.upper())
        if text:
            sources[name] = ENVIRONMENT_PREFIX + name.upper()
            values[name] = _convert(name, text, sources[name])
    values.update({name: value for name, value in overrides.items() if value is not None})
    if "data_dir" in values:
        values["data_dir"] = Path(values["data_dir"]).expanduser().absolute()
    settings = Settings(**values)
    _validate(settings, sources)
    return replace(settings, workspaces=_workspaces(workspaces, settings, str(path)))


def _convert(name: str, value: Any, source: str) -> Any:
    kind = _SCALARS[name]
    try:
        if isinstance(value, bool):
            raise ValueError
        return kind(value)
    except (TypeError, ValueError) as error:
        raise SettingsError(f"{source}: '{name}' must be {kind.__name__}, got {value!r}") from error


def _validate(settings: Settings, sources: Mapping[str, str]) -> None:
    """Raise SettingsError for a value that is not allowed, naming where it came from."""
    if not _MEMORY_LIMIT.match(settings.memory_limit):
        where = f"{sources['memory_limit']}: 'memory_limit'"
        raise SettingsError(f"{where} must look like '2GB', got {settings.memory_limit!r}")
    for name in ("threads", "keep_publications", "settle_seconds"):
        if getattr(settings, name) < 0:
            raise SettingsError(
                f"{sources[name]}: '{name}' must not be negative, got {getattr(settings, name)}"
            )
    if settings.freshness_hours <= 1 / 60:
        where = f"{sources['freshness_hours']}: 'freshness_hours'"
        raise SettingsError(f"{where} must be more than a minute, got {settings.freshness_hours}")
    if len(settings.schedule_cron.split()) != _CRON_FIELDS:
        where = f"{sources['schedule_cron']}: 'schedule_cron'"
        raise SettingsError(f"{where} must be five fields like '30 2 * * *', got {settings.schedule_cron!r}")
    try:
        date.fromisoformat(settings.partitions_start_date)
    except ValueError as error:
        where = f"{sources['partitions_start_date']}: 'partitions_start_date'"
        message = f"{where} must be a date like '2023-01-01', got {settings.partitions_start_date!r}"
        raise SettingsError(message) from error
    for name in ("time_zone", "schedule_time_zone"):
        _time_zone(getattr(settings, name), f"{sources[name]}: '{name}'")
    _charge_type(settings.default_charge_type, f"{sources['default_charge_type']}: 'default_charge_type'")


def _time_zone(name: Any, where: str) -> str:
    try:
        ZoneInfo(str(name))
    except (KeyError, ValueError, OSError) as error:
        message = f"{where} must be an IANA time zone like 'Europe/Berlin', got {name!r}"
        raise SettingsError(message) from error
    return str(name)


def _charge_type(value: Any, where: str) -> str:
    if value not in CHARGE_TYPES:
        raise SettingsError(f"{where} must be one of {', '.join(CHARGE_TYPES)}, got {value!r}")
    return str(value)


def _workspaces(table: Any, settings: Settings, source: str) -> dict[str, WorkspaceSettings]:
    """The `[workspaces.<id>]` tables."""
    if not isinstance(table, dict):
        raise SettingsError(f"{source}: 'workspaces' must be tables like [workspaces.ws_1]")
    known = {"name", "time_zone", "default_charge_type"}
    result = {}
    for workspace_id, entry in table.items():
        where = f"{source}: [workspaces.{workspace_id}]"
        if not isinstance(entry, dict):
            raise SettingsError(f"{where} must be a table")
        if unknown := sorted(set(entry) - known):
            raise SettingsError(f"{where} has unknown '{unknown[0]}'; known are {', '.join(sorted(known))}")
        result[workspace_id] = WorkspaceSettings(
            workspace_id=workspace_id,
            name=str(entry.get("name", workspace_id)),
            time_zone=_time_zone(entry.get("time_zone", settings.time_zone), f"{where} 'time_zone'"),
            default_charge_type=_charge_type(
                entry.get("default_charge_type", settings.default_charge_type),
                f"{where} 'default_charge_type'",
            ),
        )
    return result
