"""The same lake built by DuckDB and by Spark: every fact and mart must be equal, row for row."""
