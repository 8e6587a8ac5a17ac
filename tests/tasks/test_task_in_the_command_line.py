"""A task that the package has never heard of, in each command that a user types."""

from __future__ import annotations

import json

import pytest
from driving import in_process
from interrupting import differing
from parity_runs import words

from charrnn.runs.checkpoint import load
from charrnn.runs.places import BEST, LAST

MORE = "train.iterations=120"


def test_it_learns_and_its_best_is_the_best_by_its_own_measure(learn, metrics):
    run = learn()
    scored = [line for line in metrics(run) if "val_accuracy" in line]
    assert len(scored) == 12
    assert all(0 < line["val_nats"] < 2 for line in scored)
    most_accurate = max(scored, key=lambda line: line["val_accuracy"])  # the first of them
    assert most_accurate["val_accuracy"] > 0.9 > 0.65 > scored[0]["val_accuracy"]
    assert most_accurate != min(scored, key=lambda line: line["val_nats"])
    best = load(run / BEST)
    assert best.iteration == most_accurate["iteration"]
    assert best.best == best.scores["accuracy"] == most_accurate["val_accuracy"]


def test_symbols_are_counted_without_the_padding(learn, metrics, strings):
    bits = sum(map(len, strings[:228]))  # of the training part, all of which an epoch reads
    counted = {line["iteration"]: line["chars"] for line in metrics(learn(train__iterations=24))}
    assert counted[24] == 2 * bits
    assert 10 * 20 < counted[10] < bits


def test_what_is_said_on_the_way_is_of_the_task(charrnn, parity, process):
    said = charrnn(*words()).ok().err
    assert "228 strings of bits to learn from" in said
    assert "  accuracy 1.0000 *\n" in said
    assert (
        "best validation accuracy: 1.0000, at iteration 60 of 120\nsee what it has learnt: charrnn info run\n" in said
    )


def test_info_knows_its_facts_and_scores(charrnn, learn):
    best = load(learn())
    facts = charrnn("info", "run", "--json").ok().json
    assert (facts["task"], facts["answers"], facts["corpus"]) == ("parity", ["even", "odd"], "bits.txt")
    assert facts["validation_accuracy"] == facts["best_accuracy"] == best.best
    assert facts["validation_nats"] == best.scores["nats"]


def test_a_complete_run_given_more_is_the_run_that_had_it_at_first(charrnn, learn, tmp_path):
    whole = learn("whole")
    learn("run", train__iterations=50)
    charrnn("train", "-o", "run", "--resume", "--set", MORE).ok()
    assert differing(tmp_path / "run", whole) == set()


def test_other_strings_are_not_those_of_the_run(charrnn, learn, tmp_path):
    learn(train__iterations=20)
    with open(tmp_path / "bits.txt", "a") as file:
        file.write("1\n")
    charrnn("train", "-o", "run", "--resume", "--set", MORE).fails(4, "bits.txt")


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("01\n1O1\n", "bits.txt:2: '1O1' is no string of bits"),
        ("01\n\n10\n", "bits.txt:2: '' is no string of bits"),
        ("01\n11\n" + "1" * 9 + "\n", "bits.txt:3: 9 bits; set train.seq_length"),
        ("11\n0\n" * 9, "all strings have the same parity"),
        ("1\n0\n", "too few strings"),
        ("", "bits.txt is empty"),
    ],
)
def test_what_is_wrong_with_its_data_is_told_with_the_place(charrnn, parity, tmp_path, text, wrong):
    (tmp_path / "bits.txt").write_text(text)
    charrnn(*words()).fails(3, wrong)
    assert not (tmp_path / "run").exists()


def test_a_batch_that_diverged_is_told_with_its_strings(charrnn, parity, tmp_path, strings):
    charrnn(*words(optim__learning_rate=1e30), "-q").fails(5, "diverged.json")
    told = json.loads((tmp_path / "run" / "diverged.json").read_text())
    assert len(told["rows"]) == 8
    assert {row["string"] for row in told["rows"]} <= set(strings)


def test_a_run_can_begin_with_the_weights_of_another(charrnn, learn, tmp_path):
    old = load(learn("old") / LAST)
    charrnn(
        *words("new", train__iterations=1, optim__learning_rate=1e-12, train__seed=4), "--init-from", "old/last.npz"
    ).ok()
    new = load(tmp_path / "new" / LAST)
    assert (new.iteration, new.params.vector.size) == (1, old.params.vector.size)
    assert abs(new.params.vector - old.params.vector).max() < 1e-9


@pytest.mark.parametrize("command", [["sample"], ["gradflow"]], ids=lambda words: words[0])
def test_what_is_for_language_models_says_so(charrnn, learn, command):
    learn(train__iterations=20)
    charrnn(command[0], "run", *command[1:]).fails(2, "language models")


def test_eval_knows_its_scores_and_what_its_baseline_reaches(charrnn, learn):
    best = load(learn())
    report = charrnn("eval", "run", "bits.txt", "--split", "validation", "--json").ok().json
    assert (report["strings"], report["accuracy"]) == (57, best.scores["accuracy"])
    always_odd = report["baselines"]["always_odd"]["accuracy"]
    assert 0.2 < always_odd < 0.8
    assert charrnn("eval", "run", "bits.txt", "--split", "validation").ok().text.splitlines() == [
        f"{report['accuracy']:.4f} of the strings are right",
        f"{report['nats']:.4f} nats per string",
        "over 57 strings of bits.txt",
        f"baseline, always odd: accuracy {always_odd:.4f}",
    ]
    assert charrnn("eval", "run", "bits.txt", "--json").ok().json["strings"] == 285


@pytest.mark.parametrize("option", ["--beam=2", "--heat=a.html", "--confusion=a.html", "--lines", "--surprising=3"])
def test_what_its_eval_has_no_use_for_is_one_line(charrnn, learn, option):
    learn(train__iterations=20)
    said = f"{option.partition('=')[0]} is not for a run of the task parity; leave it out"
    charrnn("eval", "run", "bits.txt", option).fails(2, said)
    charrnn("eval", "run", "bits.txt", "bits.txt").fails(2, "more than one text is not for a run of the task parity")


def test_predict_names_the_command_that_is_meant(charrnn, learn):
    learn(train__iterations=20)
    charrnn("predict", "run").fails(2, "parity", "see what it has learnt: charrnn info run")


def test_a_configuration_that_the_network_of_the_task_cannot_have_is_refused(charrnn, parity):
    charrnn(*words(model__bidirectional="true")).fails(2, "model.bidirectional")


@pytest.mark.parametrize("command", [["info", "run"], ["train", "-o", "run", "--resume"]], ids=lambda words: words[0])
def test_where_the_task_is_not_known_its_runs_are_left_alone(process, tmp_path, command):
    process(*words(train__iterations=20), "-q").ok()
    before = {path: path.read_bytes() for path in (tmp_path / "run").glob("*.npz")}
    refused = in_process(*command, cwd=tmp_path)
    refused.fails(4, "run/", "has learnt the task 'parity'", "knows language_model, classify, ", ": update")
    assert {path: path.read_bytes() for path in before} == before
