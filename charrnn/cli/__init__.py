"""What people type: one file for each command. The only place that prints, reads the environment (`cores` has a part of it), and exits.

The commands import what computes inside their functions, so that `charrnn --help` does not wait for NumPy.
"""
