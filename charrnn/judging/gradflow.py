"""How far back a gradient reaches: the norm of dL_T/ds_t, the gradient of one step's loss, for the states before it.

It shrinks or grows with each step that it goes back, by the step's Jacobian: where that is small, the network cannot
learn what happened long ago (Hochreiter 1991; Bengio et al. 1994), where it is large, training diverges.
"""

from __future__ import annotations

import numpy as np

from charrnn.arrays import Array, Ids
from charrnn.nn import head
from charrnn.nn.model import CharLM
from charrnn.nn.numerics import SIGMOID, TANH, overflow_allowed
from charrnn.nn.parameters import Parameters

BOUNDS = {SIGMOID: (0.05, 0.95), TANH: (-0.9, 0.9)}
"""By what becomes of a pre-activation, the values beyond which it is saturated: as `tanh(a) = 2 sigmoid(2a) - 1`, both
are reached at the same distance from the middle, where the slope has fallen to a fifth of what it is there."""


@overflow_allowed()
def gradient_norms(model: CharLM, params: Parameters, ids: Ids) -> dict[str, Array]:
    """Returns the norms of the gradient of the last character's loss, of `ids (T + 1, B)`, at its state and before.

    By the state's name, h and for an LSTM c, and as "state" for all of them together: arrays (T,) whose element k is of
    the state k steps before the one that predicts the last character; root mean squares over the B rows.
    """
    T, B = len(ids) - 1, ids.shape[1]
    stack, dtype = model.stack, params.vector.dtype
    tapes, noise = stack.tapes(1, B, dtype), stack.mean_noise()
    states = [stack.zero_state(B, dtype)]
    for t in range(T):
        h = stack.forward(params, ids[t : t + 1], states[t], np.full(B, t == 0), tapes, noise)
        states.append([{name: rows[1].copy() for name, rows in tape.state.items()} for tape in tapes])
    logits = head.affine(h[0], params["head.W"], params["head.b"])
    head.cross_entropy_(logits, ids[T])
    dstate = stack.zero_state(B, dtype)
    dstate[-1]["h"] += B * logits @ params["head.W"].T  # the loss of each row, not their mean
    grads = Parameters.zeros(params.shapes, dtype)
    norms: dict[str, list[float]] = {name: [] for name in (*stack.cell.state, "state")}
    for t in reversed(range(1, T + 1)):
        squares = {name: sum(float((d[name].astype(float) ** 2).sum()) for d in dstate) for name in stack.cell.state}
        for name, square in squares.items():
            norms[name].append(np.sqrt(square / B))
        norms["state"].append(np.sqrt(sum(squares.values()) / B))
        # One step back: its forward pass is done again, as its tapes were used for the steps after it.
        h = stack.forward(params, ids[t - 1 : t], states[t - 1], np.full(B, t == 1), tapes, noise)
        stack.backward(params, np.zeros_like(h), dstate, tapes, noise, grads)
    return {name: np.array(values) for name, values in norms.items()}


def scale_recurrent(model: CharLM, params: Parameters, factor: float) -> None:
    """Multiplies all that the state is multiplied by, in every layer: W_h, and of `lstm_fgr` R as well."""
    for prefix in model.stack.prefixes:
        own = model.stack.layer_params(params, prefix)
        own["W"][: model.hidden_size] *= factor
        for name in model.stack.cell.matrices:
            own[name] *= factor


@overflow_allowed()
def saturation(model: CharLM, params: Parameters, ids: Ids) -> dict[str, dict[str, float]]:
    """Returns, by gate, which shares of its values are saturated while the network reads a text `ids (T, B)`.

    They are "low" and "high", on either side; candidates and the plain RNN's h count as gates. For a plain RNN with
    relu it is the share of units that are "dead": at 0 in every row at every step. The values are of all layers.
    """
    stack, (T, B) = model.stack, ids.shape
    tapes, noise = stack.tapes(1, B, params.vector.dtype), stack.mean_noise()
    state = stack.zero_state(B, params.vector.dtype)
    bounds = {gate: BOUNDS[scale] for gate, scale in stack.cell.gates.items() if scale in BOUNDS}
    beyond = {gate: np.zeros(2) for gate in bounds}
    active = np.zeros((len(tapes), model.hidden_size), bool)
    for t in range(T):
        stack.forward(params, ids[t : t + 1], state, np.full(B, t == 0), tapes, noise)
        state = [{name: rows[1].copy() for name, rows in tape.state.items()} for tape in tapes]
        for k, tape in enumerate(tapes):
            active[k] |= (state[k]["h"] != 0).any(axis=0)
            for gate, values in zip(stack.cell.gates, tape.gates[0], strict=True):
                if gate in bounds:
                    low, high = bounds[gate]
                    beyond[gate] += np.mean(values < low), np.mean(values > high)
    if model.cell == "rnn" and model.activation == "relu":
        return {"h": {"dead": float(np.mean(~active))}}
    return {
        gate: {"low": float(low), "high": float(high)}
        for gate, (low, high) in ((gate, sums / (T * len(tapes))) for gate, sums in beyond.items())
    }
