"""Dagster only: assets, checks, jobs, schedules and sensors. Thin; the work is in `orchestration.night` and the pure packages."""
