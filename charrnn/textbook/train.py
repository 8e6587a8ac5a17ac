"""A language model that learns a text: the LSTM, backpropagation through time, Adagrad (Duchi et al. 2011).

All of it is on this page; the network is in `net.py`, `layers.py` and `lstm.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from charrnn.arrays import Array, Ids
from charrnn.textbook.base import Cell, State, Weights
from charrnn.textbook.functions import log_softmax, one_hot
from charrnn.textbook.layers import Recurrent
from charrnn.textbook.lstm import LSTM
from charrnn.textbook.net import Net


@dataclass
class Learner:
    """Holds a text, a network with one layer, and how it learns."""

    text: str
    hidden_size: int = 64
    seq_length: int = 25
    learning_rate: float = 0.1
    clip_norm: float = 5.0
    """The longest gradient that is followed; a longer one is cut to it (Pascanu et al. 2013)."""
    seed: int = 0
    cell: Cell = field(default_factory=LSTM)

    def __post_init__(self) -> None:
        """Draws small random weights; biases, and the state before the text, are zero."""
        if len(self.text) < 2:
            raise ValueError("a text must have two characters at least, one to read and one to predict")
        self.rng = np.random.default_rng(self.seed)
        self.characters = sorted(set(self.text))
        self.ids = np.array([self.characters.index(character) for character in self.text])
        H, V = self.hidden_size, len(self.characters)
        shapes = {**self.cell.shapes(V, H), "W_y": (H, V), "b_y": (V,)}
        self.p: Weights = {
            name: self.rng.normal(0, 1 / np.sqrt(shape[0]), shape) if len(shape) == 2 else np.zeros(shape)
            for name, shape in shapes.items()
        }
        self.squares = {name: np.zeros(shape) for name, shape in shapes.items()}
        self.state = self.zero_state()

    def zero_state(self) -> State:
        """Returns the state before a text, which has one row."""
        return {name: np.zeros((1, self.hidden_size)) for name in self.cell.state}

    def losses(self) -> Iterator[float]:
        """Learns one window after another, for as long as it is asked, and yields the loss that each had before.

        At the end of the text it begins anew, with a state of zeros; else a window begins with the last one's state.
        """
        start = 0
        while True:
            window = self.ids[start : start + self.seq_length + 1, None]  # (T + 1, B = 1)
            yield self.update(window[:-1], window[1:])
            start += self.seq_length
            if start + 1 >= len(self.ids):
                start, self.state = 0, self.zero_state()

    def update(self, ids: Ids, targets: Ids) -> float:
        """Does one step of Adagrad on a window (T, B), and returns the loss before it."""
        net, layer = self.net(len(ids))
        loss, grads = net.loss_and_grads(ids, targets)
        grads |= layer.grads
        self.state = layer.final
        norm = np.sqrt(sum((gradient**2).sum() for gradient in grads.values()))
        for name, gradient in grads.items():
            gradient = gradient * min(1.0, self.clip_norm / norm)
            self.squares[name] += gradient**2
            self.p[name] -= self.learning_rate * gradient / (np.sqrt(self.squares[name]) + 1e-10)
        return loss

    def net(self, seq_length: int) -> tuple[Net, Recurrent]:
        """Returns the network over a window that begins with the state at hand, and its recurrent layer."""
        own = {name: array for name, array in self.p.items() if not name.endswith("_y")}
        layer = Recurrent([self.cell] * seq_length, own, self.state)
        return Net([layer], {"W_y": self.p["W_y"], "b_y": self.p["b_y"]}), layer

    def sample(self, length: int, first: str) -> str:
        """Returns `first` and `length` more characters, each drawn from what the network then expects."""
        text, state = first, self.zero_state()
        for _ in range(length):
            x = one_hot(np.array([self.characters.index(text[-1])]), len(self.characters))
            state, _ = self.cell.forward(self.p, x, state)
            p: Array = np.exp(log_softmax(state["h"] @ self.p["W_y"] + self.p["b_y"]))[0]
            text += self.characters[self.rng.choice(len(p), p=p / p.sum())]
        return text
