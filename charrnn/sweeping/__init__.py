"""Trains every combination of a grid of values, each as a run of its own, and puts them in one table."""
