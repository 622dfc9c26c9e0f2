"""Ingest, orchestration, quality and publication of Credit Usage. Dagster lives in `defs` only."""
