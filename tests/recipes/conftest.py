"""The command line, driven (see `driving`)."""

from driving import *  # noqa: F403  # pytest finds fixtures by their names here
