"""Naive float64 reference for character-level recurrent language models, forward and backward.

Written from the equations alone, to be an oracle that shares nothing with the package: plain loops
over time t, batch rows b, layers l and gates, on 1-D vectors only, with the chain rule written out
by hand. Slow on purpose; and cells that differ by one equation are written out in full, so that
each can be held against its paper alone.

Conventions
-----------
Sizes: T time steps, B batch rows, V vocabulary, H hidden, L layers; D is the input size of a
layer: V for layer 0, H above. Vectors are rows and multiply from the left: h @ Wh + x @ Wx + b.

Parameters (a dict of arrays; everything is converted to float64, nothing given is modified):
    layers.{l}.W     (H + D, G*H)  first H rows multiply the previous hidden state, last D rows the
                                   input; columns are G blocks of width H, one per gate, in the
                                   order of GATES
    layers.{l}.b     (G*H,)        same blocks
    layers.{l}.b_hn  (H,)          gru only: bias inside the product gated by r
    layers.{l}.p_i, .p_f, .p_o (H,)  lstm_peephole only
    layers.{l}.R     (3H, 3H)      lstm_fgr only: rows for the previous i, f, o, columns for a_i, a_f, a_o
    layers.{l}.gain  (G*H,)        optional layer normalization (Ba et al. 2016) of each gate's sum
                                   h Wh + x Wx, same blocks as b; not for the cells in GATED_PRODUCT
    layers.{l}.h0    (H,)          optional learned initial h, and so for every other name in
                                   STATE_KEYS: c0, ...
    head.W (H, V), head.b (V,)

State: list over layers of a dict with a (B, H) array for each name in STATE_KEYS.
starts: (B,) booleans, or None for all False. Where starts[b], each part of a layer's state that has a
    learned value begins row b from it; those that have none begin from the given state, as do all
    rows with starts[b] False.
masks: None, or a list of L + 1 arrays (T, B, H) or None; masks[l] multiplies the input of layer l,
    masks[L] the input of the head, masks[0] is None. They are already scaled.
ids, targets: (T, B) integers. Logits: (T, B, V).
Objective: mean over the T*B positions of -log softmax(logits)[target], in nats, plus, in
    loss_and_grads, sum(dfinal * final_state) and sum(dlogits_extra * logits) where given. The loss
    that is returned never includes these two terms; the gradients do.
A name d<something> is the gradient of the objective with respect to <something>.
relu has derivative 0 at 0. The activation is read by 'rnn' only.

Options, by keyword
-------------------
candidate_masks: None, or a list over layers of (T, B, H) or None; multiplies the candidate (g of the
    LSTMs, n of the others) before it enters the state (Semeniuta et al. 2016). Already scaled. 'rnn' has
    no candidate.
zoneout: None, or a list over layers of {'h': (T, B, H), 'c': (T, B, H)}, either name or both (c only
    where the cell has it), or None: new state = z * old + (1 - z) * what the cell computed (Krueger et
    al. 2017). The cell computes its h from its own c, before zoneout; the layer puts out the zoned h.
bidirectional: each layer is two, with parameters layers.{l}.* and layers.{l}.reverse.*; the second
    reads t = T-1 ... 0 and begins, at the end of the text, from its own initial state (starts means
    both). The layer puts out [h forward, h reverse] (B, 2H) for each t: above layer 0 D is 2H, head.W is
    (2H, V), masks are (T, B, 2H). The lists state, candidate_masks and zoneout have 2L entries, for each
    layer forward, then reverse. Every mask is indexed by the t of the text, whatever the direction.
"""

import numpy as np

Array = np.ndarray
Params = dict[str, Array]
State = list[dict[str, Array]]
Masks = list[Array | None] | None
Zoneout = list[dict[str, Array] | None] | None
Vectors = dict[str, Array]  # named 1-D vectors (and, for weights, matrices) of one layer
Back = tuple[Array, Vectors]

GATES = {
    "rnn": ("a",),
    "gru": ("r", "z", "n"),
    "gru_reset_before": ("r", "z", "n"),
    "mgu": ("f", "n"),
    "lstm": ("i", "f", "g", "o"),
    "lstm_peephole": ("i", "f", "g", "o"),
    "lstm_cifg": ("i", "g", "o"),
    "lstm_nfg": ("i", "g", "o"),
    "lstm_nig": ("f", "g", "o"),
    "lstm_nog": ("i", "f", "g"),
    "lstm_niaf": ("i", "f", "g", "o"),
    "lstm_noaf": ("i", "f", "g", "o"),
    "lstm_fgr": ("i", "f", "g", "o"),
}
STATE_KEYS = {cell: ("h", "c") if cell.startswith("lstm") else ("h",) for cell in GATES}
STATE_KEYS["lstm_fgr"] = ("h", "c", "i", "f", "o")

# Shapes, in units of H, of what a cell has beside W and b.
EXTRA_PARAMS: dict[str, dict[str, tuple[int, ...]]] = {
    "gru": {"b_hn": (1,)},
    "lstm_peephole": {"p_i": (1,), "p_f": (1,), "p_o": (1,)},
    "lstm_fgr": {"R": (3, 3)},
}
# Cells in which a gate comes between the state and a product: no sum h Wh + x Wx to normalize.
GATED_PRODUCT = ("gru", "gru_reset_before", "mgu")
NORM_EPS = 1e-5


def sigmoid(a: Array) -> Array:
    return np.exp(-np.logaddexp(0.0, -a))  # never overflows


def log_softmax(logits: Array) -> Array:
    shifted = logits - np.max(logits)
    return shifted - np.log(np.sum(np.exp(shifted)))


def one_hot(index: int, size: int) -> Array:
    if not 0 <= index < size:
        raise ValueError(f"id {index} is not in 0..{size - 1}")
    x = np.zeros(size)
    x[index] = 1.0
    return x


def activate(activation: str, a: Array) -> tuple[Array, Array]:
    """The activation at a, and its derivative there."""
    if activation == "tanh":
        return np.tanh(a), 1.0 - np.tanh(a) ** 2
    if activation == "relu":
        return np.where(a > 0, a, 0.0), np.where(a > 0, 1.0, 0.0)
    if activation == "sigmoid":
        return sigmoid(a), sigmoid(a) * (1.0 - sigmoid(a))
    raise ValueError(f"unknown activation {activation!r}")


# Layers and their directions. A "direction" is numbered as in the list of states: one for each layer,
# or, in a bidirectional net, 2 l for the forward and 2 l + 1 for the reverse direction of layer l.


def directions_of(layer: int, bidirectional: bool) -> list[int]:
    return [2 * layer, 2 * layer + 1] if bidirectional else [layer]


def is_reverse(direction: int, bidirectional: bool) -> bool:
    return bidirectional and direction % 2 == 1


def prefix(direction: int, bidirectional: bool) -> str:
    """How the names of its parameters begin."""
    if not bidirectional:
        return f"layers.{direction}."
    return f"layers.{direction // 2}.reverse." if is_reverse(direction, True) else f"layers.{direction // 2}."


def times(T: int, direction: int, bidirectional: bool) -> list[int]:
    """The t of the text in the order in which they are read."""
    return list(range(T - 1, -1, -1)) if is_reverse(direction, bidirectional) else list(range(T))


def columns(direction: int, bidirectional: bool, H: int) -> slice:
    """Where its h stands in the output of the layer."""
    return slice(H, 2 * H) if is_reverse(direction, bidirectional) else slice(0, H)


def sizes(params: Params, bidirectional: bool) -> tuple[int, int, int]:
    """H, the width of a layer's output, and V."""
    width, V = params["head.W"].shape
    return (width // 2 if bidirectional else width), width, V


def check(
    params: Params, cell: str, num_layers: int, ids: Array, state: State, masks: Masks,
    candidate_masks: Masks, zoneout: Zoneout, bidirectional: bool,
) -> None:  # fmt: skip
    """Refuse wrong names or shapes, so that nothing is broadcast or ignored."""
    (H, width, V), (T, B), G = sizes(params, bidirectional), ids.shape, len(GATES[cell])
    num_directions = 2 * num_layers if bidirectional else num_layers
    required = {"head.W": (2 * H if bidirectional else H, V), "head.b": (V,)}
    optional = {}
    for layer in range(num_layers):
        D = V if layer == 0 else width
        for direction in directions_of(layer, bidirectional):
            name = prefix(direction, bidirectional)
            required[name + "W"] = (H + D, G * H)
            required[name + "b"] = (G * H,)
            for extra, blocks in EXTRA_PARAMS.get(cell, {}).items():
                required[name + extra] = tuple(n * H for n in blocks)
            for key in STATE_KEYS[cell]:
                optional[f"{name}{key}0"] = (H,)
            if cell not in GATED_PRODUCT:
                optional[name + "gain"] = (G * H,)
    for name, shape in required.items():
        if name not in params or params[name].shape != shape:
            raise ValueError(f"{name} must be there with shape {shape}")
    for name, value in params.items():
        if name not in required and (name not in optional or value.shape != optional[name]):
            raise ValueError(f"unexpected parameter {name} of shape {value.shape}")

    state_shapes = [{key: value.shape for key, value in row.items()} for row in state]
    if state_shapes != [dict.fromkeys(STATE_KEYS[cell], (B, H))] * num_directions:
        raise ValueError(f"state must have shape (B, H) in every layer, not {state_shapes}")

    if masks is not None:
        if len(masks) != num_layers + 1 or masks[0] is not None:
            raise ValueError("masks must have length num_layers + 1 and begin with None")
        if any(mask is not None and mask.shape != (T, B, width) for mask in masks):
            raise ValueError("a mask must have shape (T, B, H), or (T, B, 2H) in a bidirectional net")
    if candidate_masks is not None:
        if cell == "rnn":
            raise ValueError("rnn has no candidate to mask")
        if len(candidate_masks) != num_directions:
            raise ValueError(f"candidate_masks must have length {num_directions}")
        if any(mask is not None and mask.shape != (T, B, H) for mask in candidate_masks):
            raise ValueError("a candidate mask must have shape (T, B, H)")
    if zoneout is not None:
        if len(zoneout) != num_directions:
            raise ValueError(f"zoneout must have length {num_directions}")
        for row in zoneout:
            for key, value in (row or {}).items():
                if key not in ("h", "c") or key not in STATE_KEYS[cell] or value.shape != (T, B, H):
                    raise ValueError(f"unexpected zoneout {key} of shape {value.shape}")


def float64_copies(arrays: dict[str, Array]) -> dict[str, Array]:
    return {name: np.array(value, dtype=np.float64) for name, value in arrays.items()}


def cut(params: Params, cell: str, direction: int, bidirectional: bool) -> Vectors:
    """Views on one layer's parameters: 'Wh' + gate (H, H), 'Wx' + gate (D, H), 'b' + gate (H,), ...

    They are views, so cutting a dict of gradients and adding in place fills the packed arrays.
    """
    H, _, _ = sizes(params, bidirectional)
    name = prefix(direction, bidirectional)
    packed_W, packed_b = params[name + "W"], params[name + "b"]
    w = {}
    for k, gate in enumerate(GATES[cell]):
        w["Wh" + gate] = packed_W[:H, k * H : (k + 1) * H]
        w["Wx" + gate] = packed_W[H:, k * H : (k + 1) * H]
        w["b" + gate] = packed_b[k * H : (k + 1) * H]
        if name + "gain" in params:
            w["gain" + gate] = params[name + "gain"][k * H : (k + 1) * H]
    for extra in EXTRA_PARAMS.get(cell, {}):
        w[extra] = params[name + extra]
    return w


def starts_learned(params: Params, name: str, starts: Array | None, b: int) -> bool:
    """Whether row b of the state with this learned vector, if there is one, begins from it."""
    return starts is not None and bool(starts[b]) and name in params


def first_state(params: Params, state: State, starts: Array | None, bidirectional: bool) -> State:
    first = [float64_copies(row) for row in state]
    for direction in range(len(first)):
        for key in first[direction]:
            name = f"{prefix(direction, bidirectional)}{key}0"
            for b in range(first[direction][key].shape[0]):
                if starts_learned(params, name, starts, b):
                    first[direction][key][b] = params[name]
    return first


def mask_row(masks: Masks, k: int, t: int, b: int, size: int) -> Array:
    """Row of mask k, ones where there is none."""
    if masks is None or masks[k] is None:
        return np.ones(size)
    return np.array(masks[k][t, b], dtype=np.float64)


def zoneout_row(zoneout: Zoneout, direction: int, key: str, t: int, b: int, H: int) -> Array:
    """How much of the old state is kept, zeros where there is no zoneout."""
    if zoneout is None or zoneout[direction] is None or key not in zoneout[direction]:
        return np.zeros(H)
    return np.array(zoneout[direction][key][t, b], dtype=np.float64)


# The pre-activation of one gate, without peepholes and the like, and its derivative


def normalize(s: Array) -> tuple[Array, float]:
    """(s - mean) / deviation over the elements of s, and the deviation."""
    centred = s - np.sum(s) / s.size
    deviation = np.sqrt(np.sum(centred**2) / s.size + NORM_EPS)
    return centred / deviation, deviation


def gate_sum(w: Vectors, gate: str, x: Array, h: Array) -> Array:
    s = h @ w["Wh" + gate] + x @ w["Wx" + gate]  # s = h Wh + x Wx
    if "gain" + gate not in w:
        return s + w["b" + gate]  # a = s + b
    return w["gain" + gate] * normalize(s)[0] + w["b" + gate]  # a = gain y + b,  y = normalize(s)


def gate_sum_back(w: Vectors, dw: Vectors, gate: str, x: Array, h: Array, da: Array) -> tuple[Array, Array]:
    """dx and dh through one gate; adds to the gradients dw."""
    ds = da
    if "gain" + gate in w:
        y, deviation = normalize(h @ w["Wh" + gate] + x @ w["Wx" + gate])
        dw["gain" + gate] += da * y
        dy = da * w["gain" + gate]
        # dy_k / ds_j = ([k = j] - 1/H - y_k y_j / H) / deviation
        ds = (dy - np.sum(dy) / y.size - y * np.sum(dy * y) / y.size) / deviation
    dw["Wh" + gate] += np.outer(h, ds)
    dw["Wx" + gate] += np.outer(x, ds)
    dw["b" + gate] += da
    return w["Wx" + gate] @ ds, w["Wh" + gate] @ ds


def gate_sums_back(w: Vectors, dw: Vectors, v: Vectors, da: Vectors) -> tuple[Array, Array]:
    """dx and dh through all gates named in da, each of which reads x and h."""
    dx, dh = np.zeros_like(v["x"]), np.zeros_like(v["h"])
    for gate in da:
        dx_gate, dh_gate = gate_sum_back(w, dw, gate, v["x"], v["h"], da[gate])
        dx, dh = dx + dx_gate, dh + dh_gate
    return dx, dh


# The cells. One step of a cell, forward and backward:
# step(w, act, x, previous state s, candidate mask m) -> next state, and the values v the backward step needs
# back(w, gradients dw to add to, act, v, ds_new) -> dx, ds


# --- rnn (Elman 1990): h' = act(h Wh + x Wx + b)


def rnn_step(w: Vectors, act: str, x: Array, s: Vectors, m: Array) -> tuple[Vectors, Vectors]:
    h = s["h"]
    a = gate_sum(w, "a", x, h)
    h_new, slope = activate(act, a)  # h' = act(a)
    return {"h": h_new}, {"x": x, "h": h, "slope": slope}


def rnn_back(w: Vectors, dw: Vectors, act: str, v: Vectors, ds_new: Vectors) -> Back:
    da = ds_new["h"] * v["slope"]  # h' = act(a), slope = act'(a)
    dx, dh = gate_sums_back(w, dw, v, {"a": da})
    return dx, {"h": dh}


# --- gru, reset after the product (as in cuDNN)
# r = sigmoid(.)   z = sigmoid(.)   n = tanh(x Wxn + b_n + r (h Whn + b_hn))   h' = (1 - z) m n + z h


def gru_step(w: Vectors, act: str, x: Array, s: Vectors, m: Array) -> tuple[Vectors, Vectors]:
    h = s["h"]
    r = sigmoid(gate_sum(w, "r", x, h))  # reset gate
    z = sigmoid(gate_sum(w, "z", x, h))  # update gate
    q = h @ w["Whn"] + w["b_hn"]  # what the reset gate multiplies
    n = np.tanh(x @ w["Wxn"] + w["bn"] + r * q)  # candidate
    h_new = (1.0 - z) * (m * n) + z * h
    return {"h": h_new}, {"x": x, "m": m, "h": h, "r": r, "z": z, "q": q, "n": n}


def gru_back(w: Vectors, dw: Vectors, act: str, v: Vectors, ds_new: Vectors) -> Back:
    x, m, h, r, z, q, n = v["x"], v["m"], v["h"], v["r"], v["z"], v["q"], v["n"]
    dh_new = ds_new["h"]
    dn = dh_new * (1.0 - z) * m  # h' = (1 - z) m n + z h, with respect to n
    dz = dh_new * (h - m * n)  # ... to z
    da_n = dn * (1.0 - n**2)  # n = tanh(a_n)
    dr = da_n * q  # a_n = x Wxn + b_n + r q, with respect to r
    dq = da_n * r  # ... to q
    dx, dh = gate_sums_back(w, dw, v, {"r": dr * r * (1.0 - r), "z": dz * z * (1.0 - z)})
    dx = dx + w["Wxn"] @ da_n
    dh = dh + w["Whn"] @ dq + dh_new * z  # q = h Whn + b_hn, and h' = ... + z h directly
    dw["Wxn"] += np.outer(x, da_n)
    dw["bn"] += da_n
    dw["Whn"] += np.outer(h, dq)
    dw["b_hn"] += dq
    return dx, {"h": dh}


# --- gru_reset_before, reset before the product (Cho et al. 2014, their z being 1 - z here)
# r = sigmoid(.)   z = sigmoid(.)   n = tanh(x Wxn + (r h) Whn + b_n)   h' = (1 - z) m n + z h


def gru_reset_before_step(w: Vectors, act: str, x: Array, s: Vectors, m: Array) -> tuple[Vectors, Vectors]:
    h = s["h"]
    r = sigmoid(gate_sum(w, "r", x, h))
    z = sigmoid(gate_sum(w, "z", x, h))
    n = np.tanh(gate_sum(w, "n", x, r * h))
    h_new = (1.0 - z) * (m * n) + z * h
    return {"h": h_new}, {"x": x, "m": m, "h": h, "r": r, "z": z, "n": n}


def gru_reset_before_back(w: Vectors, dw: Vectors, act: str, v: Vectors, ds_new: Vectors) -> Back:
    x, m, h, r, z, n = v["x"], v["m"], v["h"], v["r"], v["z"], v["n"]
    dh_new = ds_new["h"]
    dn = dh_new * (1.0 - z) * m  # h' = (1 - z) m n + z h, with respect to n
    dz = dh_new * (h - m * n)  # ... to z
    dx_n, drh = gate_sum_back(w, dw, "n", x, r * h, dn * (1.0 - n**2))  # drh: gradient of r h
    dr = drh * h
    dx, dh = gate_sums_back(w, dw, v, {"r": dr * r * (1.0 - r), "z": dz * z * (1.0 - z)})
    return dx + dx_n, {"h": dh + drh * r + dh_new * z}


# --- mgu, minimal gated unit (Zhou et al. 2016)
# f = sigmoid(.)   n = tanh(x Wxn + (f h) Whn + b_n)   h' = (1 - f) h + f m n


def mgu_step(w: Vectors, act: str, x: Array, s: Vectors, m: Array) -> tuple[Vectors, Vectors]:
    h = s["h"]
    f = sigmoid(gate_sum(w, "f", x, h))
    n = np.tanh(gate_sum(w, "n", x, f * h))
    h_new = (1.0 - f) * h + f * (m * n)
    return {"h": h_new}, {"x": x, "m": m, "h": h, "f": f, "n": n}


def mgu_back(w: Vectors, dw: Vectors, act: str, v: Vectors, ds_new: Vectors) -> Back:
    x, m, h, f, n = v["x"], v["m"], v["h"], v["f"], v["n"]
    dh_new = ds_new["h"]
    dn = dh_new * f * m  # h' = (1 - f) h + f m n, with respect to n
    dx_n, dfh = gate_sum_back(w, dw, "n", x, f * h, dn * (1.0 - n**2))  # dfh: gradient of f h
    df = dh_new * (m * n - h) + dfh * h
    dx, dh = gate_sums_back(w, dw, v, {"f": df * f * (1.0 - f)})
    return dx + dx_n, {"h": dh + dfh * f + dh_new * (1.0 - f)}


# --- lstm (Gers et al. 2000)
# i, f, o = sigmoid(.)   g = tanh(.)   c' = f c + i m g   h' = o tanh(c')


def lstm_step(w: Vectors, act: str, x: Array, s: Vectors, m: Array) -> tuple[Vectors, Vectors]:
    h, c = s["h"], s["c"]
    i = sigmoid(gate_sum(w, "i", x, h))  # input gate
    f = sigmoid(gate_sum(w, "f", x, h))  # forget gate
    g = np.tanh(gate_sum(w, "g", x, h))  # candidate
    o = sigmoid(gate_sum(w, "o", x, h))  # output gate
    c_new = f * c + i * (m * g)
    h_new = o * np.tanh(c_new)
    v = {"x": x, "m": m, "h": h, "c": c, "i": i, "f": f, "g": g, "o": o, "c_new": c_new}
    return {"h": h_new, "c": c_new}, v


def lstm_back(w: Vectors, dw: Vectors, act: str, v: Vectors, ds_new: Vectors) -> Back:
    m, c, i, f, g, o = v["m"], v["c"], v["i"], v["f"], v["g"], v["o"]
    tanh_c_new = np.tanh(v["c_new"])
    do = ds_new["h"] * tanh_c_new  # h' = o tanh(c'), with respect to o
    dc_new = ds_new["c"] + ds_new["h"] * o * (1.0 - tanh_c_new**2)  # ... to c', plus from later
    df = dc_new * c  # c' = f c + i m g, with respect to f
    dc = dc_new * f  # ... to c
    di = dc_new * m * g  # ... to i
    dg = dc_new * i * m  # ... to g
    da = {
        "i": di * i * (1.0 - i),  # i = sigmoid(a_i)
        "f": df * f * (1.0 - f),  # f = sigmoid(a_f)
        "g": dg * (1.0 - g**2),  # g = tanh(a_g)
        "o": do * o * (1.0 - o),  # o = sigmoid(a_o)
    }
    dx, dh = gate_sums_back(w, dw, v, da)
    return dx, {"h": dh, "c": dc}


# The variants are those of Greff et al. 2015, except that the others have no peepholes, as lstm has none.

# --- lstm_peephole (Gers and Schmidhuber 2000)
# a_i += p_i c   a_f += p_f c   c' = f c + i m g   a_o += p_o c'   h' = o tanh(c')


def lstm_peephole_step(w: Vectors, act: str, x: Array, s: Vectors, m: Array) -> tuple[Vectors, Vectors]:
    h, c = s["h"], s["c"]
    i = sigmoid(gate_sum(w, "i", x, h) + w["p_i"] * c)
    f = sigmoid(gate_sum(w, "f", x, h) + w["p_f"] * c)
    g = np.tanh(gate_sum(w, "g", x, h))
    c_new = f * c + i * (m * g)
    o = sigmoid(gate_sum(w, "o", x, h) + w["p_o"] * c_new)
    h_new = o * np.tanh(c_new)
    v = {"x": x, "m": m, "h": h, "c": c, "i": i, "f": f, "g": g, "o": o, "c_new": c_new}
    return {"h": h_new, "c": c_new}, v


def lstm_peephole_back(w: Vectors, dw: Vectors, act: str, v: Vectors, ds_new: Vectors) -> Back:
    m, c, i, f, g, o, c_new = v["m"], v["c"], v["i"], v["f"], v["g"], v["o"], v["c_new"]
    da_o = ds_new["h"] * np.tanh(c_new) * o * (1.0 - o)
    dc_new = ds_new["c"] + ds_new["h"] * o * (1.0 - np.tanh(c_new) ** 2) + da_o * w["p_o"]
    da_i = dc_new * m * g * i * (1.0 - i)
    da_f = dc_new * c * f * (1.0 - f)
    da_g = dc_new * i * m * (1.0 - g**2)
    dw["p_i"] += da_i * c
    dw["p_f"] += da_f * c
    dw["p_o"] += da_o * c_new
    dx, dh = gate_sums_back(w, dw, v, {"i": da_i, "f": da_f, "g": da_g, "o": da_o})
    return dx, {"h": dh, "c": dc_new * f + da_i * w["p_i"] + da_f * w["p_f"]}


# --- lstm_cifg, coupled input and forget gate: f = 1 - i


def lstm_cifg_step(w: Vectors, act: str, x: Array, s: Vectors, m: Array) -> tuple[Vectors, Vectors]:
    h, c = s["h"], s["c"]
    i = sigmoid(gate_sum(w, "i", x, h))
    g = np.tanh(gate_sum(w, "g", x, h))
    o = sigmoid(gate_sum(w, "o", x, h))
    c_new = (1.0 - i) * c + i * (m * g)
    h_new = o * np.tanh(c_new)
    return {"h": h_new, "c": c_new}, {"x": x, "m": m, "h": h, "c": c, "i": i, "g": g, "o": o, "c_new": c_new}


def lstm_cifg_back(w: Vectors, dw: Vectors, act: str, v: Vectors, ds_new: Vectors) -> Back:
    m, c, i, g, o, c_new = v["m"], v["c"], v["i"], v["g"], v["o"], v["c_new"]
    da_o = ds_new["h"] * np.tanh(c_new) * o * (1.0 - o)
    dc_new = ds_new["c"] + ds_new["h"] * o * (1.0 - np.tanh(c_new) ** 2)
    da_i = dc_new * (m * g - c) * i * (1.0 - i)
    da_g = dc_new * i * m * (1.0 - g**2)
    dx, dh = gate_sums_back(w, dw, v, {"i": da_i, "g": da_g, "o": da_o})
    return dx, {"h": dh, "c": dc_new * (1.0 - i)}


# --- lstm_nfg, no forget gate: f = 1 (Hochreiter and Schmidhuber 1997)


def lstm_nfg_step(w: Vectors, act: str, x: Array, s: Vectors, m: Array) -> tuple[Vectors, Vectors]:
    h, c = s["h"], s["c"]
    i = sigmoid(gate_sum(w, "i", x, h))
    g = np.tanh(gate_sum(w, "g", x, h))
    o = sigmoid(gate_sum(w, "o", x, h))
    c_new = c + i * (m * g)
    h_new = o * np.tanh(c_new)
    return {"h": h_new, "c": c_new}, {"x": x, "m": m, "h": h, "i": i, "g": g, "o": o, "c_new": c_new}


def lstm_nfg_back(w: Vectors, dw: Vectors, act: str, v: Vectors, ds_new: Vectors) -> Back:
    m, i, g, o, c_new = v["m"], v["i"], v["g"], v["o"], v["c_new"]
    da_o = ds_new["h"] * np.tanh(c_new) * o * (1.0 - o)
    dc_new = ds_new["c"] + ds_new["h"] * o * (1.0 - np.tanh(c_new) ** 2)
    da_i = dc_new * m * g * i * (1.0 - i)
    da_g = dc_new * i * m * (1.0 - g**2)
    dx, dh = gate_sums_back(w, dw, v, {"i": da_i, "g": da_g, "o": da_o})
    return dx, {"h": dh, "c": dc_new}


# --- lstm_nig, no input gate: i = 1


def lstm_nig_step(w: Vectors, act: str, x: Array, s: Vectors, m: Array) -> tuple[Vectors, Vectors]:
    h, c = s["h"], s["c"]
    f = sigmoid(gate_sum(w, "f", x, h))
    g = np.tanh(gate_sum(w, "g", x, h))
    o = sigmoid(gate_sum(w, "o", x, h))
    c_new = f * c + m * g
    h_new = o * np.tanh(c_new)
    return {"h": h_new, "c": c_new}, {"x": x, "m": m, "h": h, "c": c, "f": f, "g": g, "o": o, "c_new": c_new}


def lstm_nig_back(w: Vectors, dw: Vectors, act: str, v: Vectors, ds_new: Vectors) -> Back:
    m, c, f, g, o, c_new = v["m"], v["c"], v["f"], v["g"], v["o"], v["c_new"]
    da_o = ds_new["h"] * np.tanh(c_new) * o * (1.0 - o)
    dc_new = ds_new["c"] + ds_new["h"] * o * (1.0 - np.tanh(c_new) ** 2)
    da_f = dc_new * c * f * (1.0 - f)
    da_g = dc_new * m * (1.0 - g**2)
    dx, dh = gate_sums_back(w, dw, v, {"f": da_f, "g": da_g, "o": da_o})
    return dx, {"h": dh, "c": dc_new * f}


# --- lstm_nog, no output gate: h' = tanh(c')


def lstm_nog_step(w: Vectors, act: str, x: Array, s: Vectors, m: Array) -> tuple[Vectors, Vectors]:
    h, c = s["h"], s["c"]
    i = sigmoid(gate_sum(w, "i", x, h))
    f = sigmoid(gate_sum(w, "f", x, h))
    g = np.tanh(gate_sum(w, "g", x, h))
    c_new = f * c + i * (m * g)
    h_new = np.tanh(c_new)
    return {"h": h_new, "c": c_new}, {"x": x, "m": m, "h": h, "c": c, "i": i, "f": f, "g": g, "h_new": h_new}


def lstm_nog_back(w: Vectors, dw: Vectors, act: str, v: Vectors, ds_new: Vectors) -> Back:
    m, c, i, f, g, h_new = v["m"], v["c"], v["i"], v["f"], v["g"], v["h_new"]
    dc_new = ds_new["c"] + ds_new["h"] * (1.0 - h_new**2)
    da_i = dc_new * m * g * i * (1.0 - i)
    da_f = dc_new * c * f * (1.0 - f)
    da_g = dc_new * i * m * (1.0 - g**2)
    dx, dh = gate_sums_back(w, dw, v, {"i": da_i, "f": da_f, "g": da_g})
    return dx, {"h": dh, "c": dc_new * f}


# --- lstm_niaf, no input activation function: g = a_g


def lstm_niaf_step(w: Vectors, act: str, x: Array, s: Vectors, m: Array) -> tuple[Vectors, Vectors]:
    h, c = s["h"], s["c"]
    i = sigmoid(gate_sum(w, "i", x, h))
    f = sigmoid(gate_sum(w, "f", x, h))
    g = gate_sum(w, "g", x, h)
    o = sigmoid(gate_sum(w, "o", x, h))
    c_new = f * c + i * (m * g)
    h_new = o * np.tanh(c_new)
    v = {"x": x, "m": m, "h": h, "c": c, "i": i, "f": f, "g": g, "o": o, "c_new": c_new}
    return {"h": h_new, "c": c_new}, v


def lstm_niaf_back(w: Vectors, dw: Vectors, act: str, v: Vectors, ds_new: Vectors) -> Back:
    m, c, i, f, g, o, c_new = v["m"], v["c"], v["i"], v["f"], v["g"], v["o"], v["c_new"]
    da_o = ds_new["h"] * np.tanh(c_new) * o * (1.0 - o)
    dc_new = ds_new["c"] + ds_new["h"] * o * (1.0 - np.tanh(c_new) ** 2)
    da_i = dc_new * m * g * i * (1.0 - i)
    da_f = dc_new * c * f * (1.0 - f)
    da_g = dc_new * i * m
    dx, dh = gate_sums_back(w, dw, v, {"i": da_i, "f": da_f, "g": da_g, "o": da_o})
    return dx, {"h": dh, "c": dc_new * f}


# --- lstm_noaf, no output activation function: h' = o c'


def lstm_noaf_step(w: Vectors, act: str, x: Array, s: Vectors, m: Array) -> tuple[Vectors, Vectors]:
    h, c = s["h"], s["c"]
    i = sigmoid(gate_sum(w, "i", x, h))
    f = sigmoid(gate_sum(w, "f", x, h))
    g = np.tanh(gate_sum(w, "g", x, h))
    o = sigmoid(gate_sum(w, "o", x, h))
    c_new = f * c + i * (m * g)
    h_new = o * c_new
    v = {"x": x, "m": m, "h": h, "c": c, "i": i, "f": f, "g": g, "o": o, "c_new": c_new}
    return {"h": h_new, "c": c_new}, v


def lstm_noaf_back(w: Vectors, dw: Vectors, act: str, v: Vectors, ds_new: Vectors) -> Back:
    m, c, i, f, g, o, c_new = v["m"], v["c"], v["i"], v["f"], v["g"], v["o"], v["c_new"]
    da_o = ds_new["h"] * c_new * o * (1.0 - o)
    dc_new = ds_new["c"] + ds_new["h"] * o
    da_i = dc_new * m * g * i * (1.0 - i)
    da_f = dc_new * c * f * (1.0 - f)
    da_g = dc_new * i * m * (1.0 - g**2)
    dx, dh = gate_sums_back(w, dw, v, {"i": da_i, "f": da_f, "g": da_g, "o": da_o})
    return dx, {"h": dh, "c": dc_new * f}


# --- lstm_fgr, full gate recurrence: the gates of the previous step are state too
# [a_i a_f a_o] += [i f o] R   c' = f' c + i' m g   h' = o' tanh(c')


def lstm_fgr_step(w: Vectors, act: str, x: Array, s: Vectors, m: Array) -> tuple[Vectors, Vectors]:
    h, c = s["h"], s["c"]
    old_gates = np.concatenate([s["i"], s["f"], s["o"]])
    to_i, to_f, to_o = np.split(old_gates @ w["R"], 3)
    i = sigmoid(gate_sum(w, "i", x, h) + to_i)
    f = sigmoid(gate_sum(w, "f", x, h) + to_f)
    g = np.tanh(gate_sum(w, "g", x, h))
    o = sigmoid(gate_sum(w, "o", x, h) + to_o)
    c_new = f * c + i * (m * g)
    h_new = o * np.tanh(c_new)
    v = {"x": x, "m": m, "h": h, "c": c, "i": i, "f": f, "g": g, "o": o, "c_new": c_new, "old_gates": old_gates}
    return {"h": h_new, "c": c_new, "i": i, "f": f, "o": o}, v


def lstm_fgr_back(w: Vectors, dw: Vectors, act: str, v: Vectors, ds_new: Vectors) -> Back:
    m, c, i, f, g, o, c_new = v["m"], v["c"], v["i"], v["f"], v["g"], v["o"], v["c_new"]
    do = ds_new["h"] * np.tanh(c_new) + ds_new["o"]  # each gate has a second way on: to the next step
    dc_new = ds_new["c"] + ds_new["h"] * o * (1.0 - np.tanh(c_new) ** 2)
    di = dc_new * m * g + ds_new["i"]
    df = dc_new * c + ds_new["f"]
    da_i, da_f, da_o = di * i * (1.0 - i), df * f * (1.0 - f), do * o * (1.0 - o)
    da_g = dc_new * i * m * (1.0 - g**2)
    da_ifo = np.concatenate([da_i, da_f, da_o])
    dw["R"] += np.outer(v["old_gates"], da_ifo)
    di_old, df_old, do_old = np.split(w["R"] @ da_ifo, 3)
    dx, dh = gate_sums_back(w, dw, v, {"i": da_i, "f": da_f, "g": da_g, "o": da_o})
    return dx, {"h": dh, "c": dc_new * f, "i": di_old, "f": df_old, "o": do_old}


STEP_AND_BACK = {
    "rnn": (rnn_step, rnn_back),
    "gru": (gru_step, gru_back),
    "gru_reset_before": (gru_reset_before_step, gru_reset_before_back),
    "mgu": (mgu_step, mgu_back),
    "lstm": (lstm_step, lstm_back),
    "lstm_peephole": (lstm_peephole_step, lstm_peephole_back),
    "lstm_cifg": (lstm_cifg_step, lstm_cifg_back),
    "lstm_nfg": (lstm_nfg_step, lstm_nfg_back),
    "lstm_nig": (lstm_nig_step, lstm_nig_back),
    "lstm_nog": (lstm_nog_step, lstm_nog_back),
    "lstm_niaf": (lstm_niaf_step, lstm_niaf_back),
    "lstm_noaf": (lstm_noaf_step, lstm_noaf_back),
    "lstm_fgr": (lstm_fgr_step, lstm_fgr_back),
}


# The whole net


def run(
    params: Params, cell: str, activation: str, num_layers: int, ids: Array, state: State,
    masks: Masks, starts: Array | None, candidate_masks: Masks, zoneout: Zoneout, bidirectional: bool,
) -> tuple[Array, State, dict[tuple[int, int, int], Vectors], Array]:  # fmt: skip
    """Logits, final state, the tape: what each (t, b, direction) computed, and the input of the head."""
    check(params, cell, num_layers, ids, state, masks, candidate_masks, zoneout, bidirectional)
    params = float64_copies(params)
    H, width, V = sizes(params, bidirectional)
    T, B = ids.shape
    current = first_state(params, state, starts, bidirectional)
    step, _ = STEP_AND_BACK[cell]
    tape = {}

    x = np.zeros((T, B, V))
    for t in range(T):
        for b in range(B):
            x[t, b] = one_hot(int(ids[t, b]), V)

    for layer in range(num_layers):
        output = np.zeros((T, B, width))
        for direction in directions_of(layer, bidirectional):
            w = cut(params, cell, direction, bidirectional)
            for t in times(T, direction, bidirectional):
                for b in range(B):
                    s = {key: current[direction][key][b].copy() for key in STATE_KEYS[cell]}
                    m = mask_row(candidate_masks, direction, t, b, H)
                    s_new, tape[t, b, direction] = step(w, activation, x[t, b], s, m)
                    for key in STATE_KEYS[cell]:
                        z = zoneout_row(zoneout, direction, key, t, b, H)
                        current[direction][key][b] = z * s[key] + (1.0 - z) * s_new[key]
                    output[t, b, columns(direction, bidirectional, H)] = current[direction]["h"][b]
        x = np.zeros((T, B, width))  # the input of the layer above, or of the head
        for t in range(T):
            for b in range(B):
                x[t, b] = output[t, b] * mask_row(masks, layer + 1, t, b, width)  # dropout

    logits = np.zeros((T, B, V))
    for t in range(T):
        for b in range(B):
            logits[t, b] = x[t, b] @ params["head.W"] + params["head.b"]
    return logits, current, tape, x


def mean_nll(logits: Array, targets: Array) -> float:
    T, B, V = logits.shape
    if targets.shape != (T, B):
        raise ValueError("targets must have shape (T, B)")
    total = 0.0
    for t in range(T):
        for b in range(B):
            total -= float(log_softmax(logits[t, b]) @ one_hot(int(targets[t, b]), V))
    return total / (T * B)


def forward(
    params: Params, cell: str, activation: str, num_layers: int, ids: Array, state: State,
    masks: Masks = None, starts: Array | None = None,
    *, candidate_masks: Masks = None, zoneout: Zoneout = None, bidirectional: bool = False,
) -> tuple[Array, State]:  # fmt: skip
    """Logits (T, B, V) and the final state."""
    logits, final, _, _ = run(
        params, cell, activation, num_layers, ids, state, masks, starts, candidate_masks, zoneout, bidirectional
    )
    return logits, final


def loss(
    params: Params, cell: str, activation: str, num_layers: int, ids: Array, targets: Array,
    state: State, masks: Masks = None, starts: Array | None = None,
    *, candidate_masks: Masks = None, zoneout: Zoneout = None, bidirectional: bool = False,
) -> float:  # fmt: skip
    """Mean negative log-likelihood of the targets, in nats."""
    logits, _, _, _ = run(
        params, cell, activation, num_layers, ids, state, masks, starts, candidate_masks, zoneout, bidirectional
    )
    return mean_nll(logits, targets)


def loss_and_grads(
    params: Params, cell: str, activation: str, num_layers: int, ids: Array, targets: Array,
    state: State, masks: Masks = None, starts: Array | None = None,
    dfinal: State | None = None, dlogits_extra: Array | None = None,
    *, candidate_masks: Masks = None, zoneout: Zoneout = None, bidirectional: bool = False,
) -> tuple[float, Params, State, State]:  # fmt: skip
    """Loss, gradients of params, gradient of the given initial state, final state."""
    logits, final, tape, y = run(
        params, cell, activation, num_layers, ids, state, masks, starts, candidate_masks, zoneout, bidirectional
    )
    params = float64_copies(params)
    grads = {name: np.zeros_like(value) for name, value in params.items()}
    T, B, V = logits.shape
    H, width, _ = sizes(params, bidirectional)
    _, back = STEP_AND_BACK[cell]

    # ds[direction][key][b]: gradient of the state after step t, through all that is computed later from it
    ds = [{key: np.zeros((B, H)) for key in row} for row in final]
    if dfinal is not None:
        for direction in range(len(ds)):
            for key in STATE_KEYS[cell]:
                ds[direction][key] += dfinal[direction][key]

    dx = np.zeros((T, B, width))  # gradient of the input of the head, then of each layer
    for t in range(T):
        for b in range(B):
            # -log softmax(logits)[target] / (T B)  ->  (softmax(logits) - one_hot(target)) / (T B)
            probabilities = np.exp(log_softmax(logits[t, b]))
            dlogits = (probabilities - one_hot(int(targets[t, b]), V)) / (T * B)
            if dlogits_extra is not None:
                dlogits = dlogits + dlogits_extra[t, b]
            grads["head.W"] += np.outer(y[t, b], dlogits)  # logits = y W + b
            grads["head.b"] += dlogits
            dx[t, b] = params["head.W"] @ dlogits

    for layer in reversed(range(num_layers)):
        doutput = np.zeros((T, B, width))
        for t in range(T):
            for b in range(B):
                doutput[t, b] = dx[t, b] * mask_row(masks, layer + 1, t, b, width)
        dx = np.zeros((T, B, V if layer == 0 else width))  # both directions add to it
        for direction in directions_of(layer, bidirectional):
            w = cut(params, cell, direction, bidirectional)
            dw = cut(grads, cell, direction, bidirectional)  # views: added to in place
            for t in reversed(times(T, direction, bidirectional)):
                for b in range(B):
                    # the zoned h goes to the next step and to the layer above
                    ds[direction]["h"][b] += doutput[t, b, columns(direction, bidirectional, H)]
                    ds_new, ds_kept = {}, {}
                    for key in STATE_KEYS[cell]:
                        z = zoneout_row(zoneout, direction, key, t, b, H)
                        ds_new[key] = ds[direction][key][b] * (1.0 - z)  # z old + (1 - z) new
                        ds_kept[key] = ds[direction][key][b] * z
                    dx_row, ds_row = back(w, dw, activation, tape[t, b, direction], ds_new)
                    dx[t, b] += dx_row
                    for key in STATE_KEYS[cell]:
                        ds[direction][key][b] = ds_row[key] + ds_kept[key]

    # ds is now the gradient of the first state: of the learned vector where that was used
    for direction in range(len(ds)):
        for key in STATE_KEYS[cell]:
            name = f"{prefix(direction, bidirectional)}{key}0"
            for b in range(B):
                if starts_learned(params, name, starts, b):
                    grads[name] += ds[direction][key][b]
                    ds[direction][key][b] = 0.0
    return mean_nll(logits, targets), grads, ds, final
