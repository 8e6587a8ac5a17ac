"""The comparison itself: what passes, what does not, and what it says about it."""

from __future__ import annotations

import numpy as np
import pytest

from charrnn.judging.gradcheck.check import check
from charrnn.judging.gradcheck.oracles import complex_step, finite_difference

BOTH = pytest.mark.parametrize("oracle", [finite_difference, complex_step])


@pytest.fixture
def problem(rng):
    """`sum(exp(u) * v)` and its exact gradients."""
    arrays = {"u": rng.normal(0, 0.5, (2, 3)), "v": rng.normal(0, 0.5, (2, 3))}
    gradients = {"u": np.exp(arrays["u"]) * arrays["v"], "v": np.exp(arrays["u"])}
    return arrays, gradients


def run(problem, oracle=finite_difference):
    arrays, gradients = problem
    if oracle is complex_step:
        arrays = {name: array.astype(complex) for name, array in arrays.items()}
    return {
        row.name: row for row in check(lambda: (np.exp(arrays["u"]) * arrays["v"]).sum(), arrays, gradients, oracle)
    }


@BOTH
def test_right_gradients_pass_coordinate_by_coordinate(problem, oracle):
    rows = run(problem, oracle)
    assert list(rows) == ["u", "v"]
    for name, row in rows.items():
        assert row.ok
        assert (row.shape, row.checked) == ((2, 3), 6)
        assert row.error < (1e-13 if oracle is complex_step else 1e-8)
        assert row.largest == np.abs(problem[1][name]).max()


@BOTH
@pytest.mark.parametrize("where", [(0, 0), (0, 2), (1, 1), (1, 2)])
def test_one_wrong_coordinate_fails_and_is_located(problem, oracle, where):
    right = problem[1]["u"][where]
    problem[1]["u"][where] *= 1.001
    rows = run(problem, oracle)
    assert rows["v"].ok
    assert not rows["u"].ok
    assert rows["u"].where == where
    assert rows["u"].analytic == pytest.approx(1.001 * right)
    assert rows["u"].oracle == pytest.approx(right)
    assert rows["u"].error == pytest.approx(0.001 * abs(right) / (abs(right) + 0.01), rel=1e-4)


@pytest.mark.parametrize(("factor", "ok"), [(1 + 2e-7, True), (1 - 2e-7, True), (1 + 3e-6, False), (1 - 3e-6, False)])
def test_the_tolerance_is_a_millionth(problem, factor, ok):
    problem[1]["v"][...] *= factor
    assert run(problem)["v"].ok == ok


@BOTH
@pytest.mark.parametrize("scale", [0.0, 1e-5])
def test_a_parameter_of_tiny_gradients_is_not_ok_although_they_are_right(rng, oracle, scale):
    x = rng.normal(0, 0.5, 4).astype(complex if oracle is complex_step else float)
    (row,) = check(lambda: scale * np.sin(x).sum(), {"x": x}, {"x": scale * np.cos(x.real)}, oracle)
    assert row.error < 1e-6
    assert row.largest < 1e-4
    assert not row.ok


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.complex64, np.int64])
def test_anything_but_double_precision_is_refused(dtype):
    x = np.array([1, 2, 3], dtype)
    with pytest.raises(ValueError, match=f"x is {np.dtype(dtype)}; gradients are checked in float64"):
        check(lambda: (x * x).sum(), {"x": x}, {"x": 2 * x}, finite_difference)


@BOTH
@pytest.mark.parametrize("where", [(0, 0), (0, 2), (1, 2)])
def test_a_gradient_that_is_not_a_number_fails_and_is_located(problem, oracle, where):
    problem[1]["v"][where] = np.nan
    rows = run(problem, oracle)
    assert rows["u"].ok
    assert not rows["v"].ok
    assert rows["v"].where == where
    assert np.isnan(rows["v"].error)


@pytest.mark.parametrize("where", [0, 1, 2])
def test_an_oracle_that_is_not_a_number_fails_and_is_located(where):
    x = np.array([0.3, -0.4, 0.7])

    def oracle(loss, array, index):
        return np.nan if index == (where,) else 2 * array[index]

    (row,) = check(lambda: (x * x).sum(), {"x": x}, {"x": 2 * x}, oracle)
    assert not row.ok
    assert row.where == (where,)


@BOTH
def test_an_oracle_puts_back_what_it_moves(rng, oracle):
    x = rng.normal(0, 0.5, (3, 2)).astype(complex if oracle is complex_step else float)
    before = x.copy()
    for where in np.ndindex(x.shape):
        oracle(lambda: (x**3).sum(), x, where)
    np.testing.assert_array_equal(x, before)


@BOTH
@pytest.mark.parametrize("x", [-300.0, -1.5, 1e-7, 0.2, 40.0])
def test_an_oracle_knows_the_derivative_of_a_cube(oracle, x):
    array = np.array([x], complex if oracle is complex_step else float)
    # A central difference of a cube is off by the square of its step, which grows with x.
    tolerance = 1e-14 if oracle is complex_step else 1e-9
    assert oracle(lambda: (array**3).sum(), array, (0,)) == pytest.approx(3 * x * x, rel=tolerance, abs=1e-10)
