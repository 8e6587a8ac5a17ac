"""Proof of reference.py: finite differences for its backward, scalar arithmetic for its forward."""

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import reference as ref

T, B, V, H = 4, 2, 5, 3
COMBINATIONS = [("rnn", "tanh"), ("rnn", "relu"), ("rnn", "sigmoid"), ("gru", ""), ("lstm", "")]


def make_case(cell: str, activation: str, L: int, learned: bool, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    G = {"rnn": 1, "gru": 3, "lstm": 4}[cell]
    keys = ("h", "c") if cell == "lstm" else ("h",)
    shapes = {"head.W": (H, V), "head.b": (V,)}
    for layer in range(L):
        shapes[f"layers.{layer}.W"] = (H + (V if layer == 0 else H), G * H)
        shapes[f"layers.{layer}.b"] = (G * H,)
        if cell == "gru":
            shapes[f"layers.{layer}.b_hn"] = (H,)
        if learned:
            for key in keys:
                shapes[f"layers.{layer}.{key}0"] = (H,)

    def random_state() -> ref.State:
        return [{key: rng.normal(size=(B, H)) for key in keys} for _ in range(L)]

    return {
        "params": {name: rng.normal(0.0, 0.5, shape) for name, shape in shapes.items()},
        "cell": cell,
        "activation": activation,
        "num_layers": L,
        "ids": rng.integers(0, V, (T, B)),
        "targets": rng.integers(0, V, (T, B)),
        "state": random_state(),
        "masks": [None] + [(rng.random((T, B, H)) < 0.7) / 0.7 for _ in range(L)],
        "starts": np.array([True, False]),
        "dfinal": random_state(),
        "dlogits_extra": rng.normal(size=(T, B, V)),
    }


def split(case: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arguments of forward(), and of loss()."""
    cotangents = ("dfinal", "dlogits_extra")
    for_loss = {name: value for name, value in case.items() if name not in cotangents}
    return {name: value for name, value in for_loss.items() if name != "targets"}, for_loss


def objective(case: dict[str, Any]) -> float:
    for_forward, for_loss = split(case)
    logits, final = ref.forward(**for_forward)
    total = ref.loss(**for_loss)
    if case["dlogits_extra"] is not None:
        total += float(np.sum(case["dlogits_extra"] * logits))
    if case["dfinal"] is not None:
        for cotangent, value in zip(case["dfinal"], final, strict=True):
            total += sum(float(np.sum(cotangent[key] * value[key])) for key in value)
    return total


def central_differences(f: Callable[[], float], x: np.ndarray) -> np.ndarray:
    """Gradient of f() with respect to x, which is changed in place and put back."""
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        kept = x[index]
        step = np.finfo(np.float64).eps ** (1 / 3) * max(1.0, abs(kept))
        x[index] = above = kept + step
        f_above = f()
        x[index] = below = kept - step
        f_below = f()
        x[index] = kept
        gradient[index] = (f_above - f_below) / (above - below)
    return gradient


def check_gradients(case: dict[str, Any]) -> tuple[ref.Params, ref.State]:
    value, grads, dstate, final = ref.loss_and_grads(**case)
    for_forward, for_loss = split(case)
    assert value == ref.loss(**for_loss)
    for got, expected in zip(final, ref.forward(**for_forward)[1], strict=True):
        assert got.keys() == expected.keys()
        assert all(np.array_equal(got[key], expected[key]) for key in got)

    assert grads.keys() == case["params"].keys()
    for name, x in case["params"].items():
        expected = central_differences(lambda: objective(case), x)
        np.testing.assert_allclose(grads[name], expected, rtol=1e-6, atol=1e-8, err_msg=name)
    for layer, row in enumerate(case["state"]):
        assert dstate[layer].keys() == row.keys()
        for key, x in row.items():
            expected = central_differences(lambda: objective(case), x)
            np.testing.assert_allclose(dstate[layer][key], expected, rtol=1e-6, atol=1e-8, err_msg=f"{layer} {key}")
    return grads, dstate


@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize("L", [1, 2])
@pytest.mark.parametrize(("cell", "activation"), COMBINATIONS)
def test_gradients(cell: str, activation: str, L: int, learned: bool) -> None:
    case = make_case(cell, activation, L, learned)
    grads, dstate = check_gradients(case)
    for name, gradient in grads.items():
        assert np.max(np.abs(gradient)) > 1e-3, name
    for row in dstate:
        for gradient in row.values():
            assert np.max(np.abs(gradient)) > 1e-3
            assert np.all(gradient[0] == 0.0) == learned  # row 0 has starts True


@pytest.mark.parametrize(("cell", "activation"), COMBINATIONS)
def test_gradients_without_options(cell: str, activation: str) -> None:
    """No masks, starts or cotangents: the learned vectors are there but unused."""
    case = make_case(cell, activation, 2, True, seed=1)
    case |= {"masks": None, "starts": None, "dfinal": None, "dlogits_extra": None}
    grads, _ = check_gradients(case)
    assert all(np.all(g == 0.0) for name, g in grads.items() if name.endswith(("h0", "c0")))


def test_gradients_with_some_of_the_options() -> None:
    """One mask only, a learned h0 without c0, in one layer only."""
    case = make_case("lstm", "", 2, True, seed=2)
    case["masks"][1] = None
    for name in ("layers.0.c0", "layers.1.h0", "layers.1.c0"):
        del case["params"][name]
    check_gradients(case)


def scalar_sigmoid(a: float) -> float:
    return 1.0 / (1.0 + math.exp(-a))


@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize("L", [1, 2])
@pytest.mark.parametrize(("cell", "activation"), COMBINATIONS)
def test_forward_in_scalars(cell: str, activation: str, L: int, learned: bool) -> None:
    """The same model one unit at a time, from the packed arrays, in Python floats."""
    case = make_case(cell, activation, L, learned, seed=3)
    p, masks = case["params"], case["masks"]
    act = {"tanh": math.tanh, "relu": lambda a: max(a, 0.0), "sigmoid": scalar_sigmoid, "": None}
    logits, final = ref.forward(**split(case)[0])
    nll = 0.0
    for b in range(B):
        h = [[float(v) for v in row["h"][b]] for row in case["state"]]
        c = [[float(v) for v in row["c"][b]] if "c" in row else [] for row in case["state"]]
        for layer in range(L):
            if learned and b == 0:
                h[layer] = [float(v) for v in p[f"layers.{layer}.h0"]]
                if cell == "lstm":
                    c[layer] = [float(v) for v in p[f"layers.{layer}.c0"]]
        for t in range(T):
            x = [1.0 if v == case["ids"][t, b] else 0.0 for v in range(V)]
            for layer in range(L):
                W, bias = p[f"layers.{layer}.W"], p[f"layers.{layer}.b"]
                if layer == 1:
                    x = [v * masks[1][t, b, k] for k, v in enumerate(x)]
                h_new, c_new = [], []
                for k in range(H):

                    def from_h(gate: int, W=W, k=k, old=h[layer]) -> float:
                        return sum(old[j] * W[j, gate * H + k] for j in range(H))

                    def from_x(gate: int, W=W, bias=bias, k=k, x=x) -> float:
                        column = gate * H + k
                        return sum(v * W[H + d, column] for d, v in enumerate(x)) + bias[column]

                    if cell == "rnn":
                        h_new.append(act[activation](from_h(0) + from_x(0)))
                    elif cell == "gru":
                        r = scalar_sigmoid(from_h(0) + from_x(0))
                        z = scalar_sigmoid(from_h(1) + from_x(1))
                        n = math.tanh(from_x(2) + r * (from_h(2) + p[f"layers.{layer}.b_hn"][k]))
                        h_new.append((1 - z) * n + z * h[layer][k])
                    else:
                        i = scalar_sigmoid(from_h(0) + from_x(0))
                        f = scalar_sigmoid(from_h(1) + from_x(1))
                        g = math.tanh(from_h(2) + from_x(2))
                        o = scalar_sigmoid(from_h(3) + from_x(3))
                        c_new.append(f * c[layer][k] + i * g)
                        h_new.append(o * math.tanh(c_new[k]))
                h[layer], c[layer], x = h_new, c_new, h_new
            y = [v * masks[L][t, b, k] for k, v in enumerate(x)]
            scores = [sum(y[k] * p["head.W"][k, v] for k in range(H)) + p["head.b"][v] for v in range(V)]
            np.testing.assert_allclose(logits[t, b], scores, rtol=1e-12, atol=1e-13)
            nll += math.log(sum(map(math.exp, scores))) - scores[case["targets"][t, b]]
        for layer in range(L):
            np.testing.assert_allclose(final[layer]["h"][b], h[layer], rtol=1e-12, atol=1e-13)
            if cell == "lstm":
                np.testing.assert_allclose(final[layer]["c"][b], c[layer], rtol=1e-12, atol=1e-13)
    assert ref.loss(**split(case)[1]) == pytest.approx(nll / (T * B), rel=1e-12)


@pytest.mark.parametrize(("cell", "activation"), COMBINATIONS)
def test_arguments_are_not_modified(cell: str, activation: str) -> None:
    case = make_case(cell, activation, 2, True)
    before = copy.deepcopy(case)
    ref.loss_and_grads(**case)
    for name in ("params", "state", "masks", "dfinal", "ids", "targets", "starts", "dlogits_extra"):
        np.testing.assert_equal(case[name], before[name])


def test_float32_is_computed_in_float64() -> None:
    case = make_case("gru", "", 2, True)
    case["params"] = {k: v.astype(np.float32) for k, v in case["params"].items()}
    wide = case | {"params": {k: v.astype(np.float64) for k, v in case["params"].items()}}
    got, expected = ref.loss_and_grads(**case), ref.loss_and_grads(**wide)
    assert got[0] == expected[0]
    assert all(g.dtype == np.float64 for g in got[1].values())
    np.testing.assert_equal(got[1], expected[1])


def test_stable() -> None:
    with np.errstate(all="raise", under="ignore"):
        np.testing.assert_array_equal(ref.sigmoid(np.array([-1e4, -40.0, 0.0, 1e4])), [0.0, math.exp(-40.0), 0.5, 1.0])
        np.testing.assert_array_equal(ref.log_softmax(np.array([1e4, 0.0, -1e4])), [0.0, -1e4, -2e4])


def test_refuses_what_it_would_misread() -> None:
    case = make_case("gru", "", 2, True)
    with pytest.raises(ValueError, match="unexpected parameter"):
        ref.loss_and_grads(**case | {"params": case["params"] | {"layers.0.c0": np.zeros(H)}})
    with pytest.raises(ValueError, match="must be there with shape"):
        ref.loss_and_grads(**case | {"params": case["params"] | {"head.b": np.zeros(1)}})
    with pytest.raises(ValueError, match="is not in"):
        ref.loss_and_grads(**case | {"ids": case["ids"] - V})
    with pytest.raises(ValueError, match="state must have shape"):
        ref.loss_and_grads(**case | {"state": [{"h": np.zeros((1, H))}] * 2})
    with pytest.raises(ValueError, match="a mask must have shape"):
        ref.loss_and_grads(**case | {"masks": [None, None, np.ones((T + 1, B, H))]})
