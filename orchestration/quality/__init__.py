"""The audit of a warehouse file: expectation suites, reconciliation, and what their results look like.

No Dagster, no dbt. Importing this package or any module of it but `dialect` is cheap; Great Expectations and
SQLAlchemy cost seconds and are imported only when a suite runs.
"""
