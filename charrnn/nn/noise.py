"""What is random in training: masks and states, drawn for one batch. All of it is off by default.

- Dropout (Srivastava et al. 2014) on the output of a layer, so on what the layer above and the output layer read, and
  never on the way from h[t-1] to h[t] (Zaremba et al. 2014, arXiv 1409.2329): a mask for each step, or one for the
  whole batch (after Gal and Ghahramani 2016, arXiv 1512.05287).
- Recurrent dropout on the candidate (Semeniuta et al. 2016, arXiv 1603.05118): what a step would add to the state is
  dropped, and what the state remembers is not.
- Zoneout (Krueger et al. 2017, arXiv 1606.01305): a unit keeps its old state for a step.
- Noise in place of zeros where a text begins.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from charrnn.arrays import Array
from charrnn.nn.numerics import tanh_derivative


@dataclass
class LayerNoise:
    """Holds what is random in one layer; what is None or missing is off."""

    output_mask: Array | None = None
    """What the output is multiplied by: (T, B, H), or (1, B, H) where one mask is for all steps."""
    candidate_mask: Array | None = None
    """What the candidate is multiplied by: (T, B, H), each 0 or `1 / kept`."""
    kept: float = 1.0
    """Share of `candidate_mask` that is not 0."""
    zoneout: dict[str, Array | float] = field(default_factory=dict)
    """By the state's name, the share of it that stays old: (T, B, H) of 0 and 1, or a number."""
    start: dict[str, Array] = field(default_factory=dict)
    """By the state's name, what a text begins with: (B, H)."""

    def drop_candidate(self, t: int, g: Array) -> None:
        """Drops some of step t's candidate, in place: `g = mask * tanh(a)`, where g holds `tanh(a)`."""
        if self.candidate_mask is not None:
            np.multiply(g, self.candidate_mask[t], g)

    def candidate_derivative(self, steps: slice | int, g: Array, out: Array) -> None:
        """Writes the derivative of a candidate `g = mask * tanh(a)` to `out`: `mask * (1 - tanh(a)^2)`.

        As the mask is 0 or `1 / kept`, that is `mask - kept * g^2`, and tanh(a) need not be remembered.
        """
        if self.candidate_mask is None:
            tanh_derivative(g, out)
            return
        np.multiply(g, g, out)
        np.multiply(out, self.kept, out)
        np.subtract(self.candidate_mask[steps], out, out)

    def rows(self, rows: slice) -> LayerNoise:
        """Returns the part that belongs to some rows of the batch."""
        return LayerNoise(
            None if self.output_mask is None else self.output_mask[:, rows],
            None if self.candidate_mask is None else self.candidate_mask[:, rows],
            self.kept,
            {name: z if isinstance(z, float) else z[:, rows] for name, z in self.zoneout.items()},
            {name: state[rows] for name, state in self.start.items()},
        )

    def units(self, units: slice) -> LayerNoise:
        """Returns the part that belongs to some units of the layer."""
        return LayerNoise(
            None if self.output_mask is None else self.output_mask[..., units],
            None if self.candidate_mask is None else self.candidate_mask[..., units],
            self.kept,
            {name: z if isinstance(z, float) else z[..., units] for name, z in self.zoneout.items()},
            {name: state[:, units] for name, state in self.start.items()},
        )

    def step(self, t: int) -> LayerNoise:
        """Returns the part that belongs to step t, as the noise of a batch of one step."""
        here = slice(t, t + 1)
        return LayerNoise(
            self.output_mask if self.output_mask is None or len(self.output_mask) == 1 else self.output_mask[here],
            None if self.candidate_mask is None else self.candidate_mask[here],
            self.kept,
            {name: z if isinstance(z, float) else z[here] for name, z in self.zoneout.items()},
            self.start,
        )

    def backwards(self) -> LayerNoise:
        """Returns it with the steps in reverse order, for a layer that reads the text from its end."""
        return LayerNoise(
            self.output_mask,  # of the output, when it has been put in the order of the text
            None if self.candidate_mask is None else self.candidate_mask[::-1],
            self.kept,
            {name: z if isinstance(z, float) else z[::-1] for name, z in self.zoneout.items()},
            self.start,
        )


NO_NOISE = LayerNoise()
"""The noise of a layer in which nothing is random."""

Noise = list[LayerNoise]
"""What is random in each layer, from the input up; in the order of a `State`."""


def mask(rng: np.random.Generator, shape: tuple[int, ...], probability: float, dtype: npt.DTypeLike) -> Array:
    """Draws a mask: 0 with `probability`, else `1 / (1 - probability)`. Its mean is 1, so sampling needs none."""
    return np.multiply(~falls(rng, shape, probability), 1 / (1 - probability), dtype=dtype)


def zoneout_mask(rng: np.random.Generator, shape: tuple[int, ...], probability: float, dtype: npt.DTypeLike) -> Array:
    """Draws which units keep their old state: 1 with `probability`, else 0."""
    return falls(rng, shape, probability).astype(dtype)


def falls(rng: np.random.Generator, shape: tuple[int, ...], probability: float) -> npt.NDArray[np.bool_]:
    """Draws booleans that are true with `probability`, which is rounded to a multiple of 1/65536.

    Each is decided by 16 random bits: with recurrent dropout a batch needs two masks as large as the states of all its
    steps, and drawing a float for each element would take a fifth of the time of an update.
    """
    count = math.prod(shape)
    drawn = rng.bit_generator.random_raw(-(-count // 4)).astype("<u8", copy=False).view("<u2")  # four of 64 bits
    found: npt.NDArray[np.bool_] = drawn[:count].reshape(shape) < min(65535, round(65536 * probability))
    return found
