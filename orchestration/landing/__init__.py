"""From files in the landing folder to committed batches in the lake. Pure: knows nothing of Dagster, dbt or
the warehouse.
"""
