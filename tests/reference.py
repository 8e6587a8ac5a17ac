"""The textbook's network over a window, asked in one call, and strict about what it is asked.

What is computed is in `charrnn/textbook`; this is the way of the tests to it. Everything is converted to float64, and
nothing that is given is modified.

Conventions
-----------
Sizes: T time steps, B batch rows, V vocabulary, H hidden, L layers; D is the input size of a layer: V for layer 0, H
above. The parameters are named and shaped as in a checkpoint, which `charrnn/textbook/packed.py` tells.

state: list over layers of a dict with a (B, H) array for each name in STATE_KEYS.
starts: (B,) booleans, or None for all False. Where starts[b], each part of a layer's state that has a learned value
    begins row b from it; those that have none begin from the given state, as do all rows with starts[b] False.
masks: None, or a list of L + 1 arrays (T, B, H) or None; masks[l] multiplies the input of layer l, masks[L] the input
    of the head, masks[0] is None. They are already scaled.
ids, targets: (T, B) integers. Logits: (T, B, V).
weights: None for ones, or (T, B), by which the nats of each position are multiplied; the mean is over their sum.
Objective: the mean of -log softmax(logits)[target], in nats, plus, in loss_and_grads, sum(dfinal * final_state) and
    sum(dlogits_extra * logits) where given. The loss that is returned never includes these two; the gradients do.

Options, by keyword
-------------------
candidate_masks: None, or a list over layers of (T, B, H) or None; multiplies the candidate. Already scaled.
zoneout: None, or a list over layers of {'h': (T, B, H), 'c': (T, B, H)}, either name or both (c only where the cell
    has it), or None: new state = z * old + (1 - z) * what the cell computed.
bidirectional: each layer is two, with parameters layers.{l}.* and layers.{l}.reverse.*; the second reads from the end
    of the text. Above layer 0 D is 2H, head.W is (2H, V), masks are (T, B, 2H). The lists state, candidate_masks and
    zoneout have 2L entries, for each layer forward, then reverse. Every mask is indexed by the t of the text.
"""

import numpy as np

from charrnn import textbook
from charrnn.textbook.functions import cross_entropy, log_softmax, sigmoid
from charrnn.textbook.packed import Drawn, Network

__all__ = ["forward", "log_softmax", "loss", "loss_and_grads", "sigmoid"]

Array = np.ndarray
Params = dict[str, Array]
State = list[dict[str, Array]]
Masks = list[Array | None] | None
Zoneout = list[dict[str, Array] | None] | None

GATES = {cell: tuple(gates.split()) for cell, (_, _, gates) in textbook.CELLS.items()}
STATE_KEYS = {cell: textbook.build(cell).state for cell in textbook.CELLS}

# Shapes, in units of H, of what a cell has beside W and b.
EXTRA_PARAMS: dict[str, dict[str, tuple[int, ...]]] = {
    "gru": {"b_hn": (1,)},
    "lstm_peephole": {"p_i": (1,), "p_f": (1,), "p_o": (1,)},
    "lstm_fgr": {"R": (3, 3)},
}
# Cells in which a gate comes between the state and a product: no sum z W to normalize.
GATED_PRODUCT = ("gru", "gru_reset_before", "mgu")


def check(
    params: Params, cell: str, num_layers: int, ids: Array, state: State, masks: Masks,
    candidate_masks: Masks, zoneout: Zoneout, bidirectional: bool,
) -> None:  # fmt: skip
    """Refuse wrong names or shapes, so that nothing is broadcast or ignored."""
    (T, B), G = ids.shape, len(GATES[cell])
    width, V = params["head.W"].shape
    H = width // 2 if bidirectional else width
    num_directions = 2 * num_layers if bidirectional else num_layers
    required = {"head.W": (2 * H if bidirectional else H, V), "head.b": (V,)}
    optional = {}
    for layer in range(num_layers):
        D = V if layer == 0 else width
        for name in (f"layers.{layer}.", f"layers.{layer}.reverse.")[: 2 if bidirectional else 1]:
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

    if ids.size and not 0 <= ids.min() <= ids.max() < V:
        raise ValueError(f"an id is not in 0..{V - 1}")
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


def float64(array: Array | None) -> Array | None:
    return None if array is None else np.array(array, dtype=np.float64)


def network(
    params: Params, cell: str, activation: str, num_layers: int, ids: Array, state: State,
    masks: Masks, starts: Array | None, candidate_masks: Masks, zoneout: Zoneout, bidirectional: bool,
) -> Network:  # fmt: skip
    check(params, cell, num_layers, ids, state, masks, candidate_masks, zoneout, bidirectional)
    drawn = []
    for k in range(len(state)):
        layer = k // 2 if bidirectional else k
        drawn.append(
            Drawn(
                None if candidate_masks is None else float64(candidate_masks[k]),
                {key: float64(z) for key, z in ((zoneout[k] if zoneout else None) or {}).items()},
                None if masks is None else float64(masks[layer + 1]),
            )
        )
    return Network(
        {name: float64(value) for name, value in params.items()},
        cell,
        activation or "tanh",
        num_layers,
        [{key: float64(value) for key, value in row.items()} for row in state],
        np.zeros(ids.shape[1], bool) if starts is None else starts,
        drawn,
        bidirectional,
    )


def forward(
    params: Params, cell: str, activation: str, num_layers: int, ids: Array, state: State,
    masks: Masks = None, starts: Array | None = None,
    *, candidate_masks: Masks = None, zoneout: Zoneout = None, bidirectional: bool = False,
) -> tuple[Array, State]:  # fmt: skip
    """Logits (T, B, V) and the final state."""
    options = (masks, starts, candidate_masks, zoneout, bidirectional)
    return network(params, cell, activation, num_layers, ids, state, *options).forward(ids)


def mean_nll(logits: Array, targets: Array, weights: Array | None = None) -> float:
    if targets.shape != logits.shape[:2]:
        raise ValueError("targets must have shape (T, B)")
    return cross_entropy(logits, targets, weights)[0]


def loss(
    params: Params, cell: str, activation: str, num_layers: int, ids: Array, targets: Array,
    state: State, masks: Masks = None, starts: Array | None = None, weights: Array | None = None,
    *, candidate_masks: Masks = None, zoneout: Zoneout = None, bidirectional: bool = False,
) -> float:  # fmt: skip
    """Mean negative log-likelihood of the targets, in nats."""
    options = {"candidate_masks": candidate_masks, "zoneout": zoneout, "bidirectional": bidirectional}
    logits, _ = forward(params, cell, activation, num_layers, ids, state, masks, starts, **options)
    return mean_nll(logits, targets, weights)


def loss_and_grads(
    params: Params, cell: str, activation: str, num_layers: int, ids: Array, targets: Array,
    state: State, masks: Masks = None, starts: Array | None = None,
    dfinal: State | None = None, dlogits_extra: Array | None = None, weights: Array | None = None,
    *, candidate_masks: Masks = None, zoneout: Zoneout = None, bidirectional: bool = False,
) -> tuple[float, Params, State, State]:  # fmt: skip
    """Loss, gradients of params, gradient of the given initial state, final state."""
    options = (masks, starts, candidate_masks, zoneout, bidirectional)
    net = network(params, cell, activation, num_layers, ids, state, *options)
    return net.loss_and_grads(ids, targets, dfinal, dlogits_extra, weights)
