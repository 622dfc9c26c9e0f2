"""Static HTML reports rendered from the published marts. Knows nothing of landing, dbt or Dagster."""
