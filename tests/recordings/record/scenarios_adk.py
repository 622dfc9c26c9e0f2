"""Scenarios of Google's Agent Development Kit 2 (requirements-adk.txt)."""

from __future__ import annotations

import programs
from telemetry import main, scenario, setup


@scenario("Google's Agent Development Kit 2: its own tracing", "google-adk", "google-genai")
async def google_adk2() -> None:
    setup()
    await programs.adk_runs()


@scenario(
    "Google's Agent Development Kit 2, seen by OpenInference",
    "google-adk",
    "google-genai",
    "openinference-instrumentation-google-adk",
)
async def google_adk2_openinference() -> None:
    from openinference.instrumentation.google_adk import GoogleADKInstrumentor

    GoogleADKInstrumentor().instrument(tracer_provider=setup())
    await programs.adk_runs()


if __name__ == "__main__":
    main()
