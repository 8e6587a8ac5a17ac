"""The command line, driven, beside which the Python interface is held (see `driving`), and runs of every task."""

from driving import *  # noqa: F403  # pytest finds fixtures by their names here
from task_runs import *  # noqa: F403
