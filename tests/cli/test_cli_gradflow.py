"""`charrnn gradflow`: how gradients shrink and grow on their way back."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from charrnn.judging.gradflow import gradient_norms, saturation, scale_recurrent
from charrnn.nn import head
from charrnn.nn.cells import CELLS
from charrnn.nn.model import CharLM
from charrnn.nn.parameters import Parameters


@pytest.mark.parametrize("cell", CELLS)
def test_the_norms_are_those_of_finite_differences(cell, rng):
    """Of the last character's loss, by moving each state before it."""
    V, H, T, B, step = 5, 3, 4, 2, 1e-6
    model = CharLM(V, cell=cell, hidden_size=H, num_layers=2, initial_state="learned", zoneout_h=0.2)
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
    model = CharLM(5, cell="lstm", hidden_size=3)
    params = Parameters.zeros(model.shapes, np.float32)
    params.vector[...] = rng.normal(0, 300, params.vector.size)
    assert np.isfinite(gradient_norms(model, params, rng.integers(5, size=(6, 2)))["state"]).all()


@pytest.mark.parametrize("cell", CELLS)
def test_scaling_is_of_the_recurrent_weights_alone(cell, rng):
    model = CharLM(5, cell=cell, hidden_size=3, num_layers=2)
    params = Parameters.zeros(model.shapes, np.float64)
    params.vector[...] = rng.normal(0, 0.7, params.vector.size)
    before = {name: array.copy() for name, array in params.items()}
    scale_recurrent(model, params, 2.0)
    for name, array in params.items():
        factor = np.ones_like(array)
        if name.endswith(".R"):
            factor[...] = 2
        elif name.startswith("layers.") and name.endswith(".W"):
            factor[:3] = 2
        np.testing.assert_array_equal(array, factor * before[name])
    scale_recurrent(model, params, 0.0)
    norms = gradient_norms(model, params, rng.integers(5, size=(6, 2)))
    assert norms["state"][0] > 0
    if cell == "rnn":
        assert norms["state"][1:].tolist() == [0.0] * 4


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def test_the_saturated_share_of_an_lstm_is_that_of_its_equations(rng):
    V, H, T, B = 5, 7, 6, 3
    model = CharLM(V, cell="lstm", hidden_size=H)
    params = Parameters.zeros(model.shapes, np.float64)
    params.vector[...] = rng.normal(0, 3, params.vector.size)
    ids, h, c = rng.integers(V, size=(T, B)), np.zeros((B, H)), np.zeros((B, H))
    found = {gate: [] for gate in "ifgo"}
    for t in range(T):
        a = np.split(params["layers.0.W"][H + ids[t]] + h @ params["layers.0.W"][:H] + params["layers.0.b"], 4, axis=1)
        i, f, g, o = sigmoid(a[0]), sigmoid(a[1]), np.tanh(a[2]), sigmoid(a[3])
        c = f * c + i * g
        h = o * np.tanh(c)
        for gate, value in zip("ifgo", (i, f, (1 + g) / 2, o), strict=True):
            found[gate].append(value)
    expected = {
        gate: {"low": np.mean(np.array(v) < 0.05), "high": np.mean(np.array(v) > 0.95)} for gate, v in found.items()
    }
    assert saturation(model, params, ids) == {gate: pytest.approx(sides) for gate, sides in expected.items()}
    assert 0.1 < expected["i"]["low"] < 0.9


def test_a_unit_is_dead_that_never_rises_above_zero(rng):
    model = CharLM(5, cell="rnn", hidden_size=4, activation="relu")
    params = Parameters.zeros(model.shapes, np.float64)
    params["layers.0.b"][...] = 1, -1, 0.5, 0.5
    params["layers.0.W"][4 + 2, 1] = 3  # the character 2 wakes unit 1
    assert saturation(model, params, np.zeros((4, 2), int)) == {"h": {"dead": 0.25}}
    assert saturation(model, params, np.array([[0, 0], [0, 2]])) == {"h": {"dead": 0.0}}


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


def test_the_same_network_with_other_recurrent_weights_vanishes_or_explodes(charrnn):
    options = ("--cell", "rnn", "--scale", "0.5", "--scale", "1", "--scale", "2")
    curves = charrnn("gradflow", *options, "--json").ok().json
    assert list(curves) == ["rnn, W_h * 0.5", "rnn, W_h * 1", "rnn, W_h * 2"]
    ends = [values[-1] for values in curves.values()]
    assert ends[0] < 1e-15 < 1e-2 < ends[1] < 1e2 < 1e6 < ends[2]
    assert curves["rnn, W_h * 1"] == charrnn("gradflow", "--cell", "rnn", "--json").ok().json["rnn"]


def test_set_changes_the_network_that_is_measured(charrnn):
    options = ("--set", "model.cell=rnn", "--set", "model.init=orthogonal", "--length", "20", "--json")
    found = charrnn("gradflow", *options).ok().json
    assert list(found) == ["rnn"]
    assert found["rnn"] != charrnn("gradflow", "--cell", "rnn", "--length", "20", "--json").ok().json["rnn"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--set", "optim.learning_rate=1"], "optim.learning_rate"),
        (["--set", "model.sell=gru"], "model.cell"),
        (["--scale", "nan"], "--scale"),
        (["--scale", "-1"], "--scale"),
        (["--set", "model.cell=rnn", "--set", "model.activation=relu", "--scale", "1e9"], "overflows"),
    ],
)
def test_what_cannot_be_measured_is_refused(charrnn, options, told):
    charrnn("gradflow", *options).fails(2, told)


def test_saturated_gates_and_dead_units_are_told_where_asked_for(charrnn):
    options = ("gradflow", "--cell", "lstm", "--set", "model.forget_bias=4", "--length", "10", "--saturation")
    found = charrnn(*options, "--json").ok().json
    assert set(found) == {"gradients", "saturation"}
    assert found["gradients"] == charrnn(*options[:-1], "--json").ok().json
    gates = found["saturation"]["lstm"]
    assert list(gates) == ["i", "f", "g", "o"]
    assert gates["f"]["high"] > 0.9 > 0.1 > gates["f"]["low"]
    text = charrnn(*options).ok().text
    assert f"f {100 * gates['f']['low']:.1f}/{100 * gates['f']['high']:.1f}" in text
    assert "h 0.0 dead" in charrnn(*options[:1], "--saturation", "--length", "5").ok().text


def test_what_is_trained_already_is_measured_as_it_is(charrnn, trained):
    found = charrnn("gradflow", trained, "--length", "5", "--saturation", "--json").ok().json
    assert list(found["saturation"]) == list(found["gradients"]) == [str(trained)]
    for options in (["--cell", "gru"], ["--set", "model.hidden_size=3"], ["--scale", "2"]):
        charrnn("gradflow", trained, *options).fails(2, options[0], "not trained yet")


def test_a_picture_is_not_written_under_the_name_of_another_kind(charrnn, tmp_path):
    charrnn("gradflow", "--cell", "rnn", "--plot", "flow.PNG").fails(
        2, "flow.PNG would not be what its name says", ".svg"
    )
    assert not (tmp_path / "flow.PNG").exists()
