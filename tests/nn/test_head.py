"""The output layer against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from charrnn.judging.gradcheck.check import check
from charrnn.judging.gradcheck.oracles import finite_difference
from charrnn.nn import head


def cross_entropy(logits, targets):
    dlogits = logits.copy()
    return head.cross_entropy_(dlogits, targets), dlogits


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def test_affine_is_the_product_and_the_bias():
    x = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.0]])
    W = np.array([[2.0, -1.0], [0.5, 3.0]])
    np.testing.assert_array_equal(head.affine(x, W, np.array([10.0, 20.0])), [[13, 25], [15.5, 14], [11, 19.5]])


def test_equal_logits_cost_the_logarithm_of_their_number(rng):
    loss, _ = cross_entropy(np.full((4, 65), 12.5), rng.integers(65, size=4))
    assert loss == pytest.approx(math.log(65), rel=1e-15)


def test_cross_entropy_of_one_two_three():
    # softmax(log [1, 2, 3]) = [1, 2, 3] / 6, and of log [1, 1, 2] it is [1, 1, 2] / 4
    logits, targets = np.log([[1.0, 2.0, 3.0], [1.0, 1.0, 2.0]]), np.array([1, 2])
    loss, dlogits = cross_entropy(logits, targets)
    assert loss == pytest.approx((math.log(3) + math.log(2)) / 2, rel=1e-15)
    np.testing.assert_allclose(dlogits, [[1 / 12, -1 / 3, 1 / 4], [1 / 8, 1 / 8, -1 / 4]], rtol=1e-14)
    np.testing.assert_allclose(head.nats(logits, targets), [math.log(3), math.log(2)], rtol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_wrong_certainty_costs_its_margin_and_no_warning(dtype):
    loss, dlogits = cross_entropy(np.array([[1000, 0, -1000]], dtype), np.array([2]))
    assert loss == 2000
    np.testing.assert_array_equal(dlogits, [[1, 0, -1]])
    assert dlogits.dtype == dtype


def test_the_mean_of_nats_is_the_cross_entropy(rng):
    logits, targets = rng.normal(0, 2, (6, 3, 9)), rng.integers(9, size=(6, 3))
    nats = head.nats(logits, targets)
    assert nats.shape == (6, 3)
    assert nats.mean() == pytest.approx(cross_entropy(logits.reshape(18, 9), targets.ravel())[0], rel=1e-14)


def test_its_gradients_are_those_of_finite_differences(rng):
    x, W, b = rng.normal(0, 0.5, (5, 4)), rng.normal(0, 0.5, (4, 6)), rng.normal(0, 0.5, 6)
    targets = rng.integers(6, size=5)
    _, dlogits = cross_entropy(head.affine(x, W, b), targets)
    dW, db = np.full_like(W, np.nan), np.full_like(b, np.nan)
    dx = head.affine_backward(x, W, dlogits, dW, db)
    rows = check(
        lambda: head.nats(head.affine(x, W, b), targets).mean(),
        {"x": x, "W": W, "b": b},
        {"x": dx, "W": dW, "b": db},
        finite_difference,
    )
    assert [row for row in rows if not row.ok] == []


def test_the_well_known_three_layer_sigmoid_example():
    """Inputs .05 .10, targets .01 .99, half the squared error, one update at a rate of one half."""
    x, target = np.array([[0.05, 0.10]]), np.array([[0.01, 0.99]])
    W1, b1 = np.array([[0.15, 0.25], [0.20, 0.30]]), np.array([0.35, 0.35])
    W2, b2 = np.array([[0.40, 0.50], [0.45, 0.55]]), np.array([0.60, 0.60])
    h = sigmoid(head.affine(x, W1, b1))
    y = sigmoid(head.affine(h, W2, b2))
    np.testing.assert_allclose(y, [[0.75136507, 0.772928465]], rtol=1e-8)
    assert ((target - y) ** 2).sum() / 2 == pytest.approx(0.298371109, rel=1e-8)

    dW1, db1, dW2, db2 = (np.empty_like(p) for p in (W1, b1, W2, b2))
    dh = head.affine_backward(h, W2, (y - target) * y * (1 - y), dW2, db2)
    head.affine_backward(x, W1, dh * h * (1 - h), dW1, db1)
    np.testing.assert_allclose(W2 - dW2 / 2, [[0.35891648, 0.511301270], [0.408666186, 0.561370121]], rtol=1e-8)
    np.testing.assert_allclose(W1 - dW1 / 2, [[0.149780716, 0.24975114], [0.19956143, 0.29950229]], rtol=1e-7)
