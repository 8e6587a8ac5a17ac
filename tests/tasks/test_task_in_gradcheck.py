"""The gradients of a task that the package has never heard of, under every oracle."""

from __future__ import annotations

import pytest
from driving import ERROR
from parity_runs import words

from charrnn.judging.gradcheck import ORACLES


@pytest.mark.parametrize(("oracle", "most"), [("finite-difference", 1e-6), *((o, 1e-11) for o in list(ORACLES)[1:])])
def test_its_network_and_padded_batches_have_exact_gradients(process, oracle, most):
    report = process("gradcheck", "--task", "parity", "--oracle", oracle, "--json").ok().json
    (check,) = report["checks"]
    assert (check["task"], check["cell"]) == ("parity", "lstm")
    assert {row["name"] for row in check["rows"]} - {"loss"} == {"layers.0.W", "layers.0.b", "head.W", "head.b"}
    assert 0 < report["worst_error"] < most


def test_all_means_every_task_and_what_its_network_cannot_be_is_left_out(process):
    cells = {"rnn", "gru"}
    words = [word for cell in sorted(cells) for word in ("--cell", cell)]
    report = process("gradcheck", "--all", *words, "--oracle", "complex-step", "--json").ok().json
    for task in ("language_model", "parity"):
        assert {check["cell"] for check in report["checks"] if check["task"] == task} == cells
    assert {one["reason"] for one in report["left_out"] if one["task"] == "parity"} == {
        "model.bidirectional: what reads from the end reads the padding first; set it to false"
    }


def test_a_run_is_checked_as_what_its_task_is(process, tmp_path):
    process(*words(train__iterations=5), "-q").ok()
    assert process("gradcheck", "run").ok().text.startswith("gru of parity, 1 layer")


def test_a_network_that_the_task_refuses_is_an_error_of_one_line(process):
    result = process("gradcheck", "--task", "parity", "--set", "model.bidirectional=true")
    assert result.code == 2
    assert ERROR.fullmatch(result.err.rstrip())
    assert "model.bidirectional" in result.err
