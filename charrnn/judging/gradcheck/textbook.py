"""The loss and the derivatives by `charrnn.textbook`, which was written from the equations alone.

It is the only oracle that knows what a cell is meant to compute: the others are content with the exact derivative of
another cell, such as an LSTM whose input and output gates have been exchanged, forward and backward alike.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from charrnn import textbook
from charrnn.arrays import Array
from charrnn.judging.gradcheck.check import Oracle
from charrnn.judging.gradcheck.subject import Judge, Subject, all_at_once, named
from charrnn.nn.model import CharLM
from charrnn.nn.noise import LayerNoise
from charrnn.textbook.packed import Drawn, Network

KNOWN: dict[str, tuple[str, ...]] = {
    "cell": tuple(textbook.CELLS),
    "activation": ("tanh", "relu", "sigmoid"),
    "initial_state": ("zero", "random", "learned"),
    "dropout_per": ("step", "window"),
    **dict.fromkeys(("vocab_size", "hidden_size", "num_layers", "state_noise", "bidirectional", "layer_norm"), ()),
    "outputs": (),
    **dict.fromkeys(("dropout", "recurrent_dropout", "zoneout_h", "zoneout_c"), ()),
}
"""The fields of a model that `network` below has a part for, and of those that are names, the names."""


def declines(model: Any) -> str:
    """Declines models in which anything is chosen that is not in `KNOWN`."""
    if not isinstance(model, CharLM):
        return f"the textbook does not know the network {type(model).__name__}"
    for field in dataclasses.fields(model):
        value = getattr(model, field.name)
        if field.name in KNOWN:
            known = not KNOWN[field.name] or value in KNOWN[field.name]
        else:
            known = not field.init or value == field.default
        if not known:
            return f"the textbook does not know {field.name} {value!r}"
    return ""


def oracle(subject: Subject) -> Oracle:
    """Returns an oracle that knows the loss, and all derivatives of the objective."""
    batch = subject.batch
    loss, grads, dstate, _ = network(subject).loss_and_grads(
        batch.x, batch.y, subject.cotangent if subject.carries else None, weights=batch.weights
    )
    for d in named(dstate).values():
        d[starts_of(subject)] = 0  # these rows have begun with something else than the state that came in
    return all_at_once(subject, {"loss": np.array(loss), **grads, **named(dstate)})


def network(subject: Subject) -> Network:
    """Returns the same network as the textbook builds it, with the same masks."""
    model, (T, B), starts = subject.model, subject.batch.x.shape, starts_of(subject)
    lengths = np.full(B, T) if subject.batch.lengths is None else subject.batch.lengths
    ended = (np.arange(T)[:, None] >= lengths)[:, :, None]  # in padding a row keeps its state, as if by zoneout
    drawn, state = [], []
    for layer, before in zip(subject.noise or [LayerNoise() for _ in subject.state], subject.state, strict=True):
        start = {name: layer.start.get(name, np.zeros_like(s)) for name, s in before.items()}
        state.append({name: np.where(starts[:, None], start[name], s) for name, s in before.items()})
        shares = {**(dict.fromkeys(before, 0.0) if ended.any() else {}), **layer.zoneout}
        stays = {name: np.where(ended, 1, np.broadcast_to(z, (T, B, model.hidden_size))) for name, z in shares.items()}
        mask = layer.output_mask  # one for each step, or for all of them
        mask = None if mask is None else np.broadcast_to(mask, (T, *mask.shape[1:]))
        drawn.append(Drawn(layer.candidate_mask, stays, mask))
    of_model = subject.params, model.cell, model.activation, model.num_layers
    return Network(*of_model, state, starts, drawn, model.bidirectional)


def starts_of(subject: Subject) -> Array:
    """Returns which rows begin with the initial state: bools (B,); all where every row is an item of its own."""
    starts = subject.batch.starts
    return np.ones(subject.batch.num_rows, bool) if starts is None else starts


TEXTBOOK = Judge(oracle, declines=declines, knows_loss=True)
