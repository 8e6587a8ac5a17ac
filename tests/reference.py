"""Naive float64 reference for character-level recurrent language models, forward and backward.

Written from the equations alone, to be an oracle that shares nothing with the package: plain loops
over time t, batch rows b, layers l and gates, on 1-D vectors only, with the chain rule written out
by hand. Slow on purpose.

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
    layers.{l}.h0    (H,)          optional learned initial h
    layers.{l}.c0    (H,)          optional learned initial c, lstm only
    head.W (H, V), head.b (V,)

State: list over layers of {'h': (B, H)}, for lstm {'h': (B, H), 'c': (B, H)}.
starts: (B,) booleans, or None for all False. Where starts[b], each of a layer's h and c that has a
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
"""

import numpy as np

Array = np.ndarray
Params = dict[str, Array]
State = list[dict[str, Array]]
Masks = list[Array | None] | None
Vectors = dict[str, Array]  # named 1-D vectors (and, for weights, matrices) of one layer
Back = tuple[Array, Vectors]

GATES = {"rnn": ("a",), "gru": ("r", "z", "n"), "lstm": ("i", "f", "g", "o")}
STATE_KEYS = {"rnn": ("h",), "gru": ("h",), "lstm": ("h", "c")}


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


def check(params: Params, cell: str, num_layers: int, ids: Array, state: State, masks: Masks) -> None:
    """Refuse wrong names or shapes, so that nothing is broadcast or ignored."""
    (H, V), (T, B), G = params["head.W"].shape, ids.shape, len(GATES[cell])
    required, optional = {"head.W": (H, V), "head.b": (V,)}, {}
    for layer in range(num_layers):
        D = V if layer == 0 else H
        required[f"layers.{layer}.W"] = (H + D, G * H)
        required[f"layers.{layer}.b"] = (G * H,)
        if cell == "gru":
            required[f"layers.{layer}.b_hn"] = (H,)
        for key in STATE_KEYS[cell]:
            optional[f"layers.{layer}.{key}0"] = (H,)
    for name, shape in required.items():
        if name not in params or params[name].shape != shape:
            raise ValueError(f"{name} must be there with shape {shape}")
    for name, value in params.items():
        if name not in required and (name not in optional or value.shape != optional[name]):
            raise ValueError(f"unexpected parameter {name} of shape {value.shape}")
    state_shapes = [{key: value.shape for key, value in row.items()} for row in state]
    if state_shapes != [dict.fromkeys(STATE_KEYS[cell], (B, H))] * num_layers:
        raise ValueError(f"state must have shape (B, H) in every layer, not {state_shapes}")
    if masks is not None:
        if len(masks) != num_layers + 1 or masks[0] is not None:
            raise ValueError("masks must have length num_layers + 1 and begin with None")
        if any(mask is not None and mask.shape != (T, B, H) for mask in masks):
            raise ValueError("a mask must have shape (T, B, H)")


def float64_copies(arrays: dict[str, Array]) -> dict[str, Array]:
    return {name: np.array(value, dtype=np.float64) for name, value in arrays.items()}


def cut(params: Params, cell: str, layer: int) -> Vectors:
    """Views on one layer's parameters: 'Wh' + gate (H, H), 'Wx' + gate (D, H), 'b' + gate (H,).

    They are views, so cutting a dict of gradients and adding in place fills the packed arrays.
    """
    H = params["head.W"].shape[0]
    packed_W, packed_b = params[f"layers.{layer}.W"], params[f"layers.{layer}.b"]
    w = {}
    for k, gate in enumerate(GATES[cell]):
        w["Wh" + gate] = packed_W[:H, k * H : (k + 1) * H]
        w["Wx" + gate] = packed_W[H:, k * H : (k + 1) * H]
        w["b" + gate] = packed_b[k * H : (k + 1) * H]
    if cell == "gru":
        w["b_hn"] = params[f"layers.{layer}.b_hn"]
    return w


def is_learned(params: Params, layer: int, key: str, starts: Array | None, b: int) -> bool:
    """Whether row b of this state begins from the learned vector."""
    return starts is not None and bool(starts[b]) and f"layers.{layer}.{key}0" in params


def first_state(params: Params, state: State, starts: Array | None) -> State:
    first = [float64_copies(row) for row in state]
    for layer in range(len(first)):
        for key in first[layer]:
            for b in range(first[layer][key].shape[0]):
                if is_learned(params, layer, key, starts, b):
                    first[layer][key][b] = params[f"layers.{layer}.{key}0"]
    return first


def mask_row(masks: Masks, layer: int, t: int, b: int, H: int) -> Array:
    """The mask on the input of this layer (the head is layer L), ones where there is none."""
    if masks is None or masks[layer] is None:
        return np.ones(H)
    return np.array(masks[layer][t, b], dtype=np.float64)


# One step of a cell, forward:
# step(w, act, x, previous state s) -> next state, and the values the backward step needs


def rnn_step(w: Vectors, act: str, x: Array, s: Vectors) -> tuple[Vectors, Vectors]:
    h = s["h"]
    a = h @ w["Wha"] + x @ w["Wxa"] + w["ba"]  # a  = h Wh + x Wx + b
    h_new, slope = activate(act, a)  # h' = act(a)
    return {"h": h_new}, {"x": x, "h": h, "slope": slope}


def gru_step(w: Vectors, act: str, x: Array, s: Vectors) -> tuple[Vectors, Vectors]:
    h = s["h"]
    r = sigmoid(h @ w["Whr"] + x @ w["Wxr"] + w["br"])  # reset gate
    z = sigmoid(h @ w["Whz"] + x @ w["Wxz"] + w["bz"])  # update gate
    q = h @ w["Whn"] + w["b_hn"]  # what the reset gate multiplies
    n = np.tanh(x @ w["Wxn"] + w["bn"] + r * q)  # candidate
    h_new = (1.0 - z) * n + z * h  # h' = (1 - z) n + z h
    return {"h": h_new}, {"x": x, "h": h, "r": r, "z": z, "q": q, "n": n}


def lstm_step(w: Vectors, act: str, x: Array, s: Vectors) -> tuple[Vectors, Vectors]:
    h, c = s["h"], s["c"]
    i = sigmoid(h @ w["Whi"] + x @ w["Wxi"] + w["bi"])  # input gate
    f = sigmoid(h @ w["Whf"] + x @ w["Wxf"] + w["bf"])  # forget gate
    g = np.tanh(h @ w["Whg"] + x @ w["Wxg"] + w["bg"])  # candidate
    o = sigmoid(h @ w["Who"] + x @ w["Wxo"] + w["bo"])  # output gate
    c_new = f * c + i * g  # c' = f c + i g
    h_new = o * np.tanh(c_new)  # h' = o tanh(c')
    tape = {"x": x, "h": h, "c": c, "i": i, "f": f, "g": g, "o": o, "c_new": c_new}
    return {"h": h_new, "c": c_new}, tape


STEP = {"rnn": rnn_step, "gru": gru_step, "lstm": lstm_step}


# One step of a cell, backward:
# back(w, gradients dw to add to, act, values v of the forward step, ds_new) -> dx, ds


def gate_back(w: Vectors, dw: Vectors, gate: str, v: Vectors, dproduct: Array, da: Array) -> tuple[Array, Array]:
    """dx and dh through one gate, given the gradients of its h Wh (dproduct) and x Wx + b (da)."""
    dw["Wh" + gate] += np.outer(v["h"], dproduct)
    dw["Wx" + gate] += np.outer(v["x"], da)
    dw["b" + gate] += da
    return w["Wx" + gate] @ da, w["Wh" + gate] @ dproduct


def rnn_back(w: Vectors, dw: Vectors, act: str, v: Vectors, ds_new: Vectors) -> Back:
    da = ds_new["h"] * v["slope"]  # h' = act(a), slope = act'(a)
    dx, dh = gate_back(w, dw, "a", v, da, da)
    return dx, {"h": dh}


def gru_back(w: Vectors, dw: Vectors, act: str, v: Vectors, ds_new: Vectors) -> Back:
    h, r, z, q, n = v["h"], v["r"], v["z"], v["q"], v["n"]
    dh_new = ds_new["h"]
    dn = dh_new * (1.0 - z)  # h' = (1 - z) n + z h, with respect to n
    dz = dh_new * (h - n)  # ... to z
    dh = dh_new * z  # ... to h, directly
    da_n = dn * (1.0 - n**2)  # n = tanh(a_n)
    dr = da_n * q  # a_n = x Wxn + b_n + r q, with respect to r
    dq = da_n * r  # ... to q
    da_r = dr * r * (1.0 - r)  # r = sigmoid(a_r)
    da_z = dz * z * (1.0 - z)  # z = sigmoid(a_z)
    da = {"r": da_r, "z": da_z, "n": da_n}
    dproduct = {"r": da_r, "z": da_z, "n": dq}  # gradient of the gate's h @ Wh
    dx = np.zeros_like(v["x"])
    for gate in GATES["gru"]:
        dx_gate, dh_gate = gate_back(w, dw, gate, v, dproduct[gate], da[gate])
        dx, dh = dx + dx_gate, dh + dh_gate
    dw["b_hn"] += dq  # q = h Whn + b_hn
    return dx, {"h": dh}


def lstm_back(w: Vectors, dw: Vectors, act: str, v: Vectors, ds_new: Vectors) -> Back:
    c, i, f, g, o = v["c"], v["i"], v["f"], v["g"], v["o"]
    tanh_c_new = np.tanh(v["c_new"])
    do = ds_new["h"] * tanh_c_new  # h' = o tanh(c'), with respect to o
    dc_new = ds_new["c"] + ds_new["h"] * o * (1.0 - tanh_c_new**2)  # ... to c', plus from later
    df = dc_new * c  # c' = f c + i g, with respect to f
    dc = dc_new * f  # ... to c
    di = dc_new * g  # ... to i
    dg = dc_new * i  # ... to g
    da = {
        "i": di * i * (1.0 - i),  # i = sigmoid(a_i)
        "f": df * f * (1.0 - f),  # f = sigmoid(a_f)
        "g": dg * (1.0 - g**2),  # g = tanh(a_g)
        "o": do * o * (1.0 - o),  # o = sigmoid(a_o)
    }
    dx, dh = np.zeros_like(v["x"]), np.zeros_like(v["h"])
    for gate in GATES["lstm"]:
        dx_gate, dh_gate = gate_back(w, dw, gate, v, da[gate], da[gate])
        dx, dh = dx + dx_gate, dh + dh_gate
    return dx, {"h": dh, "c": dc}


BACK = {"rnn": rnn_back, "gru": gru_back, "lstm": lstm_back}


def run(
    params: Params, cell: str, activation: str, num_layers: int, ids: Array, state: State,
    masks: Masks, starts: Array | None,
) -> tuple[Array, State, dict[tuple[int, int, int], Vectors]]:  # fmt: skip
    """Logits, final state, and the tape: what each (t, b, layer) computed; the head is layer L."""
    check(params, cell, num_layers, ids, state, masks)
    params = float64_copies(params)
    H, V = params["head.W"].shape
    T, B = ids.shape
    weights = [cut(params, cell, layer) for layer in range(num_layers)]
    current = first_state(params, state, starts)
    logits = np.zeros((T, B, V))
    tape = {}
    for t in range(T):
        for b in range(B):
            x = one_hot(int(ids[t, b]), V)
            for layer in range(num_layers):
                if layer > 0:
                    x = x * mask_row(masks, layer, t, b, H)  # dropout between layers
                s = {key: current[layer][key][b].copy() for key in current[layer]}
                s_new, tape[t, b, layer] = STEP[cell](weights[layer], activation, x, s)
                for key in s_new:
                    current[layer][key][b] = s_new[key]
                x = s_new["h"]  # the input of the layer above
            y = x * mask_row(masks, num_layers, t, b, H)  # dropout before the head
            tape[t, b, num_layers] = {"y": y}
            logits[t, b] = y @ params["head.W"] + params["head.b"]
    return logits, current, tape


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
) -> tuple[Array, State]:  # fmt: skip
    """Logits (T, B, V) and the final state."""
    logits, final, _ = run(params, cell, activation, num_layers, ids, state, masks, starts)
    return logits, final


def loss(
    params: Params, cell: str, activation: str, num_layers: int, ids: Array, targets: Array,
    state: State, masks: Masks = None, starts: Array | None = None,
) -> float:  # fmt: skip
    """Mean negative log-likelihood of the targets, in nats."""
    logits, _ = forward(params, cell, activation, num_layers, ids, state, masks, starts)
    return mean_nll(logits, targets)


def loss_and_grads(
    params: Params, cell: str, activation: str, num_layers: int, ids: Array, targets: Array,
    state: State, masks: Masks = None, starts: Array | None = None,
    dfinal: State | None = None, dlogits_extra: Array | None = None,
) -> tuple[float, Params, State, State]:  # fmt: skip
    """Loss, gradients of params, gradient of the given initial state, final state."""
    logits, final, tape = run(params, cell, activation, num_layers, ids, state, masks, starts)
    params = float64_copies(params)
    grads = {name: np.zeros_like(value) for name, value in params.items()}
    weights = [cut(params, cell, layer) for layer in range(num_layers)]
    dweights = [cut(grads, cell, layer) for layer in range(num_layers)]  # views: added to in place
    T, B, V = logits.shape
    H = params["head.W"].shape[0]

    # ds[layer][key][b]: gradient of the state after step t, through everything later than t
    ds = [{key: np.zeros((B, H)) for key in STATE_KEYS[cell]} for _ in range(num_layers)]
    if dfinal is not None:
        for layer in range(num_layers):
            for key in STATE_KEYS[cell]:
                ds[layer][key] += dfinal[layer][key]

    for t in reversed(range(T)):
        for b in range(B):
            # -log softmax(logits)[target] / (T B)  ->  (softmax(logits) - one_hot(target)) / (T B)
            probabilities = np.exp(log_softmax(logits[t, b]))
            dlogits = (probabilities - one_hot(int(targets[t, b]), V)) / (T * B)
            if dlogits_extra is not None:
                dlogits = dlogits + dlogits_extra[t, b]
            grads["head.W"] += np.outer(tape[t, b, num_layers]["y"], dlogits)  # y W + b
            grads["head.b"] += dlogits
            dy = params["head.W"] @ dlogits
            dh_from_above = dy * mask_row(masks, num_layers, t, b, H)  # y = h_top * mask
            for layer in reversed(range(num_layers)):
                ds_new = {key: ds[layer][key][b].copy() for key in ds[layer]}
                ds_new["h"] = ds_new["h"] + dh_from_above  # h' goes to t + 1 and to the layer above
                dx, ds_row = BACK[cell](weights[layer], dweights[layer], activation, tape[t, b, layer], ds_new)
                for key in ds_row:
                    ds[layer][key][b] = ds_row[key]
                if layer > 0:
                    dh_from_above = dx * mask_row(masks, layer, t, b, H)  # x = h_below * mask

    # ds is now the gradient of the first state: of the learned vector where that was used
    for layer in range(num_layers):
        for key in STATE_KEYS[cell]:
            for b in range(B):
                if is_learned(params, layer, key, starts, b):
                    grads[f"layers.{layer}.{key}0"] += ds[layer][key][b]
                    ds[layer][key][b] = 0.0
    return mean_nll(logits, targets), grads, ds, final
