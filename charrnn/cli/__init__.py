"""What people type: one file for each command. The only place that prints, exits, and reads the environment.

What the environment says of threads and of caches is the exception: `charrnn.cores` and `charrnn.caches` read it, for
whoever trains.

The commands import what computes inside their functions, so that `charrnn --help` does not wait for NumPy.
"""
