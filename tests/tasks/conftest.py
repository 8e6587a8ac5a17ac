"""The command line, driven (see `driving`), with one more task in its table (see `parity_runs`)."""

from driving import *  # noqa: F403  # pytest finds fixtures by their names here
from parity_runs import *  # noqa: F403
