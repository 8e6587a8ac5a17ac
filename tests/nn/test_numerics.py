"""Elementary functions stay right where the obvious formula overflows, and lose no digits elsewhere."""

from __future__ import annotations

import math

import numpy as np
import pytest

from charrnn.nn import numerics

FLOATS = pytest.mark.parametrize("dtype", [np.float32, np.float64])
MODERATE = [-30.0, -3.0, -0.5, -1e-3, 0.0, 1e-3, 0.7, 4.0, 30.0]


WAYS = {"exp": (numerics.sigmoid_by_exp_, -1.0), "tanh": (numerics.sigmoid_by_tanh_, -0.5)}
"""Each way to compute a sigmoid, with the scale that it wants."""


@FLOATS
@pytest.mark.parametrize("way", WAYS)
def test_sigmoid_equals_the_formula(way, dtype):
    sigmoid_, scale = WAYS[way]
    a = np.array(MODERATE, dtype) * dtype(scale)
    sigmoid_(a)
    assert a.dtype == dtype
    expected, eps = [1 / (1 + math.exp(-x)) for x in MODERATE], np.finfo(dtype).eps
    # A difference of two numbers is as exact as they are: by `tanh`, what is nearly 0 has no more digits than 1 has.
    np.testing.assert_allclose(a, expected, rtol=4 * eps, atol=eps if way == "tanh" else 0)


@FLOATS
@pytest.mark.parametrize("way", WAYS)
def test_sigmoid_of_huge_numbers_is_its_limit(way, dtype):
    sigmoid_, scale = WAYS[way]
    a = np.array([-np.inf, -1000, 1000, np.inf], dtype) * dtype(scale)
    with numerics.overflow_allowed():
        sigmoid_(a)
    np.testing.assert_array_equal(a, [0, 0, 1, 1])


@FLOATS
def test_sigmoid_announces_its_overflow_to_those_who_did_not_silence_it(dtype):
    with pytest.warns(RuntimeWarning, match="overflow encountered in exp"):
        numerics.sigmoid_by_exp_(np.array([1000], dtype))


@FLOATS
def test_what_cells_use_is_the_way_whose_scale_they_are_given(dtype):
    a = np.array(MODERATE, dtype)
    s, t = a * dtype(numerics.SIGMOID), a * dtype(numerics.TANH)
    numerics.scaled_sigmoid_(s)
    numerics.scaled_tanh_(t)
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(s, [1 / (1 + math.exp(-x)) for x in MODERATE], rtol=0, atol=4 * eps)
    np.testing.assert_allclose(t, np.tanh(a), rtol=0, atol=4 * eps)


@FLOATS
def test_tanh_equals_numpys(dtype):
    a = np.array(MODERATE, dtype)
    out = np.empty_like(a)
    numerics.tanh(a, out)
    np.testing.assert_array_equal(a, np.array(MODERATE, dtype))
    np.testing.assert_allclose(out, np.tanh(a), rtol=0, atol=2 * np.finfo(dtype).eps)
    numerics.tanh(a, out=a)
    np.testing.assert_array_equal(a, out)


@FLOATS
def test_tanh_of_huge_numbers_is_its_limit(dtype):
    a = np.array([-1000, 1000], dtype)
    with np.errstate(over="ignore"):
        numerics.tanh(a, out=a)
    np.testing.assert_array_equal(a, [-1, 1])


def test_sigmoid_and_tanh_can_be_differentiated_by_the_complex_step():
    x = np.array(MODERATE)
    s = numerics.SIGMOID * (x + 1e-30j)
    numerics.scaled_sigmoid_(s)
    derivative = np.empty_like(x)
    numerics.sigmoid_derivative(s.real.copy(), derivative)
    np.testing.assert_allclose(s.imag / 1e-30, derivative, atol=1e-15)
    h = x + 1e-30j
    numerics.tanh(h, out=h)
    numerics.tanh_derivative(np.tanh(x), derivative)
    np.testing.assert_allclose(h.imag / 1e-30, derivative, atol=1e-15)


def test_what_is_between_two_arrays_is_their_weighted_mean(rng):
    start, end, weight = rng.normal(size=(3, 4, 5))
    out = np.empty_like(start)
    numerics.interpolate(start, end, weight, out, scratch=np.empty_like(out))
    np.testing.assert_allclose(out, (1 - weight) * start + weight * end, rtol=1e-13)


@FLOATS
def test_log_softmax_of_huge_logits_is_exact(dtype):
    log_p = numerics.log_softmax(np.array([[1000, 0, -1000], [-1000, -1000, -1000]], dtype))
    assert log_p.dtype == dtype
    np.testing.assert_allclose(log_p, [[0, -1000, -2000], [-math.log(3)] * 3], rtol=2 * np.finfo(dtype).eps)


def test_log_softmax_is_over_the_last_axis_and_leaves_its_input_alone(rng):
    logits = rng.normal(0, 3, (4, 3, 5))
    before = logits.copy()
    log_p = numerics.log_softmax(logits)
    np.testing.assert_array_equal(logits, before)
    expected = np.log(np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True))
    np.testing.assert_allclose(log_p, expected, rtol=1e-13)


def test_log_softmax_does_not_see_a_shift_of_all_logits(rng):
    logits, shift = rng.normal(0, 3, (6, 5)), rng.normal(0, 300, (6, 1))
    np.testing.assert_allclose(numerics.log_softmax(logits + shift), numerics.log_softmax(logits), atol=1e-12)
