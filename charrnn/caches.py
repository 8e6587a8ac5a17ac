"""Where what can be had again is kept: corpora that were fetched, and what was measured of this machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from charrnn.errors import ConfigError


def cache_directory() -> Path:
    """Returns `CHARRNN_CACHE`, or `charrnn` in the system's place for caches.

    Raises ConfigError where nobody knows that place.
    """
    if chosen := os.environ.get("CHARRNN_CACHE"):
        return Path(chosen)
    if os.name == "nt":
        base = os.environ.get("LOCALAPPDATA")
    elif sys.platform == "darwin":
        base = str(_home() / "Library" / "Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME")
    return Path(base or _home() / ".cache") / "charrnn"


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        raise ConfigError("there is no home directory to keep corpora in; set CHARRNN_CACHE to a directory") from None
