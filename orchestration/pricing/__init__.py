"""What things cost: the price catalogue, the user's price file, the rate card, and which prices a model name gets.

Pure: knows nothing of Dagster, dbt or where the numbers go. `tables.py` writes the results where dbt reads them.
"""
