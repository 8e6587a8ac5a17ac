"""What people type: one file for each command. The only place that prints, exits, and reads the environment.

What the environment says of threads is the exception: `charrnn.cores` reads it, for whoever trains.

The commands import what computes inside their functions, so that `charrnn --help` does not wait for NumPy.
"""
