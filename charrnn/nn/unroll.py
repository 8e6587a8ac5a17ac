"""One cell over T time steps, forward and backward: owns time, the input product and the initial state.

A layer has one matrix `W (H + D, G*H)`: its first H rows multiply the state, its last D rows the input. That is the
textbook's `z = [h, x]`, `z @ W`, cut at the seam, because the input's share needs no loop: it is one product for all T
steps, and for characters, whose one-hot rows only choose rows of W, a gather.
"""

from __future__ import annotations

import numpy as np

from charrnn.nn.cells.base import Cell, LayerParams, Scaled, Tape
from charrnn.nn.numerics import Array
from charrnn.nn.parameters import Shapes


def shapes(cell: Cell, input_size: int, hidden_size: int, learned_state: bool) -> Shapes:
    """Name and shape of each parameter of a layer: W, b, the cell's own, and `h0`, `c0` if the state is learned."""
    H, G = hidden_size, len(cell.gates)
    named: Shapes = {"W": (H + input_size, G * H), "b": (G * H,)}
    named |= dict.fromkeys(cell.vectors, (H,))
    if learned_state:
        named |= {f"{name}0": (H,) for name in cell.state}
    return named


def forward(cell: Cell, params: LayerParams, x: Array, state: LayerParams, starts: Array, tape: Tape) -> Array:
    """Runs the layer over its input and returns its output h: (T, B, H), a view of the tape.

    `x` is `ids (T, B)` of integers, or `(T, B, D)`. `state` holds a (B, H) for each name in `cell.state`; the rows b
    with `starts[b]` begin a text and take the layer's initial state instead: zero, or `h0`, `c0` where learned.
    The final state is row T of `tape.state`.
    """
    for name, rows in tape.state.items():
        rows[0] = state[name]
        rows[0][starts] = params.get(f"{name}0", 0)
    share_of_input(tape.begin_forward(params), x, tape)
    for t in range(tape.shape[0]):
        cell.step(params, tape, t)
    return tape.state["h"][1:]


def share_of_input(scaled: Scaled, x: Array, tape: Tape) -> None:
    """`a = x @ W_x + b` for all T steps at once, scaled as W_x and b are."""
    G, T, B, H = tape.a.shape
    if x.ndim == 2:
        for gate in range(G):
            # The ids are taken to be in range; with mode="clip" NumPy writes to `out` without a buffer.
            np.take(scaled.table[:, gate], x, axis=0, out=tape.a[gate], mode="clip")
    else:
        W_x = scaled.W_x.reshape(-1, G, H).transpose(1, 0, 2)  # (G, D, H), a view
        np.matmul(x.reshape(T * B, -1), W_x, out=tape.a.reshape(G, T * B, H))
        tape.a += scaled.b.reshape(G, 1, 1, H)


def backward(
    cell: Cell,
    params: LayerParams,
    x: Array,
    dh: Array,
    dstate: LayerParams,
    starts: Array,
    tape: Tape,
    grads: LayerParams,
) -> Array | None:
    """The exact derivative of `forward`, whose arguments and tape it must be given.

    `dh (T, B, H)` is the gradient of the output; `dstate` that of the final state, and is turned into that of the
    state given to `forward`. Writes to `grads`; returns the gradient of x, (T, B, D), or None where x is ids.
    """
    tape.begin_backward(params["W"])
    T = tape.shape[0]
    for start in reversed(range(0, T, tape.chunk)):
        steps = slice(start, min(T, start + tape.chunk))
        cell.local_derivatives(params, tape, steps)
        for t in reversed(range(steps.start, steps.stop)):
            np.add(dstate["h"], dh[t], dstate["h"])
            cell.step_backward(params, tape, t, dstate)
    cell.param_grads(params, tape, grads)
    for name, d in dstate.items():
        if f"{name}0" in params:
            np.sum(d[starts], axis=0, out=grads[f"{name}0"])
        d[starts] = 0
    return _multiply_input_backward(params, x, tape, grads)


def _multiply_input_backward(params: LayerParams, x: Array, tape: Tape, grads: LayerParams) -> Array | None:
    """From the gradient of `a = x @ W_x + b` to those of W_x, b and x."""
    T, B = tape.shape
    H = tape.hidden_size
    da = tape.da.reshape(T * B, -1)
    W_x, dW_x = params["W"][H:], grads["W"][H:]
    np.sum(da, axis=0, out=grads["b"])
    if x.ndim == 2:
        # Adds each row of da to its character's row of dW_x, as a product with one-hot rows.
        one_hot = np.zeros((T * B, len(W_x)), da.dtype)
        one_hot[np.arange(T * B), x.ravel()] = 1
        np.matmul(one_hot.T, da, out=dW_x)
        return None
    np.matmul(x.reshape(T * B, -1).T, da, out=dW_x)
    dx: Array = np.matmul(da, W_x.T)
    return dx.reshape(T, B, -1)
