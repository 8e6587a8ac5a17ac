"""`charrnn gradcheck`: a row for every parameter, and a verdict that can be no."""

from __future__ import annotations

import pytest

from charrnn.judging.gradcheck import ORACLES, textbook
from charrnn.judging.gradcheck.check import RTOL
from charrnn.nn import cells
from charrnn.nn.cells import CELLS
from charrnn.nn.model import CharLM
from charrnn.tasks import TASKS

STATES = ("zero", "random", "learned")


def rows_of(cell, **options):
    model = CharLM(6, cell=cell, hidden_size=4, **options)
    state = [f"state.{i}.{name}" for i, layer in enumerate(model.zero_state(3)) for name in layer]
    return [*model.shapes, *state]


@pytest.mark.parametrize("cell", CELLS)
def test_the_table_has_a_row_for_every_parameter_and_state(charrnn, cell):
    title, head, *rows, empty, verdict = charrnn("gradcheck", "--cell", cell).ok().text.splitlines()
    assert title.startswith(cell)
    assert head.split()[:4] == ["parameter", "shape", "checked", "error"]
    assert [row.split()[0] for row in rows] == rows_of(cell)
    assert all(row.endswith(" ok") for row in rows)
    assert empty == ""
    assert verdict.endswith("all ok")


def test_without_a_source_the_default_architecture_is_checked(charrnn):
    checks = charrnn("gradcheck", "--json").ok().json["checks"]
    assert [(check["cell"], check["num_layers"]) for check in checks] == [("lstm", 1)]


@pytest.mark.parametrize("oracle", ORACLES)
@pytest.mark.parametrize("cell", CELLS)
def test_json_says_the_same(charrnn, cell, oracle):
    report = charrnn("gradcheck", "--cell", cell, "--oracle", oracle, "--json").ok().json
    (check,) = report["checks"]
    assert report["ok"] is True
    assert report["oracle"] == oracle
    assert report["worst_error"] == max(row["error"] for row in check["rows"])
    assert 0 < report["worst_error"] < (RTOL if oracle == "finite-difference" else 1e-10)
    assert [row["name"] for row in check["rows"]] == ["loss"] * (oracle == "textbook") + rows_of(cell)


def test_several_cells_can_be_named(charrnn):
    words = [word for cell in CELLS for word in ("--cell", cell)]
    assert [check["cell"] for check in charrnn("gradcheck", *words, "--json").ok().json["checks"]] == list(CELLS)


def test_all_means_every_cell_with_every_depth_and_initial_state(charrnn):
    result = charrnn("gradcheck", "--all", "--task", "language_model", "--json")
    checks = [check for check in result.json["checks"] if len(check) == 7]  # with nothing that is not always named
    seen = {(check["cell"], check["num_layers"], check["initial_state"]) for check in checks}
    assert seen == {(cell, layers, state) for cell in CELLS for layers in (1, 2) for state in STATES}
    assert {check["activation"] for check in checks if check["cell"] == "rnn"} == set(cells.ACTIVATIONS)
    rows = [row for check in result.json["checks"] for row in check["rows"]]
    assert [row for row in rows if not row["ok"]] == []
    assert result.json["worst_error"] == max(row["error"] for row in rows) <= RTOL
    result.ok()


def test_all_means_every_regularizer_and_direction_for_the_cells_that_take_it(charrnn):
    words = [word for cell in ("rnn", "gru", "lstm") for word in ("--cell", cell)]
    checks = charrnn("gradcheck", "--all", "--task", "language_model", *words, "--json").ok().json["checks"]
    missing = {"recurrent_dropout": {"rnn"}, "zoneout_c": {"rnn", "gru"}, "layer_norm": {"gru"}}
    for key in (
        "dropout_per",
        "recurrent_dropout",
        "zoneout_h",
        "zoneout_c",
        "layer_norm",
        "bidirectional",
        "embedding_size",
    ):
        assert {check["cell"] for check in checks if key in check} == {"rnn", "gru", "lstm"} - missing.get(key, set())


def test_the_architecture_of_a_config_is_checked(charrnn, tmp_path):
    (tmp_path / "deep.yaml").write_text("model: {cell: gru, num_layers: 2, initial_state: learned, dropout: 0.2}\n")
    (check,) = charrnn("gradcheck", "deep.yaml", "--json").ok().json["checks"]
    assert (check["cell"], check["dropout"]) == ("gru", 0.2)
    assert [row["name"] for row in check["rows"]] == rows_of("gru", num_layers=2, initial_state="learned")


@pytest.mark.parametrize("which", ["", "best.npz"])
def test_the_architecture_of_a_run_is_checked(charrnn, trained, which):
    (check,) = charrnn("gradcheck", trained / which, "--json").ok().json["checks"]
    assert check["cell"] == "lstm"


def forget_the_state_gradient(self, params, tape, t, dstate):
    self.honest_step_backward(params, tape, t, dstate)
    dstate["h"] *= 0.999


def drop_the_first_step(self, params, tape, t, dstate):
    self.honest_step_backward(params, tape, t, dstate)
    if t == 0:
        tape.da[t] = 0


def not_a_number(self, params, tape, t, dstate):
    self.honest_step_backward(params, tape, t, dstate)
    dstate["h"][0, 0] = float("nan")


@pytest.mark.parametrize("bug", [forget_the_state_gradient, drop_the_first_step, not_a_number])
@pytest.mark.parametrize("cell", CELLS)
def test_a_planted_bug_fails_the_check(charrnn, monkeypatch, cell, bug):
    kind = type(cells.build(cell))
    monkeypatch.setattr(kind, "honest_step_backward", kind.step_backward, raising=False)
    monkeypatch.setattr(kind, "step_backward", bug)
    result = charrnn("gradcheck", "--cell", cell)
    assert result.code == 1
    assert "bug in charrnn" not in result.err
    failed = [line.split()[0] for line in result.text.splitlines() if line.endswith(" FAIL")]
    assert "layers.0.W" in failed
    assert "head.W" not in failed
    assert result.text.splitlines()[-1].endswith(f"{len(failed)} FAILED")


@pytest.mark.parametrize("bug", [drop_the_first_step, not_a_number])
def test_a_planted_bug_shows_in_json_too(charrnn, monkeypatch, bug):
    kind = type(cells.build("lstm"))
    monkeypatch.setattr(kind, "honest_step_backward", kind.step_backward, raising=False)
    monkeypatch.setattr(kind, "step_backward", bug)
    result = charrnn("gradcheck", "--json")
    assert result.code == 1
    assert result.json["ok"] is False
    assert {row["name"] for row in result.json["checks"][0]["rows"] if not row["ok"]} >= {"layers.0.W"}


@pytest.mark.parametrize(("words", "part"), [(["--cell", "lstn"], "lstn"), (["--oracle", "delphi"], "delphi")])
def test_unknown_cells_and_oracles_are_named(charrnn, words, part):
    charrnn("gradcheck", *words).fails(2, part)


@pytest.mark.parametrize(("oracle", "most"), [("complex-step", 1e-12), ("rtrl", 1e-9), ("textbook", 1e-11)])
def test_the_exact_oracles_judge_every_cell_closely(charrnn, oracle, most):
    report = charrnn("gradcheck", "--all", "--task", "language_model", "--oracle", oracle, "--json").ok().json
    assert {check["cell"] for check in report["checks"]} == set(CELLS)
    assert report["worst_error"] < most
    every = {(check["cell"], check["activation"]) for check in report["checks"]}
    declined = {"rtrl": "bidirectional", "textbook": "embedding_size"}.get(oracle)
    left_out = [(check["cell"], check["activation"]) for check in report["left_out"] if declined in check]
    assert len(left_out) == len(report["left_out"])
    assert sorted(left_out) == (sorted(every) if declined else [])


def test_real_time_recurrent_learning_declines_what_reads_both_ways(charrnn, tmp_path):
    (tmp_path / "both.yaml").write_text("model: {bidirectional: true}\n")
    charrnn("gradcheck", "both.yaml").ok()
    charrnn("gradcheck", "both.yaml", "--oracle", "rtrl").fails(2, "forward", "--oracle")


def test_what_an_oracle_declines_of_all_is_counted_with_the_reason(charrnn):
    words = ["gradcheck", "--all", "--task", "language_model", "--cell", "mgu"]
    *_, left_out, verdict = charrnn(*words, "--oracle", "rtrl").ok().text.splitlines()
    assert left_out == "1 left out: real-time recurrent learning is for models that read forward"
    assert verdict.endswith("all ok")
    assert "left out" not in charrnn(*words, "--oracle", "complex-step").ok().text


def test_all_means_what_is_each_tasks_own_too(charrnn):
    report = charrnn("gradcheck", "--all", "--cell", "mgu", "--oracle", "complex-step", "--json").ok().json
    for task in TASKS:
        of_task = [check for check in report["checks"] if check["task"] == task]
        assert any("embedding_size" in check for check in of_task)
        both = {bool(check["bidirectional"]) for check in of_task if "bidirectional" in check}
        assert both == ({False} if task == "generate" else {True} if task == "language_model" else {False, True})
    chosen = {
        task: {
            (check.get("context", "attention"), check.get("attention", "dot"), check.get("pooling", "last"))
            for check in report["checks"]
            if check["task"] == task
        }
        for task in TASKS
    }
    poolings = ("last", "mean", "max")
    assert chosen["classify"] == {("attention", "dot", pooling) for pooling in poolings}
    assert chosen["transduce"] == {("last", "dot", "last")} | {
        (context, score, pooling)
        for context, score in (("affine", "dot"), ("attention", "dot"), ("attention", "additive"))
        for pooling in poolings
    }


@pytest.mark.parametrize("task", ["classify", "generate", "tag", "transduce"])
def test_a_network_of_each_task_is_right(charrnn, task):
    report = charrnn("gradcheck", "--task", task, "--json").ok().json
    assert [check["task"] for check in report["checks"]] == [task]
    assert report["worst_error"] < RTOL


@pytest.mark.parametrize(
    ("task", "key"),
    [("language_model", "pooling=mean"), ("classify", "context=last"), ("tag", "attention=additive")],
)
def test_a_key_that_a_network_does_not_read_is_refused(charrnn, task, key):
    said = f"model.{key.partition('=')[0]}: nothing in the network of this task reads it; leave it out"
    charrnn("gradcheck", "--task", task, "--set", f"model.{key}").fails(2, said)


def test_what_only_another_choice_would_read_is_refused(charrnn):
    words = ["--task", "transduce", "--set", "model.context=affine", "--set", "model.attention=additive"]
    charrnn("gradcheck", *words).fails(2, "attention additive is for context attention")


def test_what_the_textbook_does_not_know_is_an_error_of_one_line(charrnn, monkeypatch, tmp_path):
    monkeypatch.setitem(textbook.KNOWN, "initial_state", ("zero",))
    result = charrnn("gradcheck", "--oracle", "textbook", "--cell", "gru").ok()
    assert "against textbook" in result.text
    (tmp_path / "learned.yaml").write_text("model: {initial_state: learned}\n")
    message = "the textbook does not know initial_state 'learned'; choose another --oracle"
    charrnn("gradcheck", "learned.yaml", "--oracle", "textbook").fails(2, message)


@pytest.mark.parametrize(("name", "code"), [("nowhere.yaml", 2), ("nowhere.npz", 4), ("nowhere", 2), ("lstmm", 2)])
def test_a_source_that_is_not_there_is_named(charrnn, name, code):
    charrnn("gradcheck", name).fails(code, name)


def test_a_key_of_the_network_can_be_set(charrnn, trained):
    words = ["--set", "model.num_layers=2", "--set", "model.initial_state=learned", "--json"]
    for source in ([], [trained]):
        (check,) = charrnn("gradcheck", *source, *words).ok().json["checks"]
        assert [row["name"] for row in check["rows"]] == rows_of("lstm", num_layers=2, initial_state="learned")
    words = ["--set", "model.cell=rnn", "--set", "model.activation=relu", "--json"]
    (check,) = charrnn("gradcheck", *words).ok().json["checks"]
    assert (check["cell"], check["activation"]) == ("rnn", "relu")


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--set", "train.epochs=3"], "--set train.epochs"),
        (["--set", "model.hiden_size=3"], "model.hidden_size"),
        (["--set", "model.cell=gru_reset_before", "--set", "model.layer_norm=true"], "layer_norm"),
        (["--all", "--set", "model.cell=rnn"], "leave out --set"),
        (["--task", "chess"], "language_model"),
    ],
    ids=lambda words: words[-1],
)
def test_what_changes_no_gradient_or_is_no_network_is_an_error(charrnn, words, part):
    charrnn("gradcheck", *words).fails(2, part)


def test_the_task_is_named(charrnn):
    report = charrnn("gradcheck", "--task", "language_model", "--json").ok().json
    assert [check["task"] for check in report["checks"]] == ["language_model"]
    assert charrnn("gradcheck").ok().text.startswith("lstm of language_model, 1 layer, ")


def test_what_the_check_has_values_of_its_own_for_is_told(charrnn):
    said = charrnn("gradcheck", "--cell", "rnn", "--set", "model.hidden_size=64").ok().err
    assert said == (
        "--set model.hidden_size=64: the network is built small, with weights of its own; model.hidden_size is not "
        "looked at\n"
    )
    assert not charrnn("gradcheck", "--cell", "rnn").ok().err
    said = charrnn("gradcheck", "--cell", "gru", "--set", "model.init=torch").ok().err  # which has defaults of its own
    assert "forget_bias" not in said
