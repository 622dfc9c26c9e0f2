"""Makes recordings: `python run.py [NAME…]` runs scenarios (all by default), each against a provider of its own.

Writes `../<scenario>.otlp.jsonl` (`.gz` where large) and the scenario's entry in `../ledger.json`. README.md says which environments
it needs.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import provider

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from tests.recordings.reference import ledger_text

HERE = Path(__file__).resolve().parent
OUT = HERE.parent
GZIP_ABOVE_BYTES = 20_000
CLASSES = ("input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
# What a user's shell may hold and the recordings must not.
_PRIVATE = re.compile(
    r"(?i)^(openai|anthropic|google|gemini|azure|aws|otel|langsmith|langchain|logfire|traceloop|arize|phoenix)_"
)


def environment(name: str, url: str, recording: Path) -> dict[str, str]:
    """The environment of a scenario: dummy keys, no telemetry but ours."""
    clean = {key: value for key, value in os.environ.items() if not _PRIVATE.match(key)}
    return clean | {
        "PROVIDER_URL": url,
        "RECORDING": str(recording),
        "SCENARIO": name.replace("_", "-"),
        "OPENAI_API_KEY": "sk-example",
        "OPENAI_BASE_URL": f"{url}/v1",
        "ANTHROPIC_API_KEY": "sk-ant-example",
        "ANTHROPIC_BASE_URL": url,
        "GOOGLE_API_KEY": "example",
        "GEMINI_API_KEY": "example",
        "OPENAI_AGENTS_DISABLE_TRACING": "0",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "AGNO_TELEMETRY": "false",
        "TRACELOOP_TELEMETRY": "false",
        "no_proxy": "127.0.0.1",
        "NO_PROXY": "127.0.0.1",
        "PYTHONPATH": str(HERE),
    }


def totals(calls: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """Per model: answered calls, and tokens by class."""
    result: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(("calls", *CLASSES), 0))
    for call in calls:
        if call["status"] == 200:
            row = result[call["model"]]
            row["calls"] += 1
            for name in CLASSES:
                row[name] += call[name]
    return dict(sorted(result.items()))


def record(name: str, command: list[str], about: dict[str, Any], scratch: Path) -> dict[str, Any] | None:
    """Runs one scenario; None where it failed."""
    server, ledger = provider.start(name)
    raw = scratch / f"{name}.jsonl"
    raw.unlink(missing_ok=True)
    env = environment(name, f"http://127.0.0.1:{server.server_port}", raw)
    started = time.monotonic()
    done = subprocess.run(
        [*command, name], env=env, cwd=scratch, capture_output=True, text=True, timeout=180, check=False
    )
    server.shutdown()
    (scratch / f"{name}.log").write_text(done.stdout + done.stderr)
    if done.returncode or not raw.exists():
        print(f"{name}: failed ({done.returncode})\n{done.stderr[-1500:]}")
        return None
    text = raw.read_text(encoding="utf-8")
    for old in OUT.glob(f"{name}.otlp.jsonl*"):
        old.unlink()
    if len(text) > GZIP_ABOVE_BYTES:
        (OUT / f"{name}.otlp.jsonl.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    else:
        (OUT / f"{name}.otlp.jsonl").write_text(text, encoding="utf-8")
    print(f"{name}: {len(ledger.calls)} requests, {len(text) // 1000} kB, {time.monotonic() - started:.0f} s")
    return about | {"calls": ledger.calls, "totals": totals(ledger.calls)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument(
        "--environments",
        type=Path,
        required=True,
        help="folder with the virtual environments and node folders",
    )
    parser.add_argument("--only", help="one module of scenarios")
    options = parser.parse_args()
    scratch = options.environments / "scratch"
    scratch.mkdir(exist_ok=True)
    for module in sorted([*HERE.glob("scenarios_*.py"), *HERE.glob("scenarios_*.mjs")]):
        kind = module.stem.removeprefix("scenarios_")
        if options.only and kind != options.only:
            continue
        for command in commands(module, kind, options.environments):
            run_all(command, options.names, scratch)


def commands(module: Path, kind: str, environments: Path) -> list[list[str]]:
    """How a module of scenarios is started: Python in its environment, Node in each folder with a release of the AI SDK."""
    if module.suffix == ".py":
        return [[str(environments / kind / "bin" / "python"), str(module)]]
    result = []
    for folder in sorted(environments.glob(f"{kind}[0-9]*")):
        # Node resolves packages from the script's own folder.
        copy = folder / module.name
        copy.write_text(module.read_text())
        (folder / "telemetry.mjs").write_text((HERE / "telemetry.mjs").read_text())
        result.append(["node", str(copy)])
    return result


def run_all(command: list[str], names: list[str], scratch: Path) -> None:
    """Runs the scenarios of a module, or those named, and enters each into the ledger at once."""
    book_path = OUT / "ledger.json"
    env = environment("listing", "http://127.0.0.1:9", scratch)
    listed = subprocess.run([*command, "--list"], env=env, capture_output=True, text=True, check=False)
    if listed.returncode:
        sys.exit(f"{command}: {listed.stderr}")
    for name, about in json.loads(listed.stdout.splitlines()[-1]).items():
        if names and name not in names:
            continue
        entry = record(name, command, about, scratch)
        if entry:
            book = json.loads(book_path.read_text()) if book_path.exists() else {}
            lacks = book.get(name, {}).get("telemetry_lacks")
            book[name] = entry | ({"telemetry_lacks": lacks} if lacks else {})
            book_path.write_text(ledger_text(book))


if __name__ == "__main__":
    main()
