"""One cell over T time steps, forward and backward: owns time, the input product and the initial state.

A layer has one matrix `W (H + D, G*H)`: its first H rows multiply the state, its last D rows the input. That is the
textbook's `z = [h, x]`, `z @ W`, cut at the seam, because `x @ W_x` needs no loop: it is one product for all T steps,
and for characters, whose one-hot rows only choose rows of W, a gather.
"""

from __future__ import annotations

import numpy as np

from charrnn.arrays import Array
from charrnn.nn.cells.base import Cell
from charrnn.nn.noise import NO_NOISE, LayerNoise
from charrnn.nn.parameters import LayerParams, Shapes
from charrnn.nn.tape import LayerState, Padding, Tape, product_grads


def shapes(cell: Cell, input_size: int, hidden_size: int, learned_state: bool, layer_norm: bool = False) -> Shapes:
    """Returns name and shape of each parameter of a layer: W, b, the cell's own, `gain` of a layer norm, learned h0.

    `input_size` is D, with what every step reads beside its input.
    """
    H, G = hidden_size, len(cell.gates)
    named: Shapes = {"W": (H + input_size, G * H), "b": (G * H,)}
    named |= dict.fromkeys(cell.vectors, (H,)) | {name: (n * H, n * H) for name, n in cell.matrices.items()}
    if layer_norm:
        named["gain"] = (G * H,)
    if learned_state:
        named |= {f"{name}0": (H,) for name in cell.state}
    return named


def forward(
    cell: Cell,
    params: LayerParams,
    x: Array,
    state: LayerState,
    starts: Array,
    tape: Tape,
    noise: LayerNoise = NO_NOISE,
    *,
    padding: Padding | None = None,
    side: Array | None = None,
) -> Array:
    """Runs the layer over its input and returns its output h: (T, B, H), a view of the tape.

    `x` is `ids (T, B)` of integers, or `(T, B, D)`. `state` holds a (B, H) for each name in `cell.state`; the rows b
    with `starts[b]` begin a text and take the layer's initial state instead: zero, or `h0` and `c0` where learned, or
    noise. The final state is row T of `tape.state`. In the rows that are `padding` at a step the state stays as it is:
    so the final one is that of a row's own end, and a layer that reads from the end begins with a row's own symbols.
    `side` is what every step reads beside x: ids (B,) or vectors (B, C), which meet the last rows of W. The tape
    remembers what it is given, which must not change before `backward`.
    """
    tape.x, tape.starts, tape.noise, tape.padding, tape.side = x, starts, noise, padding, side
    for name, rows in tape.state.items():
        rows[0] = state[name]
        if starts.any():
            rows[0][starts] = noise.start[name][starts] if name in noise.start else params.get(f"{name}0", 0)
    tape.begin_forward(params, reads_ids=x.ndim == 2)
    multiply_side(tape)
    T, at_once = tape.shape[0], len(tape.xW)
    for start in range(0, T, at_once):
        multiply_input(x[start : start + at_once], tape)
        for t in range(start, min(T, start + at_once)):
            step(cell, params, tape, t)
    return tape.state["h"][1:]


def step(cell: Cell, params: LayerParams, tape: Tape, t: int) -> None:
    """Turns the states' row t into row t + 1: the cell's step, and zoneout, `s' = z * s + (1 - z) * s'`.

    In rows that are padding, z is 1.
    """
    cell.step(params, tape, t)
    for name, z in tape.noise.zoneout.items():
        old, new = tape.rows[name][t], tape.rows[name][t + 1]
        np.subtract(old, new, tape.u)
        np.multiply(tape.u, z if isinstance(z, float) else z[t], tape.u)
        np.add(new, tape.u, new)
    if tape.padding is not None and (ended := tape.padding[t]) is not None:
        for name in tape.state:
            tape.rows[name][t + 1][ended] = tape.rows[name][t][ended]


def step_backward(cell: Cell, params: LayerParams, tape: Tape, t: int, dstate: LayerState) -> None:
    """Differentiates `step`: turns `dstate`, the gradient of row t + 1, into that of row t."""
    ended = None if tape.padding is None else tape.padding[t]
    if ended is not None:
        passing = {name: d[ended] for name, d in dstate.items()}
        for d in dstate.values():
            d[ended] = 0
    stays = {}
    for name, z in tape.noise.zoneout.items():
        stays[name] = np.multiply(dstate[name], z if isinstance(z, float) else z[t], tape.zoned[name])
        np.subtract(dstate[name], stays[name], dstate[name])
    cell.step_backward(params, tape, t, dstate)
    for name, d in stays.items():
        np.add(dstate[name], d, dstate[name])
    if ended is not None:
        for name, d in passing.items():
            dstate[name][ended] = d


def multiply_input(x: Array, tape: Tape) -> None:
    """Writes `x @ W_x + b` of the T steps of x to `tape.xW`, scaled as they are; what stands at the side is added."""
    xW = tape.xW[: len(x)]
    if x.ndim == 2:
        # The ids are taken to be in range; with mode="clip" NumPy writes to `out` without a buffer.
        np.take(tape.W_input, x, axis=0, out=xW, mode="clip")
    else:
        T, B, D = x.shape
        np.matmul(x.reshape(T * B, D), tape.W_input, out=xW.reshape(T * B, -1))
        if tape.adds_bias_to_input:
            xW += tape.b
    if tape.side_product is not None:
        xW += tape.side_product


def multiply_side(tape: Tape) -> None:
    """Computes what stands at the side times its rows of W, which is the same at every step."""
    side = tape.side
    tape.side_product = tape.dside = None
    if side is not None:
        tape.side_product = tape.W_side[side] if side.ndim == 1 else side @ tape.W_side


def backward(
    cell: Cell,
    params: LayerParams,
    dh: Array,
    dstate: LayerState,
    tape: Tape,
    grads: LayerParams,
    dx: Array | None = None,
) -> None:
    """Differentiates `forward`, whose `params` and `tape` it must be given. It uses the tape up.

    `dh (T, B, H)` is the gradient of the output; `dstate` that of the final state, and is turned into that of the
    state given to `forward`. Writes to `grads`, and to `dx (T, B, D)` where x is no ids; that may be `dh` itself.
    """
    tape.begin_backward(params["W"])
    T = tape.shape[0]
    for start in reversed(range(0, T, tape.chunk)):
        steps = slice(start, min(T, start + tape.chunk))
        cell.partial_derivatives(params, tape, steps)
        for t in reversed(range(steps.start, steps.stop)):
            np.add(dstate["h"], dh[t], dstate["h"])
            step_backward(cell, params, tape, t, dstate)
    cell.param_grads(params, tape, grads)
    for name, d in dstate.items():
        if f"{name}0" in params:
            np.sum(d[tape.starts], axis=0, out=grads[f"{name}0"])
        d[tape.starts] = 0
    tape.own_grads(grads)
    _backward_input(params, tape, grads, dx)


def _backward_input(params: LayerParams, tape: Tape, grads: LayerParams, dx: Array | None) -> None:
    """Turns the gradient of `x @ W_x + b` into those of W_x, b, x, and what stands at the side."""
    T, B = tape.shape
    H, x = tape.read.shape[-1], tape.x
    dxW = tape.dxW.reshape(T * B, -1)
    D = len(params["W"]) - tape.side_size - H
    dW_x, W_x = grads["W"][H : H + D], params["W"][H : H + D]
    if tape.side is not None:
        _backward_side(tape.side, tape.dxW.sum(axis=0), params["W"][H + D :], grads["W"][H + D :], tape)
    if x.ndim == 2:
        add_rows(dxW, x.ravel(), dW_x, scratch=tape.a.reshape(dxW.shape))  # the gates are not needed any more
    else:
        product_grads(x, tape.dxW, dW_x)
    if tape.adds_bias_to_input:
        # Each row of dxW is in one row of dW_x if x is ids, and these are fewer.
        np.sum(dW_x if x.ndim == 2 else dxW, axis=0, out=grads["b"])
    if dx is not None and x.ndim == 3:
        tape.backward_input_product(W_x, dx)


def _backward_side(side: Array, dproduct: Array, W: Array, dW: Array, tape: Tape) -> None:
    """Turns `dproduct (B, G*H)`, the sum over all steps, into the gradients of W's last rows, and of what met them."""
    if side.ndim == 1:
        add_rows(dproduct, side, dW, scratch=np.empty_like(dproduct))
    else:
        np.matmul(side.T, dproduct, out=dW)
        tape.dside = dproduct @ W.T


def add_rows(rows: Array, ids: Array, out: Array, scratch: Array) -> None:
    """Writes to each `out[k]` the sum of the rows n of `rows (N, .)` with `ids[n] == k`.

    The rows are brought into the order of their ids, in `scratch`, and each id's are then one contiguous sum. This
    costs a fraction of a product with one-hot rows, and nothing for ids that do not appear.
    """
    order = np.argsort(ids, kind="stable")
    np.take(rows, order, axis=0, out=scratch, mode="clip")
    counts = np.bincount(ids, minlength=len(out))
    out[...] = 0
    start = 0
    for k, count in enumerate(counts.tolist()):
        if count == 1:
            out[k] = scratch[start]
        elif count:
            np.add.reduce(scratch[start : start + count], axis=0, out=out[k])
        start += count
