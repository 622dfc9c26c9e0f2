"""Benchmarks: input of any size, the real command on it in fresh processes, and what each stage cost.

No test decides on time.
"""
