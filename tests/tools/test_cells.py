"""What `make results ROW=cells` runs, chooses, keeps and finds. How good a cell is, no test says."""

from __future__ import annotations

import json
import math
import sys
from xml.etree import ElementTree

import pytest
from pictures import plot
from results import cell_findings, cell_rows, cell_runs, cells

from charrnn.config.resolve import Setting, resolve
from charrnn.tasks.language_model import LanguageModel
from charrnn.text.vocabulary import Vocabulary

SVG = "{http://www.w3.org/2000/svg}"
JOB = cell_runs.Job("prose", "harbour", "lstm", 0.01, 1, 0.02, 300)


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Runs the command in a folder of its own, and returns what it printed."""

    def run(*given):
        places = ["--rows", tmp_path / "cells.tsv", "--picture", tmp_path / "cells.svg", "--at-once", 1]
        small = ["--texts", "prose=harbour", "--entries", "lstm", "gru", "--seconds", 0.02, "--parameters", 300]
        monkeypatch.setattr(sys, "argv", ["cells.py", *map(str, [*places, *small, *given])])
        cells.main()
        return capsys.readouterr().out

    return run


@pytest.mark.parametrize("entry", cell_runs.ENTRIES)
def test_no_other_number_of_units_is_nearer_to_the_parameters(entry):
    config, _ = resolve([Setting(key, value, "here") for key, value in cell_runs.ENTRIES[entry].items()])
    task = LanguageModel(Vocabulary("abcdefghij"))

    def distance(units):
        wider = resolve([*cell_runs.settings(JOB._replace(entry=entry)), Setting("model.hidden_size", units, "here")])
        return abs(task.model(wider[0].model).num_parameters - 5000)

    units = cell_runs.hidden_size_for(task, config, 5000)
    assert distance(units) == min(map(distance, range(max(1, units - 2), units + 3)))


def test_every_registered_cell_is_compared():
    from charrnn.nn.cells import CELLS

    assert {values["model.cell"] for values in cell_runs.ENTRIES.values()} == set(CELLS)
    configs = {entry: resolve(cell_runs.settings(JOB._replace(entry=entry)))[0] for entry in cell_runs.ENTRIES}
    assert configs[cell_runs.NO_FORGET_BIAS].model.forget_bias == 0 < configs["lstm"].model.forget_bias


def test_a_run_learns_for_its_seconds_and_is_judged_on_both_parts():
    found = cells.do(JOB._replace(seconds=0.2))  # in a process of its own
    assert found["iterations"] > 0
    assert found["chars_per_s"] > 0
    assert 1 < found["test"] < math.log(66) + 0.1
    assert found["validation"] != found["test"]


def test_what_diverges_has_an_infinite_loss(tmp_path):
    found = cell_runs.run(JOB._replace(entry="lstm_noaf", rate=1e30, seconds=5.0))
    assert found["test"] == found["validation"] == math.inf
    rows = cell_rows.Rows(tmp_path / "t.tsv")
    rows.add(JOB, "0" * 64, found)
    assert cell_rows.Rows(tmp_path / "t.tsv").find(JOB, "0" * 64)["test"] == math.inf


def test_a_cell_has_the_rate_that_validation_prefers_and_not_the_test(command, monkeypatch):
    def do(job):
        worse = abs(math.log(job.rate / (0.01 if job.entry == "gru" else 0.003)))
        facts = {"hidden_size": 3, "num_parameters": 301, "iterations": 5, "passes": 1.0, "chars_per_s": 1000.0}
        return facts | {"validation": 2 + worse, "test": 2 - worse + job.seed / 100}

    monkeypatch.setattr(cells, "do", do)
    lines = command("--rates", 0.003, 0.01, "--seeds", 3).splitlines()
    assert "| `gru` | 3 | 301 | 0.01 | 1,000 | 1.0 | 2.020 | 2.010 to 2.030 |" in lines
    assert "| `lstm` | 3 | 301 | 0.003 | 1,000 | 1.0 | 2.020 | 2.010 to 2.030 |" in lines


def test_what_was_run_is_not_run_again(command, monkeypatch, tmp_path):
    monkeypatch.setattr(cells, "do", cell_runs.run)
    first = command("--rates", 0.01, 0.02, "--seeds", 1)
    rows = (tmp_path / "cells.tsv").read_text()
    assert len(rows.splitlines()) == 1 + 4

    done = []
    monkeypatch.setattr(cells, "do", lambda job: (done.append(job), cell_runs.run(job))[1])
    assert command("--rates", 0.01, 0.02, "--seeds", 1) == first
    assert not done
    command("--rates", 0.01, 0.02, "--seeds", 2)
    assert [(job.entry, job.seed) for job in done] == [("lstm", 2), ("gru", 2)]
    assert (tmp_path / "cells.tsv").read_text().startswith(rows)


def test_rows_of_another_text_or_time_are_others(tmp_path):
    rows = cell_rows.Rows(tmp_path / "t.tsv")
    rows.add(JOB, "a" * 64, cell_runs.run(JOB))
    assert rows.find(JOB, "a" * 64)
    assert not rows.find(JOB, "b" * 64)
    assert not rows.find(JOB._replace(seconds=0.03), "a" * 64)


def test_counts_of_a_million_and_more_come_back_in_full(tmp_path):
    facts = {"hidden_size": 512, "num_parameters": 1_234_567, "iterations": 2_345_678, "passes": 1.0}
    facts |= {"chars_per_s": 1000.0, "validation": 2.0, "test": 2.0}
    row = cell_rows.Rows(tmp_path / "t.tsv").add(JOB, "a" * 64, facts)
    assert (row["num_parameters"], row["iterations"]) == (1_234_567, 2_345_678)


def test_a_text_without_a_name_is_asked_for(command):
    with pytest.raises(SystemExit, match="--texts: write NAME=TEXT"):
        command("--texts", "novel.txt")
    with pytest.raises(SystemExit, match=r"novel\.txt"):
        command("--texts", "prose=novel.txt")


LOSSES = {entry: [2.0, 2.01, 1.99] for entry in cell_runs.ENTRIES} | {
    "lstm_nfg": [2.4, 2.41, 2.39],
    "lstm_noaf": [2.3, 2.31, 2.29],
    "lstm_nig": [2.2, 2.21, 2.19],
    "rnn": [2.5, 2.51, 2.49],
}


def answers(losses):
    """Each claim's words, and whether it holds."""
    table = cell_findings.Table(losses)
    return {claim.words: claim.ask(table).yes for claim in cell_findings.CLAIMS}


def test_what_others_found_is_found_where_the_figures_say_so():
    found = answers(LOSSES)
    helps, gru = (
        next(words for words in found if part in words) for part in ("begins open helps", "the GRU is better")
    )
    assert [words for words, yes in found.items() if not yes] == [helps, gru]


@pytest.mark.parametrize(
    ("words", "entry", "loss"),
    [
        ("no variant is better", "lstm_cifg", 1.9),
        ("matter most", "lstm_nig", 2.6),
        ("cost nothing", "lstm_cifg", 2.1),
        ("peepholes can be left", "lstm_peephole", 1.9),
        ("gain nothing", "lstm_fgr", 1.9),
        ("then i, least without o", "lstm_nog", 2.3),
        ("not worse than a GRU", "gru", 1.9),
        ("the plain network is worse", "rnn", 2.0),
    ],
)
def test_a_claim_does_not_hold_against_the_figures(words, entry, loss):
    changed = answers(LOSSES | {entry: [loss, loss + 0.01, loss - 0.01]})
    (before,), (after,) = ([yes for w, yes in found.items() if words in w] for found in (answers(LOSSES), changed))
    assert before
    assert not after


@pytest.mark.parametrize(("loss", "counts"), [(2.015, False), (2.018, True)])
def test_a_difference_counts_from_two_standard_errors(loss, counts):
    # Standard deviation 0.01, three seeds each: 2 * 0.01 * sqrt(2 / 3) = 0.0163.
    table = cell_findings.Table({"lstm": [2.0, 2.01, 1.99], "gru": [loss, loss + 0.01, loss - 0.01]})
    assert table.worse("gru", "lstm") is counts


def test_what_diverged_is_worse_and_no_part_of_the_spread():
    table = cell_findings.Table(LOSSES | {"lstm_noaf": [math.inf, 2.0, 2.0]})
    assert table.worse("lstm_noaf", "lstm")
    assert table.deviation == pytest.approx(0.01)


def test_findings_have_a_verdict_for_each_text_and_need_two_seeds():
    lines = list(cell_findings.lines({"prose": LOSSES, "sources": LOSSES | {"rnn": [2.0, 2.01, 1.99]}}))
    assert lines[-1].startswith(
        "- Jozefowicz et al.: the plain network is worse than the LSTM: yes on prose (rnn 2.500, "
    )
    assert "; no on sources (rnn 2.000, lstm 2.000: +0.000 ± 0.016)" in lines[-1]
    (line,) = cell_findings.lines({"prose": {entry: [2.0] for entry in LOSSES}})
    assert "two seeds" in line


def test_the_picture_has_a_dot_for_each_seed_that_did_not_diverge():
    panels = [plot.Panel("prose", {"a": [1.0, 2.0], "b": [3.0, math.inf]}), plot.Panel("sources", {"a": [1.0]})]
    root = ElementTree.fromstring(plot.dots(panels, ["a", "b"], "<title>", "nats", beside="a"))
    dots = [float(dot.get("cx")) for dot in root.iter(f"{SVG}circle")]
    assert len(dots) == 4
    assert dots[0] < dots[1] < dots[2] < dots[3]
    assert [text.text for text in root.iter(f"{SVG}text")].count("diverged") == 1


def test_a_job_survives_its_way_to_another_process():
    assert cell_runs.Job(*json.loads(json.dumps(JOB))) == JOB
