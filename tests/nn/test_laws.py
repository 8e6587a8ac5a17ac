"""What must hold for every registered cell, whatever its equations."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import numpy as np
import pytest
from architectures import ARCHITECTURES

from charrnn.judging.gradcheck.subject import check_model
from charrnn.nn import cells, stack, unroll
from charrnn.nn.cells.base import Cell
from charrnn.nn.cells.lstm_variants import LSTMVariant
from charrnn.nn.layer_norm import NormalizedTape
from charrnn.nn.model import CharLM
from charrnn.nn.noise import LayerNoise, mask, zoneout_mask
from charrnn.nn.parameters import Parameters
from charrnn.nn.tape import Tape

V, H = 7, 4
TINY = 1e-13
LAYERS = {name: chosen for name, chosen in ARCHITECTURES.items() if name.endswith(("plain", "layer_norm"))}
AT_ONCE = {name: chosen for name, chosen in ARCHITECTURES.items() if "everything" in name}


@pytest.fixture
def model(cell):
    return CharLM(V, hidden_size=H, num_layers=2, **cell)


@pytest.fixture
def learned(model):
    return replace(model, initial_state="learned")


def pieces(case, cut):
    """The window before and after step `cut`; only the first can begin a text."""
    before = replace(case, ids=case.ids[:cut], targets=case.targets[:cut])
    after = replace(case, ids=case.ids[cut:], targets=case.targets[cut:], starts=None)
    return before, after


@pytest.mark.parametrize("cut", [1, 3])
def test_two_windows_with_the_state_carried_equal_one(model, window, cut):
    case = window(model)
    logits, final = case.forward()
    before, after = pieces(case, cut)
    first, state = before.forward()
    second, last = replace(after, state=state).forward()
    np.testing.assert_allclose(np.concatenate([first, second]), logits, rtol=0, atol=TINY)
    for got, expected in zip(last, final, strict=True):
        for key in expected:
            np.testing.assert_allclose(got[key], expected[key], rtol=0, atol=TINY)


@pytest.mark.parametrize("cut", [1, 3])
def test_the_gradient_of_the_state_joins_two_windows_into_one(learned, window, cut):
    case = window(learned, T=5)
    whole = case.results()
    before, after = pieces(case, cut)
    _, state = before.forward()
    # The loss is a mean over steps: of each window's gradient only its share of the steps counts.
    rest = (5 - cut) / 5
    scaled = [{key: d / rest for key, d in layer.items()} for layer in case.dstate]
    second = replace(after, state=state, dstate=scaled).results()
    across = [{key: second[f"dstate.{i}.{key}"] * rest / (cut / 5) for key in row} for i, row in enumerate(state)]
    first = replace(before, dstate=across).results()
    for name in (name for name in whole if name.startswith("d")):
        total = first[name] * (cut / 5)
        if not name.startswith("dstate"):
            total += second[name] * rest
        np.testing.assert_allclose(total, whole[name], rtol=0, atol=TINY, err_msg=name)


def test_a_row_does_not_see_the_others(architecture, window):
    chosen = CharLM(V, hidden_size=H, num_layers=2, **architecture)
    case, other = window(chosen, starts=(0, 1)), window(chosen, starts=(2,), seed=1)
    for b in range(3):
        mixed = copy.deepcopy(other)
        mixed.params, mixed.noise = case.params, case.noise
        mixed.ids[:, b], mixed.starts[b] = case.ids[:, b], case.starts[b]
        for row, given in zip(mixed.state, case.state, strict=True):
            for key in row:
                row[key][b] = given[key][b]
        np.testing.assert_allclose(mixed.forward()[0][:, b], case.forward()[0][:, b], rtol=0, atol=TINY)
        assert (np.abs(mixed.forward()[0] - case.forward()[0]).max(axis=(0, 2)) > 1e-3).sum() == 2


def with_another_character(case, t):
    """Logits before and after a change at step t."""
    before, _ = case.forward()
    case.ids[t] = (case.ids[t] + 1) % V
    return before, case.forward()[0]


@pytest.mark.parametrize("t", [0, 2, 4])
def test_a_character_changes_what_follows_it_and_nothing_before(causal, t, window):
    before, after = with_another_character(window(CharLM(V, hidden_size=H, num_layers=2, **causal)), t)
    np.testing.assert_array_equal(after[:t], before[:t])
    # Zoneout may keep all of a row for a step.
    assert (after[t:] != before[t:]).any(axis=(1, 2)).mean() > 0.5
    assert (after[-1] != before[-1]).any()


@pytest.mark.parametrize("num_layers", [1, 2])
def test_a_layer_in_both_directions_sees_what_comes(cell, num_layers, window):
    case = window(CharLM(V, hidden_size=H, num_layers=num_layers, bidirectional=True, **cell))
    before, after = with_another_character(case, 3)
    assert (np.abs(after - before).max(axis=(1, 2)) > 1e-6).all()


@dataclass
class Layer:
    """One layer, and all that its passes read. Its input is of another size than its state."""

    cell: Cell
    params: dict[str, np.ndarray]
    x: np.ndarray
    state: dict[str, np.ndarray]
    dh: np.ndarray
    dstate: dict[str, np.ndarray]
    starts: np.ndarray
    noise: LayerNoise
    layer_norm: bool

    def results(self):
        """Output, final state, and all gradients, by name."""
        kind = NormalizedTape if self.layer_norm else Tape
        tape = kind(self.cell.layout, *self.dh.shape, np.float64)
        grads, dstate = {k: np.full_like(p, np.nan) for k, p in self.params.items()}, copy.deepcopy(self.dstate)
        dx = np.full((*self.x.shape[:2], V), np.nan)
        h = unroll.forward(self.cell, self.params, self.x, self.state, self.starts, tape, self.noise).copy()
        final = {f"final.{name}": rows[-1].copy() for name, rows in tape.state.items()}
        unroll.backward(self.cell, self.params, self.dh, dstate, tape, grads, dx)
        named = {f"d{name}": grad for name, grad in grads.items()} | {f"dstate.{k}": d for k, d in dstate.items()}
        return {"h": h} | final | named | ({"dx": dx} if self.x.ndim == 3 else {})


def random_layer(cell, rng, layer_norm=False):
    T, B = 5, 3
    params = {name: rng.normal(0, 0.5, shape) for name, shape in unroll.shapes(cell, V, H, True, layer_norm).items()}
    state, dstate = ({name: rng.normal(0, 0.5, (B, H)) for name in cell.state} for _ in range(2))
    noise = LayerNoise(
        candidate_mask=mask(rng, (T, B, H), 0.3, np.float64) if cell.has_candidate else None,
        kept=0.7,
        zoneout={name: zoneout_mask(rng, (T, B, H), 0.3, np.float64) for name in cell.state},
    )
    x, dh = rng.normal(0, 0.5, (T, B, V)), rng.normal(0, 0.5, (T, B, H))
    return Layer(cell, params, x, state, dh, dstate, np.array([False, True, False]), noise, layer_norm)


@pytest.fixture(params=LAYERS.values(), ids=LAYERS)
def layer(request, rng):
    """A layer of every cell, as it is and normalized."""
    model = CharLM(V, **request.param)
    return random_layer(model.stack.cell, rng, model.layer_norm)


def test_ids_equal_their_one_hot_rows(layer, rng, assert_same):
    """A first layer reads ids, the layers above it floats: both ways must be one function with one derivative."""
    ids = rng.integers(V, size=layer.x.shape[:2])
    multiplied = replace(layer, x=np.eye(V)[ids]).results()
    del multiplied["dx"]
    assert_same(replace(layer, x=ids).results(), multiplied, TINY)


def test_a_zero_cotangent_gives_zero_gradients(layer):
    layer.dh[...] = 0
    for d in layer.dstate.values():
        d[...] = 0
    gradients = {name: array for name, array in layer.results().items() if name.startswith("d")}
    assert len(gradients) == len(layer.params) + len(layer.state) + 1
    for name, array in gradients.items():
        np.testing.assert_array_equal(array, 0, err_msg=name)


def without(results, prefix):
    return {name: array for name, array in results.items() if not name.startswith(prefix)}


@pytest.mark.parametrize("layer_norm", [False, True])
def test_the_variant_of_the_lstm_with_all_switches_off_is_the_lstm(layer_norm, rng, assert_same):
    variant = random_layer(LSTMVariant(), rng, layer_norm)
    assert_same(variant.results(), replace(variant, cell=cells.build("lstm")).results(), 1e-12)


@pytest.mark.parametrize("layer_norm", [False, True])
def test_peepholes_of_zero_see_nothing(layer_norm, rng, assert_same):
    peephole = random_layer(cells.build("lstm_peephole"), rng, layer_norm)
    plain = {name: p for name, p in peephole.params.items() if not name.startswith("p_")}
    for name in peephole.params.keys() - plain:
        peephole.params[name][...] = 0
    lstm = replace(peephole, cell=cells.build("lstm"), params=plain)
    assert_same(without(peephole.results(), "dp_"), lstm.results(), 1e-12)


def test_full_gate_recurrence_of_zero_leaves_the_lstm(rng, assert_same):
    recurrent = random_layer(cells.build("lstm_fgr"), rng)
    recurrent.params["R"][...] = 0
    for gate in "ifo":
        recurrent.dstate[gate][...] = 0
        del recurrent.noise.zoneout[gate]
    lstm = replace(
        recurrent,
        cell=cells.build("lstm"),
        params={name: recurrent.params[name] for name in ("W", "b", "h0", "c0")},
        state={name: recurrent.state[name] for name in ("h", "c")},
        dstate={name: recurrent.dstate[name] for name in ("h", "c")},
    )
    expected = lstm.results()
    assert_same({name: array for name, array in recurrent.results().items() if name in expected}, expected, 1e-12)


@pytest.mark.parametrize("chosen", AT_ONCE.values(), ids=AT_ONCE)
def test_the_same_seed_gives_the_same_bytes(chosen, window):
    def run(seed):
        model = CharLM(V, hidden_size=H, num_layers=2, **chosen)
        return {name: array.tobytes() for name, array in window(model, dtype=np.float32, seed=seed).results().items()}

    first, other = run(1), run(2)
    assert first == run(1)
    assert all(first[name] != other[name] for name in first)


@pytest.mark.parametrize("chosen", AT_ONCE.values(), ids=AT_ONCE)
def test_a_model_that_has_seen_other_windows_computes_what_a_fresh_one_does(chosen, window, assert_same):
    used, fresh = (CharLM(V, hidden_size=H, num_layers=2, **chosen) for _ in range(2))
    for T, B, dtype in [(5, 3, np.float64), (2, 3, np.float64), (5, 3, np.float32), (5, 2, np.float64)]:
        window(used, T=T, B=B, dtype=dtype, seed=1).results()
    replace(window(used), noise=None).results()
    assert_same(window(used).results(), window(fresh).results())


def test_what_a_pass_returns_is_the_callers_to_keep(model, window, assert_same, names):
    case = window(model)
    logits, final = case.forward()
    kept = copy.deepcopy((logits, final))
    replace(window(model, seed=1), model=case.model).results()
    assert_same(names(logits, 0, {}, final, final), names(kept[0], 0, {}, kept[1], kept[1]))


@pytest.mark.parametrize("chosen", AT_ONCE.values(), ids=AT_ONCE)
def test_a_pass_changes_nothing_that_it_is_given(chosen, window):
    model = CharLM(V, hidden_size=H, num_layers=2, **chosen)
    case, untouched = window(model), window(model)
    case.results()
    for name in ("params", "ids", "targets", "state", "starts"):
        np.testing.assert_equal(getattr(case, name), getattr(untouched, name))
    for got, given in zip(case.noise, untouched.noise, strict=True):
        np.testing.assert_equal(vars(got), vars(given))


def test_float32_is_close_to_float64(learned, window):
    exact = window(learned)
    rounded = replace(
        exact,
        params=Parameters(exact.params.shapes, exact.params.vector.astype(np.float32)),
        state=[{key: array.astype(np.float32) for key, array in layer.items()} for layer in exact.state],
        dstate=[{key: array.astype(np.float32) for key, array in layer.items()} for layer in exact.dstate],
    ).results()
    for name, expected in exact.results().items():
        assert rounded[name].dtype == np.float32 or name == "loss", name  # which is summed up in float64
        np.testing.assert_allclose(rounded[name], expected, rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("initial_state", ["zero", "learned"])
def test_a_row_that_begins_a_text_ignores_the_state_given(model, initial_state, window, assert_same):
    case = window(replace(model, initial_state=initial_state), starts=(0, 2))
    expected = case.results()
    for layer in case.state:
        for array in layer.values():
            array[[0, 2]] = np.nan
    got = case.results()
    assert_same(got, expected)
    for name in (name for name in got if name.startswith("dstate")):
        assert not got[name][[0, 2]].any()
        assert got[name][1].any()


def test_a_row_that_begins_a_text_begins_from_zero_or_from_what_was_learned(model, learned, window):
    for begin, value in ((model, lambda params, name: 0), (learned, lambda params, name: params[name])):
        case = window(begin, starts=(0, 1, 2))
        given = [
            {key: np.zeros((3, H)) + value(case.params, f"layers.{i}.{key}0") for key in layer}
            for i, layer in enumerate(case.state)
        ]
        np.testing.assert_array_equal(case.forward()[0], replace(case, state=given, starts=None).forward()[0])


@pytest.mark.parametrize("starts", [(), (1,), (0, 2), (0, 1, 2)])
def test_a_learned_state_has_gradient_from_the_rows_that_begin_a_text_alone(learned, window, starts):
    case = window(learned, starts=starts)
    # The same values, handed in as the state: its gradient then has a row for each row.
    given = copy.deepcopy(case.state)
    for i, layer in enumerate(given):
        for key in layer:
            layer[key][list(starts)] = case.params[f"layers.{i}.{key}0"]
    by_row, got = replace(case, state=given, starts=None).results(), case.results()
    for i, layer in enumerate(given):
        for key in layer:
            expected = by_row[f"dstate.{i}.{key}"][list(starts)].sum(axis=0)
            np.testing.assert_allclose(got[f"dlayers.{i}.{key}0"], expected, rtol=0, atol=TINY)
            assert got[f"dlayers.{i}.{key}0"].any() == bool(starts)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_saturated_units_give_finite_numbers_and_no_warning(architecture, window, dtype):
    case = window(CharLM(V, hidden_size=H, num_layers=2, **architecture), T=2, dtype=dtype)  # short: relu has no bounds
    case.params.vector *= 1000
    for name, array in case.results().items():
        assert np.isfinite(array).all(), name


# --- both directions ---


def reversal(causal, window):
    """The reverse half of a layer in both directions, and a layer in one direction on the text turned round."""
    both = window(CharLM(V, hidden_size=H, **causal | {"bidirectional": True}))
    both.params["head.W"][:H] = 0  # the output layer sees the reverse half alone
    one = window(CharLM(V, hidden_size=H, **causal))
    for name, array in one.params.items():
        array[...] = both.params[of_reverse(name)][-len(array) :]
    one.ids, one.targets = both.ids[::-1], both.targets[::-1]
    one.state, one.dstate = both.state[1:], both.dstate[1:]
    if both.noise:
        output, drawn = both.noise[0].output_mask, both.noise[1]
        candidate = None if drawn.candidate_mask is None else drawn.candidate_mask[::-1]
        zoneout = {name: z[::-1] for name, z in drawn.zoneout.items()}
        output = None if output is None else output[::-1, :, H:]
        one.noise = [LayerNoise(output, candidate, drawn.kept, zoneout, drawn.start)]
    of_both, expected = both.results(), one.results()
    got = {name: of_both[of_reverse(name)] for name in expected}
    return got | {"logits": got["logits"][::-1], "dhead.W": got["dhead.W"][H:]}, expected


def of_reverse(name):
    """What belongs to the reverse half, where `name` is of the layer in one direction."""
    return (
        name.replace("layers.0.", "layers.0.reverse.").replace("state.0.", "state.1.").replace("final.0.", "final.1.")
    )


def test_a_layer_reads_from_the_end_as_the_other_reads_the_text_turned_round(causal, window, assert_same):
    assert_same(*reversal(causal, window), TINY)


def test_a_reverse_that_reverses_nothing_is_noticed_here_and_by_no_gradient(window, assert_same, monkeypatch):
    monkeypatch.setattr(stack, "in_reading_order", lambda x, reverse: x)
    assert all(row.ok for row in check_model(CharLM(5, cell="gru", hidden_size=3, num_layers=2, bidirectional=True)))
    with pytest.raises(AssertionError, match="logits"):
        assert_same(*reversal({"cell": "gru"}, window), TINY)
