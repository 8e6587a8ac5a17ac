"""How far back a gradient reaches: the norm of dL_T/ds_t, the gradient of one step's loss, for the states before it.

It shrinks or grows with each step that it goes back, by the step's Jacobian: where that is small, the network cannot
learn what happened long ago (Hochreiter 1991; Bengio et al. 1994), where it is large, training diverges.
"""

from __future__ import annotations

import numpy as np

from charrnn.arrays import Array, Ids
from charrnn.nn import head
from charrnn.nn.model import CharLM
from charrnn.nn.numerics import overflow_allowed
from charrnn.nn.parameters import Parameters


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
