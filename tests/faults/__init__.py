"""Faults that are planted on purpose, and the check that must find each before anything is published."""
