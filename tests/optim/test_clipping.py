"""The norm, and the laws of clipping."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from charrnn.optim.clipping import clip_by_norm, clip_by_value, norm

VECTORS = arrays(np.float64, st.integers(1, 20), elements=st.floats(-1e6, 1e6))
LIMITS = st.floats(1e-3, 1e6)


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ([3e30, 4e30], 5e30),  # whose squares are infinite in float32
        ([4096.0] + [1.0] * 65_536, math.sqrt(2**24 + 2**16)),  # 2**24 + 1 is 2**24 in float32
    ],
)
def test_the_norm_of_a_float32_vector_is_summed_in_float64(elements, expected):
    assert norm(np.array(elements, np.float32)) == pytest.approx(expected, rel=1e-7)


def test_the_norm_is_euclidean(rng):
    vector = rng.normal(0, 2, 1000)
    assert norm(vector) == pytest.approx(math.sqrt(sum(x * x for x in vector.tolist())), rel=1e-14)


@given(VECTORS, LIMITS)
def test_after_clipping_by_norm_the_norm_is_the_limit_or_nothing_changed(g, limit):
    clipped = g.copy()
    clip_by_norm(clipped, limit)
    size = np.linalg.norm(g)
    if size <= limit:
        np.testing.assert_array_equal(clipped, g)
    else:
        np.testing.assert_allclose(np.linalg.norm(clipped), limit, rtol=1e-9)
        np.testing.assert_allclose(clipped * size, g * limit, rtol=1e-9, atol=1e-300)  # the direction is kept


def test_a_norm_that_is_known_is_not_computed_again():
    g = np.array([4.0])
    clip_by_norm(g, 3.0, size=6.0)
    assert g[0] == 2


@given(VECTORS, LIMITS)
def test_after_clipping_by_value_those_within_are_as_they_were_and_none_beyond(g, limit):
    clipped = g.copy()
    clip_by_value(clipped, limit)
    assert np.abs(clipped).max() <= limit
    within = np.abs(g) <= limit
    np.testing.assert_array_equal(clipped[within], g[within])
    np.testing.assert_array_equal(np.sign(clipped), np.sign(g))
