"""`charrnn gradflow`: how gradients shrink and grow on their way back."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from charrnn.judging.gradflow import gradient_norms
from charrnn.nn import head
from charrnn.nn.cells import CELLS
from charrnn.nn.model import CharLM
from charrnn.nn.parameters import Parameters


@pytest.mark.parametrize("cell", CELLS)
def test_the_norms_are_those_of_finite_differences(cell, rng):
    """Of the last character's loss, by moving each state before it."""
    V, H, T, B, step = 5, 3, 4, 2, 1e-6
    model = CharLM(V, cell, H, num_layers=2, initial_state="learned", zoneout_h=0.2)
    params = Parameters.zeros(model.shapes, np.float64)
    params.vector[...] = rng.normal(0, 0.7, params.vector.size)
    ids = rng.integers(V, size=(T + 1, B))
    norms = gradient_norms(model, params, ids)
    assert {name: len(values) for name, values in norms.items()} == dict.fromkeys([*model.stack.cell.state, "state"], T)

    def loss(state, t):
        if t == T:
            h = state[-1]["h"]
            return head.nats(h @ params["head.W"] + params["head.b"], ids[T]).sum()
        return head.nats(model.forward(params, ids[t:T], state)[0][-1], ids[T]).sum()

    for back in range(T):
        t = T - back
        _, state = model.forward(params, ids[:t], model.zero_state(B, np.float64), np.ones(B, bool))
        squares = 0.0
        for layer in state:
            for array in layer.values():
                for where in np.ndindex(array.shape):
                    kept = array[where]
                    array[where] = kept + step
                    above = loss(state, t)
                    array[where] = kept - step
                    squares += ((above - loss(state, t)) / (2 * step)) ** 2
                    array[where] = kept
        assert norms["state"][back] == pytest.approx(np.sqrt(squares / B), rel=1e-5)


def test_gates_that_saturate_are_measured_without_a_warning(rng):
    model = CharLM(5, "lstm", 3)
    params = Parameters.zeros(model.shapes, np.float32)
    params.vector[...] = rng.normal(0, 300, params.vector.size)
    assert np.isfinite(gradient_norms(model, params, rng.integers(5, size=(6, 2)))["state"]).all()


def test_without_arguments_the_classics_are_compared(charrnn):
    result = charrnn("gradflow", "--length", "20").ok()
    names = ["rnn, sigmoid", "rnn, tanh", "rnn, relu", "gru", "lstm, forget bias 0", "lstm, forget bias 4"]
    for name in names:
        assert result.text.count(f"{name} ") == 2
    assert "steps back" in result.text


def test_a_vanishing_gradient_is_seen_to_vanish_and_a_forget_bias_to_keep_it(charrnn):
    curves = charrnn("gradflow", "--length", "50", "--json").ok().json
    assert {len(values) for values in curves.values()} == {51}
    assert all(values[0] == 1 for values in curves.values())
    at_the_end = {name: values[-1] for name, values in curves.items()}
    assert at_the_end["rnn, sigmoid"] < 1e-20
    assert at_the_end["lstm, forget bias 0"] < 1e-4 < 1e-2 < at_the_end["lstm, forget bias 1"]


@pytest.mark.parametrize("cell", CELLS)
def test_any_cell_can_be_asked_for(charrnn, cell):
    assert list(charrnn("gradflow", "--cell", cell, "--length", "5", "--json").ok().json) == [cell]


def test_a_picture_has_a_curve_for_each(charrnn, tmp_path):
    charrnn("gradflow", "--cell", "gru", "--cell", "lstm", "--length", "30", "--plot", "flow.svg").ok()
    root = ET.parse(tmp_path / "flow.svg").getroot()
    names = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    lines = list(root.iter("{http://www.w3.org/2000/svg}polyline"))
    assert {"gru", "lstm"} <= set(names)
    assert [len(line.get("points").split()) for line in lines] == [31, 31]


def test_a_place_that_cannot_be_written_to_is_told(charrnn):
    charrnn("gradflow", "--length", "5", "--plot", "no/such/place.svg").fails(6, "no/such/place.svg")


def test_a_model_that_reads_both_ways_is_refused(charrnn, tmp_path):
    (tmp_path / "both.yaml").write_text("model: {bidirectional: true}")
    charrnn("gradflow", "both.yaml").fails(2, "bidirectional")
