"""What the network is.

`INITIALIZERS` names the ways in which weights may begin. A new one is a function in `initializers` and a line here. So
are the ways to sum up a sequence, `POOLINGS`, in `pooling`; and how well two states match, `SCORES`, in `attention`.
"""

from __future__ import annotations

from charrnn.keys import Choice

INITIALIZERS: dict[str, Choice] = {
    "he": Choice(),
    "uniform": Choice(keys=("init_scale",)),
    "glorot": Choice(),
    "orthogonal": Choice(),
    "identity": Choice(),
    "torch": Choice(defaults={"forget_bias": 0.0}),
}
"""The choices of `model.init`."""

POOLINGS = ("last", "mean", "max")
"""The choices of `model.pooling`: how the outputs at all steps become one vector."""

CONTEXTS = ("attention", "affine", "last")
"""The choices of `model.context`: what a decoder knows of the sequence that was read."""

SCORES = ("dot", "additive")
"""The choices of `model.attention`: how well a state of the decoder matches one of the encoder."""
