"""Recordings of real instrumentation packages, and what the provider truly served."""
