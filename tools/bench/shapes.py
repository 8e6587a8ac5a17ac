"""The networks and windows that `make bench` measures, and the arithmetic that each needs."""

from __future__ import annotations

from typing import NamedTuple


class Shape(NamedTuple):
    """A network and its window."""

    cell: str
    L: int
    H: int
    B: int
    T: int
    V: int = 65
    E: int | None = None
    """The width of the embedding; None where characters choose rows of W."""

    @property
    def network(self) -> str:
        """What is trained, in words."""
        return f"{self.cell} {self.L}x{self.H}" + (f", E {self.E}" if self.E else "")

    def __str__(self) -> str:
        return f"{self.network}, B {self.B}, T {self.T}"


TRAINING = [
    Shape("lstm", 1, 128, 1, 25),
    Shape("lstm", 1, 128, 50, 50),
    Shape("lstm", 1, 256, 64, 64),
    Shape("lstm", 1, 512, 64, 64),
    Shape("lstm", 1, 512, 128, 64),
    Shape("lstm", 1, 1024, 64, 50),
    Shape("lstm", 2, 128, 50, 50),
    Shape("lstm", 2, 512, 128, 100),
    Shape("gru", 1, 256, 64, 64),
    Shape("rnn", 1, 256, 64, 64),
]
NINE = [shape for shape in TRAINING if (shape.L, shape.H) != (2, 512)]
"""Those of which the mean is taken. A window of the other takes as long as a turn, so that its figures are of few."""

FEW_ROWS = [
    Shape("lstm", 1, 512, 8, 64),
    Shape("lstm", 1, 512, 16, 64),
    Shape("lstm", 1, 1024, 8, 100, E=256),
]
"""Large layers with few rows, where BLAS reorders more than it multiplies. The last is what a first course trains."""

SAMPLING = [Shape("lstm", 1, 128, 1, 1), Shape("lstm", 1, 512, 1, 1)]
DISTURBED = [Shape("lstm", 1, 256, 64, 64), Shape("lstm", 1, 128, 1, 25)]
SPEED_UP = [Shape("lstm", 1, 512, 64, 64), Shape("lstm", 1, 1024, 64, 50)]
FOR_JAX = TRAINING[:1]
"""One row and a small network: there a compiled loop is the peer to beat, and elsewhere PyTorch is."""

SHAPES = {
    "training": TRAINING,
    "few rows": FEW_ROWS,
    "sampling": SAMPLING,
    "disturbed": DISTURBED,
    "speed-up": SPEED_UP,
}
"""What is measured, by the kind of measurement."""
FEW_SHAPES = {kind: shapes[:1] for kind, shapes in SHAPES.items()}
FEW_SHAPES |= {"training": [TRAINING[i] for i in (0, 1, 2, 4)], "speed-up": SPEED_UP}

CENTRE = Shape("lstm", 1, 256, 64, 64)
AROUND = {"H": [64, 128, 256, 512, 1024], "B": [1, 4, 16, 64, 256], "T": [16, 32, 64, 128, 256]}
AROUND |= {"V": [32, 65, 128, 256, 1024]}

GATES = {"lstm": 4, "gru": 3, "rnn": 1}


def products_per_character(shape: Shape) -> int:
    """Multiply-adds that one character needs forward; what it chooses, in an embedding or in W, needs none."""
    G, H = GATES[shape.cell], shape.H
    inputs = (shape.E or 0) + (shape.L - 1) * H
    return G * H * (shape.L * H + inputs) + H * shape.V
