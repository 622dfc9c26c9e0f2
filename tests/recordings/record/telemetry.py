"""What every scenario shares: a tracer provider whose spans end up in a file as the Collector's file exporter writes them, and
the list of scenarios of a module."""

from __future__ import annotations

import asyncio
import base64
import inspect
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

BASE = os.environ.get("PROVIDER_URL", "http://127.0.0.1:9")
OPENAI = f"{BASE}/v1"
KEY = "sk-example"
# The bodies of exceptions name files of the machine, and the port changes with every run.
_PATHS = re.compile(r"(?:/[\w.+@-]+)+/(site-packages|python3\.\d+|record)/")
_HOME = re.compile(r"/(?:tmp|work|root|home)/[\w./+@-]*")
_MACHINE = re.compile(r"(process|host|os|container)[.]|service[.]instance[.]id")  # Logfire names them
_PORT = re.compile(r"127\.0\.0\.1:\d+")


def _plain(value: Any) -> Any:
    """Ids in hex, enumerations as numbers (the Collector's JSON), machine paths out of texts."""
    if isinstance(value, dict):
        return {
            name: base64.b64decode(item).hex()
            if name in ("traceId", "spanId", "parentSpanId")
            else _plain(item)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        return _PORT.sub("127.0.0.1:8000", _HOME.sub("example.py", _PATHS.sub(r"\1/", value)))
    return value


class FileExporter(SpanExporter):
    """One ExportTraceServiceRequest per line and batch."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        request = MessageToDict(encode_spans(spans), use_integers_for_enums=True)
        for resource in request["resourceSpans"]:
            attributes = resource["resource"]["attributes"]
            attributes[:] = [one for one in attributes if not _MACHINE.match(one["key"])]
            for scope in resource["scopeSpans"]:
                for span in scope["spans"]:
                    # The exporter writes the port as a number as well.
                    for attribute in span.get("attributes", []):
                        if attribute["key"] in ("server.port", "net.peer.port"):
                            attribute["value"] = {"intValue": "8000"}
        with self.path.open("a", encoding="utf-8") as out:
            out.write(json.dumps(_plain(request), separators=(",", ":"), ensure_ascii=False) + "\n")
        return SpanExportResult.SUCCESS


def processor() -> BatchSpanProcessor:
    """Batches small and soon, so that a trace lies across lines and children come before their parents."""
    path = Path(os.environ["RECORDING"])
    return BatchSpanProcessor(FileExporter(path), schedule_delay_millis=100, max_export_batch_size=64)


def setup(*, make_global: bool = True) -> TracerProvider:
    """The tracer provider of a scenario."""
    resource = Resource({"service.name": os.environ["SCENARIO"], "deployment.environment.name": "test"})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(processor())
    if make_global:
        trace.set_tracer_provider(provider)
    return provider


# -- the list of scenarios -----------------------------------------------------------------------------------------------------

_SCENARIOS: dict[str, tuple[Callable[[], Any], str, tuple[str, ...]]] = {}


def scenario(description: str, *packages: str) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Registers a scenario under its function's name; `packages` are those whose versions matter."""

    def register(function: Callable[[], Any]) -> Callable[[], Any]:
        _SCENARIOS[function.__name__] = (function, description, packages)
        return function

    return register


def main() -> None:
    """`--list` says what there is; a name runs it."""
    if sys.argv[1] == "--list":
        known = {
            name: {
                "description": about,
                "packages": {p: version(p) for p in ("opentelemetry-sdk", *packages)},
            }
            for name, (_, about, packages) in _SCENARIOS.items()
        }
        print(json.dumps(known))
        return
    function = _SCENARIOS[sys.argv[1]][0]
    if inspect.iscoroutinefunction(function):
        asyncio.run(function())
    else:
        function()
    provider: Any = trace.get_tracer_provider()
    provider.force_flush()
    provider.shutdown()
