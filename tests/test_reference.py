"""Proof of reference.py and the textbook in it: finite differences for its backward, scalars for its forward.

PyTorch is asked in nn/test_torch_parity.py.
"""

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import reference as ref

T, B, V, H = 4, 2, 5, 3

GATES = {
    "rnn": "a", "gru": "rzn", "gru_reset_before": "rzn", "mgu": "fn",
    "lstm": "ifgo", "lstm_peephole": "ifgo", "lstm_cifg": "igo", "lstm_nfg": "igo", "lstm_nig": "fgo",
    "lstm_nog": "ifg", "lstm_niaf": "ifgo", "lstm_noaf": "ifgo", "lstm_fgr": "ifgo",
}  # fmt: skip
EXTRAS: dict[str, dict[str, tuple[int, ...]]] = {
    "gru": {"b_hn": (H,)},
    "lstm_peephole": {"p_i": (H,), "p_f": (H,), "p_o": (H,)},
    "lstm_fgr": {"R": (3 * H, 3 * H)},
}
COMBINATIONS = [("rnn", "tanh"), ("rnn", "relu"), ("rnn", "sigmoid"), *((cell, "") for cell in GATES if cell != "rnn")]
every_cell = pytest.mark.parametrize(("cell", "activation"), COMBINATIONS)


def keys_of(cell: str) -> tuple[str, ...]:
    if cell == "lstm_fgr":
        return ("h", "c", "i", "f", "o")
    return ("h", "c") if "lstm" in cell else ("h",)


def all_options(cell: str) -> dict[str, bool]:
    """Those that the cell can meet."""
    normalized = cell == "rnn" or "lstm" in cell
    return {"gain": normalized, "candidate": cell != "rnn", "zoneout": True, "bidirectional": True, "weighted": True}


def make_case(
    cell: str,
    activation: str,
    L: int,
    learned: bool,
    seed: int = 0,
    *,
    gain: bool = False,
    candidate: bool = False,
    zoneout: bool = False,
    bidirectional: bool = False,
    weighted: bool = False,
) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    G, keys, ways = len(GATES[cell]), keys_of(cell), 2 if bidirectional else 1
    shapes = {"head.W": (ways * H, V), "head.b": (V,)}
    for layer in range(L):
        for name in (f"layers.{layer}.", f"layers.{layer}.reverse.")[:ways]:
            shapes[name + "W"] = (H + (V if layer == 0 else ways * H), G * H)
            shapes[name + "b"] = (G * H,)
            shapes |= {name + extra: shape for extra, shape in EXTRAS.get(cell, {}).items()}
            if gain:
                shapes[name + "gain"] = (G * H,)
            if learned:
                shapes |= {f"{name}{key}0": (H,) for key in keys}

    def random_state() -> ref.State:
        return [{key: rng.normal(size=(B, H)) for key in keys} for _ in range(ways * L)]

    def random_mask(width: int) -> np.ndarray:
        return (rng.random((T, B, width)) < 0.7) / 0.7

    case = {
        "params": {name: rng.normal(0.0, 0.5, shape) for name, shape in shapes.items()},
        "cell": cell,
        "activation": activation,
        "num_layers": L,
        "ids": rng.integers(0, V, (T, B)),
        "targets": rng.integers(0, V, (T, B)),
        "state": random_state(),
        "masks": [None] + [random_mask(ways * H) for _ in range(L)],
        "starts": np.array([True, False]),
        "dfinal": random_state(),
        "dlogits_extra": rng.normal(size=(T, B, V)),
    }
    if weighted:  # the last of a row is padding
        case["weights"] = rng.uniform(0.5, 2.0, (T, B)) * (np.arange(T)[:, None] < [T, T - 1])
    if candidate:
        case["candidate_masks"] = [random_mask(H) for _ in range(ways * L)]
    if zoneout:
        case["zoneout"] = [{key: rng.random((T, B, H)) for key in keys[:2]} for _ in range(ways * L)]
    if bidirectional:
        case["bidirectional"] = True
    return case


def split(case: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arguments of forward(), and of loss()."""
    cotangents = ("dfinal", "dlogits_extra")
    for_loss = {name: value for name, value in case.items() if name not in cotangents}
    return {name: value for name, value in for_loss.items() if name not in ("targets", "weights")}, for_loss


def objective(case: dict[str, Any]) -> float:
    logits, final = ref.forward(**split(case)[0])
    total = ref.mean_nll(logits, case["targets"], case.get("weights"))
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


def assert_all_matter(grads: ref.Params, dstate: ref.State, learned: bool) -> None:
    """No gradient is too small to show a mistake."""
    for name, gradient in grads.items():
        assert np.max(np.abs(gradient)) > 1e-3, name
    for row in dstate:
        for gradient in row.values():
            assert np.max(np.abs(gradient)) > 1e-3
            assert np.all(gradient[0] == 0.0) == learned  # row 0 has starts True


@pytest.mark.parametrize(("L", "learned"), [(1, False), (2, True)])
@every_cell
def test_gradients(cell: str, activation: str, L: int, learned: bool) -> None:
    assert_all_matter(*check_gradients(make_case(cell, activation, L, learned)), learned)


@every_cell
def test_gradients_with_all_options(cell: str, activation: str) -> None:
    assert_all_matter(*check_gradients(make_case(cell, activation, 1, True, **all_options(cell))), True)


@pytest.mark.parametrize("option", ["gain", "candidate", "zoneout", "bidirectional", "weighted"])
def test_gradients_with_one_option(option: str) -> None:
    assert_all_matter(*check_gradients(make_case("lstm", "", 1, False, **{option: True})), False)


@pytest.mark.parametrize(("cell", "activation"), [("rnn", "tanh"), ("mgu", "")])
def test_gradients_with_all_options_in_two_layers(cell: str, activation: str) -> None:
    assert_all_matter(*check_gradients(make_case(cell, activation, 2, True, **all_options(cell))), True)


@every_cell
def test_gradients_without_options(cell: str, activation: str) -> None:
    """No masks, starts or cotangents: the learned vectors are there but unused."""
    case = make_case(cell, activation, 1, True, seed=1)
    case |= {"masks": None, "starts": None, "dfinal": None, "dlogits_extra": None}
    grads, _ = check_gradients(case)
    assert all(np.all(grads[f"layers.0.{key}0"] == 0.0) for key in keys_of(cell))


def test_gradients_with_some_of_the_options() -> None:
    """Each in one layer only: a mask, a learned h0 without c0, a gain, a candidate mask, zoneout of c alone."""
    case = make_case("lstm", "", 2, True, seed=2, gain=True, candidate=True, zoneout=True)
    case["masks"][1] = None
    case["candidate_masks"][0] = None
    case["zoneout"][1] = None
    del case["zoneout"][0]["h"]
    for name in ("layers.0.c0", "layers.1.h0", "layers.1.c0", "layers.1.gain"):
        del case["params"][name]
    check_gradients(case)


def scalar_sigmoid(a: float) -> float:
    return 1.0 / (1.0 + math.exp(-a))


ACTIVATIONS = {"tanh": math.tanh, "relu": lambda a: max(a, 0.0), "sigmoid": scalar_sigmoid}

Floats = list[float]


def scalar_step(
    cell: str, activation: str, p: dict[str, np.ndarray], x: Floats, s: dict[str, Floats], m: Floats
) -> dict[str, Floats]:
    """One step of one row, unit by unit, from the packed arrays, in Python floats."""

    def from_h(gate: str, h: Floats) -> Floats:
        first = GATES[cell].index(gate) * H
        return [sum(h[j] * p["W"][j, first + k] for j in range(H)) for k in range(H)]

    def from_x(gate: str) -> Floats:
        first = GATES[cell].index(gate) * H
        return [sum(v * p["W"][H + d, first + k] for d, v in enumerate(x)) for k in range(H)]

    def bias(gate: str, k: int) -> float:
        return p["b"][GATES[cell].index(gate) * H + k]

    def sums(gate: str, h: Floats) -> Floats:
        total = [u + v for u, v in zip(from_h(gate, h), from_x(gate), strict=True)]
        if "gain" in p:
            mean = math.fsum(total) / H
            variance = math.fsum((u - mean) ** 2 for u in total) / H
            first = GATES[cell].index(gate) * H
            total = [p["gain"][first + k] * (u - mean) / math.sqrt(variance + 1e-5) for k, u in enumerate(total)]
        return [u + bias(gate, k) for k, u in enumerate(total)]

    h, new = s["h"], {key: [0.0] * H for key in s}
    if cell == "rnn":
        return {"h": [ACTIVATIONS[activation](a) for a in sums("a", h)]}

    if "lstm" not in cell:
        opened = {gate: [scalar_sigmoid(a) for a in sums(gate, h)] for gate in GATES[cell] if gate != "n"}
        if cell == "gru":
            products = from_h("n", h)
            gated = [opened["r"][k] * (products[k] + p["b_hn"][k]) for k in range(H)]
            a_n = [from_x("n")[k] + bias("n", k) + gated[k] for k in range(H)]
        else:
            reset = opened["f" if cell == "mgu" else "r"]
            a_n = sums("n", [reset[k] * h[k] for k in range(H)])
        for k in range(H):
            old = 1 - opened["f"][k] if cell == "mgu" else opened["z"][k]  # the part of the old state
            new["h"][k] = old * h[k] + (1 - old) * m[k] * math.tanh(a_n[k])
        return new

    a = {gate: sums(gate, h) for gate in GATES[cell]}
    for k in range(H):
        if cell == "lstm_peephole":
            a["i"][k] += p["p_i"][k] * s["c"][k]
            a["f"][k] += p["p_f"][k] * s["c"][k]
        if cell == "lstm_fgr":
            for column, to in enumerate("ifo"):
                for row, source in enumerate("ifo"):
                    a[to][k] += sum(s[source][j] * p["R"][row * H + j, column * H + k] for j in range(H))
        i = scalar_sigmoid(a["i"][k]) if "i" in a else 1.0
        f = scalar_sigmoid(a["f"][k]) if "f" in a else (1 - i if cell == "lstm_cifg" else 1.0)
        g = a["g"][k] if cell == "lstm_niaf" else math.tanh(a["g"][k])
        c = f * s["c"][k] + i * m[k] * g
        if cell == "lstm_peephole":
            a["o"][k] += p["p_o"][k] * c
        o = scalar_sigmoid(a["o"][k]) if "o" in a else 1.0
        step = {"h": o * (c if cell == "lstm_noaf" else math.tanh(c)), "c": c, "i": i, "f": f, "o": o}
        for key in new:
            new[key][k] = step[key]
    return new


def scalar_model(case: dict[str, Any], b: int) -> tuple[list[Floats], list[dict[str, Floats]]]:
    """Logits of row b for each t, and its final state."""
    p, learned = case["params"], case["starts"][b]
    ways = 2 if case.get("bidirectional") else 1
    inputs = [[1.0 if v == case["ids"][t, b] else 0.0 for v in range(V)] for t in range(T)]
    final = []
    for layer in range(case["num_layers"]):
        outputs: list[Floats] = [[] for _ in range(T)]
        for way in range(ways):
            index = layer * ways + way
            name = f"layers.{layer}." + ("reverse." if way else "")
            own = {key.removeprefix(name): value for key, value in p.items() if key.startswith(name)}
            state = {key: [float(u) for u in rows[b]] for key, rows in case["state"][index].items()}
            if learned:
                state |= {key: [float(u) for u in own[f"{key}0"]] for key in state if f"{key}0" in own}
            for t in reversed(range(T)) if way else range(T):
                m = case["candidate_masks"][index][t, b] if "candidate_masks" in case else [1.0] * H
                old, state = state, scalar_step(case["cell"], case["activation"], own, inputs[t], state, m)
                if "zoneout" in case:
                    for key, z in case["zoneout"][index].items():
                        state[key] = [z[t, b, k] * old[key][k] + (1 - z[t, b, k]) * state[key][k] for k in range(H)]
                outputs[t] += state["h"]
            final.append(state)
        inputs = [[u * case["masks"][layer + 1][t, b, k] for k, u in enumerate(outputs[t])] for t in range(T)]

    def logit(y: Floats, v: int) -> float:
        return sum(u * p["head.W"][k, v] for k, u in enumerate(y)) + p["head.b"][v]

    return [[logit(y, v) for v in range(V)] for y in inputs], final


@pytest.mark.parametrize("options", [False, True], ids=["plain", "options"])
@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize("L", [1, 2])
@every_cell
def test_forward_in_scalars(cell: str, activation: str, L: int, learned: bool, options: bool) -> None:
    case = make_case(cell, activation, L, learned, seed=3, **(all_options(cell) if options else {}))
    logits, final = ref.forward(**split(case)[0])
    nll, weights = 0.0, case.get("weights", np.ones((T, B)))
    for b in range(B):
        scores, state = scalar_model(case, b)
        np.testing.assert_allclose(logits[:, b], scores, rtol=1e-11, atol=1e-12)
        for t in range(T):
            nll += weights[t, b] * (math.log(sum(map(math.exp, scores[t]))) - scores[t][case["targets"][t, b]])
        for got, expected in zip(final, state, strict=True):
            assert got.keys() == expected.keys()
            for key in got:
                np.testing.assert_allclose(got[key][b], expected[key], rtol=1e-11, atol=1e-12)
    assert ref.loss(**split(case)[1]) == pytest.approx(nll / math.fsum(weights.flat), rel=1e-12)


def assert_same_everywhere(case: dict[str, Any], other: dict[str, Any]) -> None:
    """Logits, loss, final state, and the gradients of what both have."""
    np.testing.assert_allclose(ref.forward(**split(case)[0])[0], ref.forward(**split(other)[0])[0], 1e-12, 1e-13)
    (loss, grads, dstate, final), (other_loss, *others) = ref.loss_and_grads(**case), ref.loss_and_grads(**other)
    np.testing.assert_allclose(loss, other_loss, 1e-12)
    for name in grads.keys() & others[0].keys():
        np.testing.assert_allclose(grads[name], others[0][name], 1e-12, 1e-13, err_msg=name)
    for ours, theirs in ((dstate, others[1]), (final, others[2])):
        for row, other_row in zip(ours, theirs, strict=True):
            for key in row.keys() & other_row.keys():
                np.testing.assert_allclose(row[key], other_row[key], 1e-12, 1e-13, err_msg=key)


@pytest.mark.parametrize("cell", ["lstm_peephole", "lstm_fgr"])
def test_variant_without_its_connections_is_the_lstm(cell: str) -> None:
    case = make_case(cell, "", 2, True, seed=4)
    only = {f"layers.{layer}.{name}" for layer in range(2) for name in EXTRAS[cell]}
    case["params"] |= {name: np.zeros_like(case["params"][name]) for name in only}
    for cotangent in case["dfinal"]:
        cotangent |= {key: np.zeros((B, H)) for key in cotangent if key not in ("h", "c")}
    lstm = case | {"cell": "lstm"}
    unknown = only | {f"layers.{layer}.{key}0" for layer in range(2) for key in "ifo"}
    lstm["params"] = {name: value for name, value in case["params"].items() if name not in unknown}
    for name in ("state", "dfinal"):
        lstm[name] = [{key: row[key] for key in ("h", "c")} for row in case[name]]
    assert_same_everywhere(case, lstm)


@every_cell
def test_no_zoneout_and_no_candidate_dropped_change_nothing(cell: str, activation: str) -> None:
    case = make_case(cell, activation, 2, True, seed=5)
    names = keys_of(cell)[:2]
    neutral: dict[str, Any] = {"zoneout": [{key: np.zeros((T, B, H)) for key in names} for _ in range(2)]}
    if cell != "rnn":
        neutral["candidate_masks"] = [np.ones((T, B, H))] * 2
    assert_same_everywhere(case, case | neutral)


@every_cell
def test_zoneout_of_one_keeps_the_first_state(cell: str, activation: str) -> None:
    case = make_case(cell, activation, 1, False, seed=6)
    keys = keys_of(cell)[:2]
    _, final = ref.forward(**split(case)[0], zoneout=[{key: np.ones((T, B, H)) for key in keys}])
    for key in keys:
        np.testing.assert_array_equal(final[0][key], case["state"][0][key])


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm", "lstm_fgr"])
def test_reverse_direction_is_the_forward_one_on_the_flipped_text(cell: str) -> None:
    case = make_case(cell, "tanh", 1, True, seed=7, zoneout=True, bidirectional=True) | {"masks": None}
    params = case["params"]
    params["head.W"][:H] = 0  # only the reverse direction is heard
    logits, final = ref.forward(**split(case)[0])
    one_way = split(case)[0] | {"ids": case["ids"][::-1], "state": case["state"][1:], "bidirectional": False}
    one_way["zoneout"] = [{key: z[::-1] for key, z in case["zoneout"][1].items()}]
    one_way["params"] = {
        name.replace("reverse.", ""): value for name, value in params.items() if "reverse" in name or "head" in name
    }
    one_way["params"]["head.W"] = params["head.W"][H:]
    flipped, one_final = ref.forward(**one_way)
    np.testing.assert_allclose(logits, flipped[::-1], 1e-13, 1e-13)
    np.testing.assert_equal(final[1], one_final[0])


@every_cell
def test_arguments_are_not_modified(cell: str, activation: str) -> None:
    case = make_case(cell, activation, 2, True, **all_options(cell))
    before = copy.deepcopy(case)
    ref.loss_and_grads(**case)
    np.testing.assert_equal(case, before)


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
    params, z = case["params"], np.zeros((T, B, H))
    with pytest.raises(ValueError, match="unexpected parameter"):
        ref.loss_and_grads(**case | {"params": params | {"layers.0.c0": np.zeros(H)}})
    with pytest.raises(ValueError, match="must be there with shape"):
        ref.loss_and_grads(**case | {"params": params | {"head.b": np.zeros(1)}})
    with pytest.raises(ValueError, match="is not in"):
        ref.loss_and_grads(**case | {"ids": case["ids"] - V})
    with pytest.raises(ValueError, match="state must have shape"):
        ref.loss_and_grads(**case | {"state": [{"h": np.zeros((1, H))}] * 2})
    with pytest.raises(ValueError, match="a mask must have shape"):
        ref.loss_and_grads(**case | {"masks": [None, None, np.ones((T + 1, B, H))]})
    with pytest.raises(ValueError, match="candidate_masks must have length"):
        ref.loss_and_grads(**case | {"candidate_masks": [z]})
    with pytest.raises(ValueError, match="a candidate mask must have shape"):
        ref.loss_and_grads(**case | {"candidate_masks": [None, z[:1]]})
    with pytest.raises(ValueError, match="zoneout must have length"):
        ref.loss_and_grads(**case | {"zoneout": [None]})
    for row in ({"c": z}, {"h": z[:1]}, {"z": z}):
        with pytest.raises(ValueError, match="unexpected zoneout"):
            ref.loss_and_grads(**case | {"zoneout": [None, row]})
    with pytest.raises(ValueError, match=r"head\.W must be there"):
        ref.loss_and_grads(**case | {"bidirectional": True})


@pytest.mark.parametrize("cell", ["gru", "gru_reset_before", "mgu"])
def test_refuses_layer_normalization_of_a_gated_product(cell: str) -> None:
    with pytest.raises(ValueError, match=r"unexpected parameter layers\.0\.gain"):
        ref.loss_and_grads(**make_case(cell, "", 1, False, gain=True))


def test_refuses_to_mask_the_candidate_of_an_rnn() -> None:
    with pytest.raises(ValueError, match="rnn has no candidate"):
        ref.loss_and_grads(**make_case("rnn", "tanh", 1, False, candidate=True))


def test_fgr_zones_out_no_gates() -> None:
    case = make_case("lstm_fgr", "", 1, False, zoneout=True)
    case["zoneout"][0]["i"] = np.zeros((T, B, H))
    with pytest.raises(ValueError, match="unexpected zoneout i"):
        ref.loss_and_grads(**case)
