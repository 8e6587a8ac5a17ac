"""What the network is.

`INITIALIZERS` names the ways in which weights may begin. A new one is a function in `initializers` and a line here.
"""

from __future__ import annotations

from charrnn.keys import Choice

INITIALIZERS: dict[str, Choice] = {
    "he": Choice(),
    "uniform": Choice(keys=("init_scale",)),
    "glorot": Choice(),
    "orthogonal": Choice(),
    "identity": Choice(),
}
"""The choices of `model.init`."""
