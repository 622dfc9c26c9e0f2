"""Every setting: one frozen dataclass, read once from the environment over `credit_usage.toml`.

What belongs here: names, types, defaults, what each means (docs/operations.md is made of the `#:` comments), and
clear errors for wrong values. What does not: any behaviour, and any import that costs start-up time (only the
standard library is imported).
"""

from __future__ import annotations

import math
import os
import re
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from orchestration import exact
from orchestration.toml_places import lines_of_keys

REPOSITORY = Path(__file__).resolve().parent.parent
"""The checkout: dbt project, dagster.yaml and the default data folder live beside the packages."""

ENVIRONMENT_PREFIX = "CREDIT_USAGE_"
CHARGE_TYPES = ("hosted", "personal")
NO_RATE_CARD = "none"
"""What a workspace says that has no rate card."""
USD_DECIMALS = 12


class SettingsError(ValueError):
    """A setting is missing or wrong. The message names it, where it came from and what is allowed."""


@dataclass(frozen=True)
class CreditPrice:
    """What a task credit costs from a date on, up to the next price."""

    #: First date; None: from the beginning.
    valid_from: date | None
    credit_price_usd: Decimal


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
    #: US dollars per task credit, at most 12 decimals: `credit_price_usd = "0.01"` for all dates, or a list with dates,
    #: `credit_prices = [{ credit_price_usd = "0.02" }, { valid_from = 2026-01-01, credit_price_usd = "0.01" }]`. Each price holds
    #: until the next. Without a price credits are counted and shown; their cost is 0, marked "no credit price set".
    credit_prices: tuple[CreditPrice, ...] = ()
    #: Card of the rate file that gives the credits of services where the export reports none, or `none`. Native exports use
    #: the card `platform` unless this says otherwise, other sources none.
    rate_card: str | None = None
    #: US dollars per month, as text or a number; more than 0. What is spent of it and where the month ends is in
    #: `mart_analytics__budgets`; a workspace that is over, or heading there, is a warning.
    monthly_budget_usd: Decimal | None = None
    #: File and line of its settings, for messages about what only later turns out to be wrong.
    places: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True)
class SourceMapping:
    """Whose the spans of a foreign source are: what it sets, for spans that fit all the conditions it gives."""

    #: Condition: the file's path below the landing folder fits this pattern, such as `langfuse/*` (`*` reaches into subfolders).
    path: str | None = None
    #: Condition: the resource attribute `service.name`, as it stands.
    service_name: str | None = None
    #: Condition: the project: Langfuse's project id, LiteLLM's team id, of OpenTelemetry the project that the resource names.
    project: str | None = None
    #: Workspace of the spans. Without one it is what the file says, else `default`.
    workspace_id: str | None = None
    #: Who pays the provider: `hosted` or `personal`.
    charge_type: str | None = None
    #: Id of the API key, where the file names none or another.
    api_key_id: str | None = None
    #: Its name.
    api_key_name: str | None = None
    #: Workspace member.
    collaborator: str | None = None
    #: Deployment.
    deployment: str | None = None

    CONDITIONS = ("path", "service_name", "project")


@dataclass(frozen=True)
class Settings:
    """All settings, resolved. Paths are absolute; sizes are DuckDB size strings; times are seconds."""

    #: The data folder. In `credit_usage.toml` a relative path is taken from the folder of that file.
    data_dir: Path = REPOSITORY / "data"
    #: Memory limit of DuckDB, per process: a size such as `2GB`, or a share of the machine such as `50%`.
    #: Work that does not fit spills to the data folder's `tmp/`.
    memory_limit: str = "2GB"
    #: Threads of DuckDB; 0 is one per core.
    threads: int = 0
    #: URL of a folder on object storage where exports are dropped, such as `s3://bucket/exports`, in place of the data folder's
    #: `landing/`. Each night fetches what is new there. Credentials come from the provider's own environment.
    landing_url: str = ""
    #: URL of a folder on object storage that holds the lake, such as `s3://bucket/lake`. The data folder's `lake/` is then a copy of it,
    #: and several machines may take turns. Credentials as for `landing_url`.
    lake_url: str = ""
    #: Processes that read new landing files at the same time, each with its part of memory and cores. In Dagster each group of files
    #: is then a step of its own, in whatever executor the deployment has.
    landing_workers: int = 1
    #: What builds the tables: `duckdb`, or `spark`, which needs the extra of that name and Java. Changing it is a full build.
    engine: str = "duckdb"
    #: Where Spark runs: `local[*]` is this process, with one thread per core. With `yarn`, `spark://HOST:PORT` or `k8s://URL` this process
    #: drives a cluster; `sc://HOST:PORT` is a server of Spark Connect, and wants no Java here. All of it must reach the data folder under
    #: the same path.
    spark_master: str = "local[*]"
    #: Memory of Spark in this process, such as `2g`.
    spark_memory: str = "2g"
    #: How many earlier publications are kept for `credit-usage rollback`, the current one not counted.
    keep_publications: int = 3
    #: Days of which single runs and calls are published, counted back from the night; 0 keeps all. Daily figures stay of all days,
    #: and the lake keeps everything, so that late rows of old days still count.
    keep_detail_days: int = 0
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
    #: CSV or YAML file with prices of your own, which go before the catalogue's. In `credit_usage.toml` a relative path is
    #: taken from the folder of that file, in the environment variable from the current folder.
    price_file: Path | None = None
    #: CSV or YAML file with task credits per service, in place of the platform's rate card. Relative paths as for `price_file`.
    rate_file: Path | None = None
    #: Whether prompts, completions and tool arguments of foreign files are kept, for the run sheet: cut, and with what looks like a
    #: key, an e-mail address or a card number taken out. Off, they do not reach the lake.
    keep_content: bool = False
    #: Characters of each kept text.
    content_max_characters: int = 4000
    #: How nights write their log to standard error: `text`, or `json` with one object a line.
    log_format: str = "text"
    #: URL that gets a JSON document by POST when a night failed. Without one, nothing is sent anywhere.
    on_failure_webhook: str = field(default="", repr=False)
    #: Command that gets that document on its standard input; run without a shell.
    on_failure_command: str = field(default="", repr=False)
    #: The same when a night ended well.
    on_success_webhook: str = field(default="", repr=False)
    #: The same when a night ended well.
    on_success_command: str = field(default="", repr=False)
    #: Seconds that a webhook or command may take. Whatever becomes of it, the night stays as it ended.
    hook_timeout_seconds: float = 10.0
    #: Salt with which the ids of tracked users are hashed as they land (HMAC-SHA-256), with what else in metadata, attributes and
    #: errors tells the person. At least 16 characters, kept secret; unset, ids are kept as they are given. It holds for files that land
    #: from then on: another salt makes other users.
    user_id_salt: str = field(default="", repr=False)
    #: Whose spans of foreign sources are: the tables `[[sources]]` of the settings file. Of those that fit, the first that names a
    #: thing decides it. They hold for files that land from then on.
    sources: tuple[SourceMapping, ...] = ()
    #: Limits of checks that are to be others than `docs/checks.md` lists, with its reasons: the table `[thresholds]` of the settings file.
    thresholds: Mapping[str, float] = field(default_factory=dict)
    #: What is known of single workspaces: the tables `[workspaces.<id>]` of the settings file.
    workspaces: Mapping[str, WorkspaceSettings] = field(default_factory=dict)

    @property
    def landing_dir(self) -> Path:
        """Where exports are dropped, at any depth, and never written to by us; with `landing_url` this machine's copy of what is there."""
        return self.data_dir / ("landing-copy" if self.landing_url else "landing")

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
    def spark_dir(self) -> Path:
        """Tables that Spark wrote, a folder for each build; what is published reads them."""
        return self.data_dir / "spark"

    @property
    def dbt_target_dir(self) -> Path:
        """dbt's manifest, partial parse and run results."""
        return self.data_dir / "dbt"

    def alone(self, data_dir: Path) -> Settings:
        """The same for work in a scratch folder of its own: nothing of it reaches what others share."""
        return replace(
            self,
            data_dir=data_dir,
            settle_seconds=0.0,
            landing_url="",
            lake_url="",
            landing_workers=1,
            engine="duckdb",
        )

    def share(self, workers: int) -> Settings:
        """The same for one of so many processes at once: its part of memory and cores."""
        limit = re.sub(r"[\d.]+", lambda size: f"{float(size[0]) / workers:.3f}", self.memory_limit)
        threads = max(1, (self.threads or os.cpu_count() or 1) // workers)
        return replace(self, memory_limit=limit, threads=threads)

    def workspace(self, workspace_id: str) -> WorkspaceSettings:
        """Settings of a workspace, defaults where it has none."""
        return self.workspaces.get(workspace_id) or WorkspaceSettings(
            workspace_id, workspace_id, self.time_zone, self.default_charge_type
        )


_TABLES = ("workspaces", "sources", "thresholds")
_SCALARS: dict[str, type] = {
    item.name: {"Path": Path, "str": str, "int": int, "float": float, "bool": bool}[
        str(item.type).removesuffix(" | None")
    ]
    for item in fields(Settings)
    if item.name not in _TABLES
}
_KINDS = {Path: "a path", str: "text", int: "a whole number", float: "a number", bool: "true or false"}
_BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_USER_FILES = ("price_file", "rate_file")
_MEMORY_LIMIT = re.compile(r"^(\d+(?:\.\d+)?)\s*([KMGT]i?B|%)$", re.IGNORECASE)
_WHOLE_PERCENT = 100
_CREDIT_PRICE_BELOW = 1_000_000
_SHORTEST_SALT = 16
SECRETS = ("user_id_salt", "on_failure_webhook", "on_success_webhook")
"""Settings whose values are shown nowhere: URLs of webhooks are passwords, too."""
LOG_FORMATS = ("text", "json")
ENGINES = ("duckdb", "spark")
_SPARK_MASTER = re.compile(
    r"local(\[(\*|[1-9]\d*)\])?|local-cluster\[\d+,\d+,\d+\]|yarn|spark://[\w.:,-]+|k8s://\S+"
    r"|sc://[\w.-]+(:\d+)?(/(;[\w.-]+=[^;\s]*)*)?"
)
_SPARK_MEMORY = re.compile(r"^[1-9]\d*[mg]$")
_BUDGET_BELOW = 10**12


@dataclass(frozen=True)
class _File:
    """The settings file. Lines are only looked for when a message needs one."""

    path: Path
    text: str = ""

    @cached_property
    def _lines(self) -> dict[tuple[str, ...], int]:
        return lines_of_keys(self.text)

    def line(self, *keys: str) -> int | None:
        """The line of a key, else of what it is in."""
        for depth in range(len(keys), 0, -1):
            if line := self._lines.get(keys[:depth]):
                return line
        return None


@dataclass(frozen=True)
class _Place:
    """Where a value comes from, spelt out when it is printed."""

    file: _File
    keys: tuple[str, ...]

    def __str__(self) -> str:
        line = self.file.line(*self.keys)
        return f"{self.file.path}, line {line}" if line else str(self.file.path)


def load(
    environment: Mapping[str, str] | None = None, config_path: Path | None = None, **overrides: Any
) -> Settings:
    """Read the settings: defaults, then `credit_usage.toml`, then `CREDIT_USAGE_*`, then `overrides`.

    The file is `config_path`, else `CREDIT_USAGE_CONFIG`, else `credit_usage.toml` in the repository.
    Raises SettingsError naming the setting and its source, of the file with the line.
    """
    env = os.environ if environment is None else environment
    named = config_path or (Path(env["CREDIT_USAGE_CONFIG"]) if env.get("CREDIT_USAGE_CONFIG") else None)
    file, document = _read(named)

    values: dict[str, Any] = {}
    sources: dict[str, str | _Place] = dict.fromkeys(_SCALARS, "default")
    workspaces = document.pop("workspaces", {})
    sources_table = document.pop("sources", [])
    thresholds_table = document.pop("thresholds", {})
    for name, value in document.items():
        sources[name] = _Place(file, (name,))
        if name not in _SCALARS:
            known = ", ".join(
                (*sorted(_SCALARS), "and tables [workspaces.<id>], [[sources]] and [thresholds]")
            )
            raise SettingsError(f"{sources[name]}: unknown setting '{name}'; known are {known}")
        values[name] = _convert(name, value, sources[name])
        if isinstance(values[name], Path):
            values[name] = (file.path.parent / values[name].expanduser()).resolve()
    for name in _SCALARS:
        text = env.get(ENVIRONMENT_PREFIX + name.upper())
        if text:
            sources[name] = ENVIRONMENT_PREFIX + name.upper()
            values[name] = _convert(name, text, sources[name])
    _refuse_misspelled(env)
    values.update({name: value for name, value in overrides.items() if value is not None})
    for name in ("data_dir", *_USER_FILES):
        if values.get(name) is not None:
            values[name] = Path(values[name]).expanduser().absolute()
    settings = Settings(**values)
    _validate(settings, sources)
    return replace(
        settings,
        workspaces=_workspaces(workspaces, settings, file),
        sources=_source_mappings(sources_table, file),
        thresholds=_thresholds(thresholds_table, file),
    )


def _refuse_misspelled(env: Mapping[str, str]) -> None:
    """Raise SettingsError for a variable whose name is nearly that of a setting: it would say nothing, without a word."""
    known = [ENVIRONMENT_PREFIX + name.upper() for name in _SCALARS]
    given = [name for name in env if name.startswith(ENVIRONMENT_PREFIX) and name not in known]
    if not given:
        return
    from difflib import get_close_matches  # noqa: PLC0415 - hardly ever needed

    for name in given:
        if near := get_close_matches(name, known, n=1, cutoff=0.9):
            raise SettingsError(f"{name}: no setting has this name; did you mean {near[0]}?")


def _read(named: Path | None) -> tuple[_File, dict[str, Any]]:
    """The settings file and what it says; floats as exact decimals. Without a file there is nothing said."""
    path = named or REPOSITORY / "credit_usage.toml"
    if not path.exists():
        if named is not None:
            raise SettingsError(f"{path}: this settings file does not exist (CREDIT_USAGE_CONFIG names it)")
        return _File(path), {}
    content = path.read_bytes()
    try:
        text = content.decode("utf-8")
        return _File(path, text), tomllib.loads(text, parse_float=Decimal)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{path}, line {line}: not UTF-8 text") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from error


def _convert(name: str, value: Any, source: str | _Place) -> Any:
    kind = _SCALARS[name]
    if name in SECRETS and not isinstance(value, str):
        raise SettingsError(f"{source}: '{name}' must be {_KINDS[kind]} (its value is not shown)")
    if name in _USER_FILES and value == "":
        return None
    if kind is bool:
        known = value if isinstance(value, bool) else _BOOLEANS.get(str(value).strip().lower())
        if known is None:
            raise SettingsError(f"{source}: '{name}' must be {_KINDS[kind]}, got {exact.shown(value)}")
        return known
    try:
        if isinstance(value, bool):
            raise ValueError
        converted = kind(value)
        if (kind is int and not isinstance(value, str) and converted != value) or (
            kind is float and not math.isfinite(converted)
        ):
            raise ValueError
        return converted
    except (TypeError, ValueError, OverflowError) as error:
        raise SettingsError(f"{source}: '{name}' must be {_KINDS[kind]}, got {exact.shown(value)}") from error


def _validate(settings: Settings, sources: Mapping[str, str | _Place]) -> None:
    """Raise SettingsError for a value that is not allowed, naming where it came from."""
    where = f"{sources['memory_limit']}: 'memory_limit'"
    limit = _MEMORY_LIMIT.match(settings.memory_limit)
    if limit is None:
        raise SettingsError(f"{where} must look like '2GB', got {settings.memory_limit!r}")
    if not 0 < float(limit[1]) <= (_WHOLE_PERCENT if limit[2] == "%" else math.inf):
        raise SettingsError(f"{where} must be more than 0 and at most 100%, got {settings.memory_limit!r}")
    for name in (
        "threads",
        "keep_publications",
        "keep_detail_days",
        "settle_seconds",
        "content_max_characters",
    ):
        if getattr(settings, name) < 0:
            raise SettingsError(
                f"{sources[name]}: '{name}' must not be negative, got {getattr(settings, name)}"
            )
    _validate_engine(settings, sources)
    _validate_urls(settings, sources)
    _validate_secrets_and_hooks(settings, sources)
    if settings.landing_workers < 1:
        where = f"{sources['landing_workers']}: 'landing_workers'"
        raise SettingsError(f"{where} must be at least 1, got {settings.landing_workers}")
    if settings.freshness_hours <= 1 / 60:
        where = f"{sources['freshness_hours']}: 'freshness_hours'"
        raise SettingsError(f"{where} must be more than a minute, got {settings.freshness_hours}")
    if fault := _fault_of_cron(settings.schedule_cron):
        where = f"{sources['schedule_cron']}: 'schedule_cron'"
        raise SettingsError(
            f"{where} must be five fields like '30 2 * * *', got {settings.schedule_cron!r}{fault}"
        )
    try:
        date.fromisoformat(settings.partitions_start_date)
    except ValueError as error:
        where = f"{sources['partitions_start_date']}: 'partitions_start_date'"
        message = f"{where} must be a date like '2023-01-01', got {settings.partitions_start_date!r}"
        raise SettingsError(message) from error
    for name in ("time_zone", "schedule_time_zone"):
        _time_zone(getattr(settings, name), f"{sources[name]}: '{name}'")
    _charge_type(settings.default_charge_type, f"{sources['default_charge_type']}: 'default_charge_type'")
    if settings.data_dir.exists() and not settings.data_dir.is_dir():
        raise SettingsError(
            f"{sources['data_dir']}: 'data_dir' must be a folder, and there is a file: {settings.data_dir}"
        )
    for name in _USER_FILES:
        path = getattr(settings, name)
        if path is not None and not path.is_file():
            raise SettingsError(f"{sources[name]}: '{name}' must name a file, and there is none: {path}")


_CRON_FIELDS: tuple[tuple[str, int, int, str], ...] = (
    ("minute", 0, 59, ""),
    ("hour", 0, 23, ""),
    ("day", 1, 31, ""),
    ("month", 1, 12, "jan feb mar apr may jun jul aug sep oct nov dec"),
    ("weekday", 0, 7, "sun mon tue wed thu fri sat"),
)
"""Name, least and greatest value, and the words that stand for values from the least on."""


def _fault_of_cron(text: str) -> str:
    """What is wrong with a schedule, to be put behind it; empty where nothing is. Dagster, which would tell, takes two seconds to load."""
    given = text.lower().split()
    if len(given) != len(_CRON_FIELDS):
        return f", which has {len(given)}"
    for field_text, (name, least, greatest, words) in zip(given, _CRON_FIELDS, strict=True):
        values = {word: str(number) for number, word in enumerate(words.split(), start=least)}
        for part in field_text.split(","):
            span, slash, step = part.partition("/")
            first, dash, last = span.partition("-")
            ends = (
                [] if span == "*" else [values.get(end, end) for end in ((first, last) if dash else (first,))]
            )
            is_number = all(end.isdecimal() and least <= int(end) <= greatest for end in ends)
            is_step = not slash or (step.isdecimal() and int(step) > 0)
            if not is_number or not is_step or (len(ends) > 1 and int(ends[0]) > int(ends[1])):
                return f": the {name} '{part}' is none from {least} to {greatest}"
    return ""


def _validate_urls(settings: Settings, sources: Mapping[str, str | _Place]) -> None:
    """The same of folders on object storage. The value is not shown where it may hold a password."""
    for name in ("landing_url", "lake_url"):
        url = getattr(settings, name)
        scheme, _, folder = url.partition("://")
        if url and not (scheme and folder.strip("/")):
            raise SettingsError(
                f"{sources[name]}: '{name}' must be the URL of a folder, such as s3://bucket/exports"
            )
        user, at, _ = folder.partition("/")[0].rpartition("@")
        if at and ":" in user:
            raise SettingsError(
                f"{sources[name]}: '{name}' must not hold a password: credentials come from the provider's own environment"
            )
    if settings.lake_url and settings.lake_url.rstrip("/") == settings.landing_url.rstrip("/"):
        raise SettingsError(f"{sources['lake_url']}: 'lake_url' must be another folder than 'landing_url'")


def _validate_engine(settings: Settings, sources: Mapping[str, str | _Place]) -> None:
    """The same of what builds the tables."""
    where = f"{sources['engine']}: 'engine'"
    if settings.engine not in ENGINES:
        raise SettingsError(f"{where} must be one of {', '.join(ENGINES)}, got {settings.engine!r}")
    if settings.engine == "spark" and settings.keep_detail_days:
        raise SettingsError(f"{where} 'spark' keeps the detail of all days: leave out 'keep_detail_days'")
    if not _SPARK_MASTER.fullmatch(settings.spark_master):
        place = f"{sources['spark_master']}: 'spark_master'"
        raise SettingsError(
            f"{place} must be 'local[*]', 'local[N]', 'yarn', 'spark://HOST:PORT', 'k8s://URL' or 'sc://HOST:PORT', "
            f"got {settings.spark_master!r}"
        )
    if ";token=" in settings.spark_master:
        place = f"{sources['spark_master']}: 'spark_master'"
        raise SettingsError(
            f"{place} holds a token: leave it out, and give it in the environment as SPARK_CONNECT_AUTHENTICATE_TOKEN"
        )
    if not _SPARK_MEMORY.match(settings.spark_memory):
        place = f"{sources['spark_memory']}: 'spark_memory'"
        raise SettingsError(f"{place} must look like '2g' or '512m', got {settings.spark_memory!r}")


def _validate_secrets_and_hooks(settings: Settings, sources: Mapping[str, str | _Place]) -> None:
    """The same of what must not be shown, and of how others hear of a night."""
    if 0 < len(settings.user_id_salt) < _SHORTEST_SALT:
        where = f"{sources['user_id_salt']}: 'user_id_salt'"
        raise SettingsError(
            f"{where} must have at least {_SHORTEST_SALT} characters (its value is not shown)"
        )
    for name in ("on_failure_webhook", "on_success_webhook"):
        url = getattr(settings, name)
        if url and not re.fullmatch(r"https?://[^\s/]+\S*", url):
            raise SettingsError(
                f"{sources[name]}: '{name}' must be a URL with http or https (its value is not shown)"
            )
    for name in ("on_failure_command", "on_success_command"):
        try:
            shlex.split(getattr(settings, name))
        except ValueError as error:
            raise SettingsError(f"{sources[name]}: '{name}' is no command: {error}") from error
    if settings.log_format not in LOG_FORMATS:
        where = f"{sources['log_format']}: 'log_format'"
        raise SettingsError(f"{where} must be one of {', '.join(LOG_FORMATS)}, got {settings.log_format!r}")
    if settings.hook_timeout_seconds <= 0:
        where = f"{sources['hook_timeout_seconds']}: 'hook_timeout_seconds'"
        raise SettingsError(f"{where} must be more than 0, got {settings.hook_timeout_seconds}")


_NO_ZONES = ("posix/", "right/", "localtime")
"""Files of the operating system's beside the zones: Python opens them, DuckDB knows no such names."""


def _time_zone(name: Any, where: str) -> str:
    message = f"{where} must be an IANA time zone like 'Europe/Berlin', got {name!r}"
    try:
        ZoneInfo(str(name))
    except (KeyError, ValueError, OSError) as error:
        raise SettingsError(message) from error
    if str(name).startswith(_NO_ZONES):
        raise SettingsError(message)
    return str(name)


def _charge_type(value: Any, where: str) -> str:
    if value not in CHARGE_TYPES:
        raise SettingsError(f"{where} must be one of {', '.join(CHARGE_TYPES)}, got {value!r}")
    return str(value)


def _source_mappings(table: Any, file: _File) -> tuple[SourceMapping, ...]:
    """The `[[sources]]` tables, in order."""
    if not isinstance(table, list) or not all(isinstance(entry, dict) for entry in table):
        raise SettingsError(f"{_Place(file, ('sources',))}: 'sources' must be tables like [[sources]]")
    known = [item.name for item in fields(SourceMapping)]
    mappings = []
    for number, entry in enumerate(table):
        where = f"{_Place(file, ('sources', str(number)))}: [[sources]] entry {number + 1}"
        if unknown := [key for key in entry if key not in known]:
            raise SettingsError(
                f"{where}: '{unknown[0]}' is no setting of a source; known are {', '.join(known)}"
            )
        for key, value in entry.items():
            if not isinstance(value, str) or not value.strip():
                raise SettingsError(
                    f"{where}: '{key}' must be a text that is not empty, got {exact.shown(value)}"
                )
        if "charge_type" in entry:
            _charge_type(entry["charge_type"], f"{where}: 'charge_type'")
        if all(key in SourceMapping.CONDITIONS for key in entry):
            raise SettingsError(
                f"{where} sets nothing: give it a 'workspace_id' or another of {', '.join(known)}"
            )
        mappings.append(SourceMapping(**entry))
    return tuple(mappings)


def _thresholds(table: Any, file: _File) -> dict[str, float]:
    """The table `[thresholds]`."""
    if not table:
        return {}
    from orchestration.quality.thresholds import Thresholds  # noqa: PLC0415 - few change a limit

    if not isinstance(table, dict):
        raise SettingsError(
            f"{_Place(file, ('thresholds',))}: 'thresholds' must be a table like [thresholds]"
        )
    # How fresh data has to be is a setting of its own.
    known = {item.name: str(item.type) for item in fields(Thresholds) if item.name != "freshness_hours"}
    chosen: dict[str, float] = {}
    for name, value in table.items():
        where = f"{_Place(file, ('thresholds', name))}: [thresholds] '{name}'"
        if name not in known:
            raise SettingsError(f"{where} is no limit of a check; docs/checks.md lists them")
        is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
        if not is_number or (known[name] == "int" and value != int(value)):
            kind = "a whole number" if known[name] == "int" else "a number"
            raise SettingsError(f"{where} must be {kind}, got {exact.shown(value)}")
        chosen[name] = int(value) if known[name] == "int" else float(value)
        try:
            Thresholds(**{name: chosen[name]})  # type: ignore[arg-type]
        except ValueError as error:
            raise SettingsError(f"{where}: {error}") from error
    return chosen


def _workspaces(table: Any, settings: Settings, file: _File) -> dict[str, WorkspaceSettings]:
    """The `[workspaces.<id>]` tables."""
    if not isinstance(table, dict):
        place = _Place(file, ("workspaces",))
        raise SettingsError(f"{place}: 'workspaces' must be tables like [workspaces.ws_1]")
    return {
        workspace_id: _WorkspaceTable(file, workspace_id, entry).settings(settings)
        for workspace_id, entry in table.items()
    }


class _WorkspaceTable:
    """One table `[workspaces.<id>]`: its values, checked, and their places."""

    KNOWN = (
        "name",
        "time_zone",
        "default_charge_type",
        "credit_price_usd",
        "credit_prices",
        "rate_card",
        "monthly_budget_usd",
    )

    def __init__(self, file: _File, workspace_id: str, entry: Any) -> None:
        self.file = file
        self.workspace_id = workspace_id
        if not isinstance(entry, dict):
            raise SettingsError(f"{self.where()} must be a table")
        self.entry = entry
        if unknown := [key for key in entry if key not in self.KNOWN]:
            raise SettingsError(
                f"{self.where(unknown[0])} is no setting of a workspace; known are {', '.join(self.KNOWN)}"
            )

    def place(self, *keys: str) -> _Place:
        """Where a key stands."""
        return _Place(self.file, ("workspaces", self.workspace_id, *keys))

    def where(self, *keys: str) -> str:
        """The beginning of a message about a key."""
        named = f" '{keys[0]}'" if keys else ""
        return f"{self.place(*keys)}: [workspaces.{self.workspace_id}]{named}"

    def settings(self, defaults: Settings) -> WorkspaceSettings:
        """What it says, the defaults where it says nothing."""
        rate_card = self.entry.get("rate_card")
        budget = self.entry.get("monthly_budget_usd")
        zone = self.entry.get("time_zone", defaults.time_zone)
        charge_type = self.entry.get("default_charge_type", defaults.default_charge_type)
        return WorkspaceSettings(
            workspace_id=self.workspace_id,
            name=self._text("name", self.entry.get("name", self.workspace_id)),
            time_zone=_time_zone(zone, self.where("time_zone")),
            default_charge_type=_charge_type(charge_type, self.where("default_charge_type")),
            credit_prices=self._credit_prices(),
            rate_card=None if rate_card is None else self._text("rate_card", rate_card).lower(),
            monthly_budget_usd=None if budget is None else self._budget(budget),
            places={} if rate_card is None else {"rate_card": str(self.place("rate_card"))},
        )

    def _text(self, key: str, value: Any) -> str:
        if not isinstance(value, str) or not value.strip():
            raise SettingsError(
                f"{self.where(key)} must be a text that is not empty, got {exact.shown(value)}"
            )
        return value.strip()

    def _credit_prices(self) -> tuple[CreditPrice, ...]:
        if "credit_prices" not in self.entry:
            if "credit_price_usd" not in self.entry:
                return ()
            where = self.where("credit_price_usd")
            return (CreditPrice(None, _usd(self.entry["credit_price_usd"], where, _CREDIT_PRICE_BELOW)),)
        if "credit_price_usd" in self.entry:
            where = self.where("credit_price_usd")
            raise SettingsError(f"{where} and 'credit_prices' are both there: keep one of them")
        entries = self.entry["credit_prices"]
        if not isinstance(entries, list) or not entries:
            raise SettingsError(
                f"{self.where('credit_prices')} must be a list of prices like "
                f'[{{ valid_from = 2026-01-01, credit_price_usd = "0.01" }}], got {exact.shown(entries)}'
            )
        prices: list[CreditPrice] = []
        for number, entry in enumerate(entries):
            price = self._credit_price(number, entry)
            where = f"{self.where('credit_prices', str(number), 'valid_from')} entry {number + 1}"
            if prices and price.valid_from is None:
                raise SettingsError(f"{where} has no 'valid_from'; only the first may omit it")
            if prices and (price.valid_from or date.min) <= (prices[-1].valid_from or date.min):
                raise SettingsError(
                    f"{where}: 'valid_from' {price.valid_from} must be after that of the entry before, "
                    f"{prices[-1].valid_from}"
                )
            prices.append(price)
        return tuple(prices)

    def _credit_price(self, number: int, entry: Any) -> CreditPrice:
        where = f"{self.where('credit_prices', str(number))} entry {number + 1}"
        if not isinstance(entry, dict):
            raise SettingsError(f"{where} must be a table with 'valid_from' and 'credit_price_usd'")
        if unknown := sorted(set(entry) - {"valid_from", "credit_price_usd"}):
            raise SettingsError(
                f"{where} has unknown '{unknown[0]}'; known are valid_from and credit_price_usd"
            )
        if "credit_price_usd" not in entry:
            raise SettingsError(f"{where} has no 'credit_price_usd'")
        valid_from = entry.get("valid_from")
        if isinstance(valid_from, str):
            try:
                valid_from = exact.day(valid_from)
            except ValueError as error:
                raise SettingsError(f"{where}: 'valid_from' {error}") from error
        if valid_from is not None and (isinstance(valid_from, datetime) or not isinstance(valid_from, date)):
            raise SettingsError(
                f"{where}: 'valid_from' must be a date such as 2026-01-01, got {exact.shown(valid_from)}"
            )
        price = _usd(entry["credit_price_usd"], f"{where}: 'credit_price_usd'", _CREDIT_PRICE_BELOW)
        return CreditPrice(valid_from, price)

    def _budget(self, value: Any) -> Decimal:
        where = self.where("monthly_budget_usd")
        budget = _usd(value, where, _BUDGET_BELOW)
        if not budget:
            raise SettingsError(f"{where} must be more than 0; leave it out for none")
        return budget


def _usd(value: Any, where: str, below: int) -> Decimal:
    """US dollars, as text or as a TOML number."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise SettingsError(f'{where} must be US dollars such as "0.01", got {exact.shown(value)}')
    text = f"{value:f}" if isinstance(value, Decimal) else str(value).strip()
    try:
        return exact.number(text, decimals=USD_DECIMALS, below=below)
    except ValueError as error:
        raise SettingsError(f"{where} must be US dollars: {error}") from error
