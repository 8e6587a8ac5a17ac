"""Gathers what is known of runs, whatever state they are in: what a report shows."""
