"""Deterministic sample exports in the landing contract: for demo, tests, benchmarks and a first look around.

What belongs here: inventing landing files. What does not: reading them, and any import of Dagster or dbt.
"""

from orchestration.sample.generator import SampleReport, generate

__all__ = ["SampleReport", "generate"]
