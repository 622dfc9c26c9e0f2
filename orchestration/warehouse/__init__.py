"""Running dbt in this process. Knows the dbt command line and its results, nothing of Dagster or of publication."""
