"""Every registered cell, under every condition that changes its backward pass."""

from architectures import architecture, cell  # noqa: F401  # pytest finds fixtures by their names here
