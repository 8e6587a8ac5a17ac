"""`charrnn train --resume`; that a run then ends as if it had never stopped is proven in tests/faults."""

from __future__ import annotations

import shlex
import shutil
import time

import pytest
from driving import in_process

# Ten windows make an epoch, so that 23 iterations cross its border twice, and 7 is nobody's multiple.
LONG = ["train.batch_size=8", "train.seq_length=32", "train.iterations=23"]
SHORT = "train.iterations=7"


def sets(*keys):
    return [word for key in keys for word in ("--set", key)]


def test_metrics_beyond_the_checkpoint_and_a_torn_line_are_written_anew(train, tmp_path, metrics):
    train("-o", "whole", *sets(*LONG)).ok()
    train("-o", "killed", *sets(*LONG, SHORT)).ok()
    with open(tmp_path / "killed" / "metrics.jsonl", "a") as file:
        file.write('{"iteration": 20, "train_nats": 1.0}\n{"iteration": 2')
    train("-o", "killed", "--resume", *sets(*LONG)).ok()
    assert [line["iteration"] for line in metrics(tmp_path / "killed")] == [5, 7, 10, 15, 20, 23]
    evaluations = [
        {line["iteration"]: line.get("val_nats") for line in metrics(tmp_path / r)} for r in ("whole", "killed")
    ]
    assert evaluations[0].items() <= evaluations[1].items()


def test_the_same_text_under_another_name_can_be_resumed(train, tmp_path, text):
    train("-o", "run").ok()
    shutil.copy(text, tmp_path / "moved.txt")
    train("-o", "run", "--resume", "--set", "train.iterations=14", source="moved.txt").ok()


@pytest.mark.parametrize("key", ["optim.learning_rate=0.5", "train.eval_every=3", "train.threads=1"])
def test_what_may_change_in_a_resumed_run_is_kept(charrnn, train, key):
    train("-o", "run").ok()
    train("-o", "run", "--resume", *sets("train.iterations=14", key)).ok()
    shown = charrnn("config", "show", "run/config.yaml").ok().text
    assert key.partition(".")[2].replace("=", ": ") in shown


def test_resume_needs_a_directory(train):
    train("--resume").fails(2, "-o RUN_DIR")


def test_resume_and_init_from_exclude_each_other(train):
    train("-o", "run", "--resume", "--init-from", "old").fails(2, "--resume", "--init-from")


def test_there_is_nothing_to_resume_where_nothing_is(train, tmp_path):
    train("-o", "nowhere", "--resume").fails(2, "nowhere is not a run directory")
    assert not (tmp_path / "nowhere").exists()


def test_there_is_nothing_to_resume_in_an_empty_directory(train, tmp_path):
    (tmp_path / "empty").mkdir()
    train("-o", "empty", "--resume").fails(4, "empty holds no checkpoint; leave out --resume to begin a run there")


def test_what_is_a_persons_own_is_left_alone_where_there_is_nothing_to_resume(train, tmp_path):
    own = tmp_path / "own" / "config.yaml"
    own.parent.mkdir()
    own.write_text("mine: true\n")
    train("-o", "own", "--resume").fails(4, "own holds no checkpoint; name the directory of a run")
    train("-o", "own").fails(2, "was written by no run")
    assert own.read_text() == "mine: true\n"
    train("-o", "own/config.yaml", "--resume").fails(2, "config.yaml is not a run directory; name the directory of")


def test_a_run_that_is_resumed_is_no_text(charrnn, train):
    train("-o", "run").ok()
    charrnn("train", "run", "-o", "run", "--resume").fails(2, "run is a run, and no text")


def test_a_run_on_stdin_is_resumed_with_the_text_given_again(charrnn, train, text):
    train("-o", "run", source="-", stdin=text.read_bytes()).ok()
    charrnn("train", "-", "-o", "run", "--resume", "--set", "train.iterations=14", stdin=text.read_bytes()).ok()


def test_a_run_on_stdin_resumed_without_its_text_asks_for_it(charrnn, train, text):
    train("-o", "run", source="-", stdin=text.read_bytes()).ok()
    words = shlex.split("train -o run --resume --set train.iterations=14")
    result = charrnn(*words)
    assert result.code in (2, 3)
    result.fails(result.code, "standard input", "'-'")
    assert "no such file" not in result.err


def test_the_other_sources_of_a_run_on_stdin_are_asked_for_too(charrnn, text, tmp_path):
    (tmp_path / "my more.txt").write_bytes(text.read_bytes())
    words = ["my more.txt", "-", "-o", "run"]
    charrnn("train", *words, "--iterations", 3, stdin=text.read_bytes()).ok()
    error = charrnn("train", "-o", "run", "--resume", "--more", 2).fails(2, "standard input").err
    again = shlex.split(error.rpartition("again: charrnn ")[2])
    assert again == ["train", *words, "--resume", "--more", "2"]
    charrnn(*again, stdin=text.read_bytes()).ok()


def test_the_clock_of_the_metrics_never_goes_back(train, tmp_path, metrics):
    train("-o", "run", *sets(*LONG, "train.iterations=20")).ok()
    train("-o", "run", "--resume", *sets(*LONG)).ok()
    elapsed = [line["elapsed_s"] for line in metrics(tmp_path / "run")]
    assert elapsed == sorted(elapsed)


def test_the_clock_of_a_time_budget_goes_on_where_it_stopped(train, tmp_path, metrics, monkeypatch):
    ticks = iter(range(10**6))
    monkeypatch.setattr(time, "monotonic", lambda: next(ticks) / 200)  # each look at the clock takes 5 ms
    train("-o", "run", "--time-budget", "1s", "--set", "train.iterations=null").ok()
    train("-o", "run", "--resume", "--time-budget", "2s", "--set", "train.iterations=null").ok()
    elapsed = [line["elapsed_s"] for line in metrics(tmp_path / "run")]
    assert elapsed == sorted(elapsed)
    assert any(0.9 < seconds < 1.1 for seconds in elapsed)
    assert 2 <= elapsed[-1] < 2.1


@pytest.mark.parametrize(("key", "helps"), [("model.hidden_size=16", False), ("optim.name=sgd", True)])
def test_old_weights_are_proposed_only_where_they_fit(train, key, helps):
    train("-o", "run").ok()
    said = train("-o", "run", "--resume", *sets("train.iterations=14", key)).fails(2, "leave it out to go on").err
    assert ("--init-from" in said) == helps


def test_what_a_complete_run_is_told_to_do_has_all_that_was_asked_of_it(train):
    train("-o", "run").ok()
    asked = ["--lr", 0.003, "--set", "train.eval_every=7", "--iterations", 10]
    told = train("-o", "run", "--resume", *asked).fails(2, "--resume --set train.eval_every=7 --lr 0.003 --more").err
    assert "--iterations" not in told


def test_a_run_that_ended_before_its_first_checkpoint_is_begun_again(charrnn, train, tmp_path):
    wrong = ["--set", "optim.name=sgd", "--lr", "1e30", "--set", "optim.clip_norm=null"]
    assert train("-o", "run", *wrong).code == 5
    for name in ("last.npz", "prev.npz", "best.npz"):
        (tmp_path / "run" / name).unlink(missing_ok=True)
    told = "run holds no checkpoint, for its run ended before the first, as it diverged: lower the rate; begin again: "
    for _ in range(2):  # asking takes nothing away
        charrnn("train", "-o", "run", "--resume").fails(4, f"{told}charrnn train TEXT -o run")
    train("-o", "run").ok()
    train("-o", "runn", "--resume").fails(2, "runn is not a run directory; did you mean: charrnn train -o run --resume")


def test_a_text_that_was_moved_is_found_where_it_is_named(charrnn, text, tmp_path):
    (tmp_path / "old.txt").write_bytes(text.read_bytes())
    charrnn("train", "old.txt", "-o", "run", "--iterations", 2).ok()
    (tmp_path / "old.txt").rename(tmp_path / "new.txt")
    again = ["-o", "run", "--resume", "--more", 1]
    gone = f"the run learnt from old.txt, which is not there, seen from {tmp_path}; give it: charrnn train PATH -o run"
    charrnn("train", *again).fails(3, gone)
    charrnn("sample", "run", "--max-copy", 5).fails(3, "learnt from old.txt, which is not there", "--text FILE")
    charrnn("train", "new.txt", *again).ok()
    charrnn("train", *again).ok()  # it knows the new name by now


def test_a_run_finds_its_text_from_another_directory(charrnn, text, tmp_path, monkeypatch):
    (tmp_path / "old.txt").write_bytes(text.read_bytes())
    charrnn("train", "old.txt", "-o", "runs/one", "--iterations", 2).ok()
    (tmp_path / "other").mkdir()
    words = {"cwd": tmp_path / "other"}
    in_process("train", "-o", "../runs/one", "--resume", "--more", 1, **words).ok()
    assert "longest copy" in in_process("sample", "../runs/one", "--max-copy", 5, **words).ok().err
    page = in_process("report", tmp_path / "runs" / "one" / "last.npz", "-o", "-", **words).ok().text
    assert "There are no baselines" not in page
    (tmp_path / "old.txt").write_text("something else")
    in_process("train", "-o", "../runs/one", "--resume", "--more", 1, **words).fails(4, "is not what this run learns")


def test_a_text_that_is_named_and_another_is_not_to_be_named_again(charrnn, train, text, tmp_path):
    train("-o", "run").ok()
    (tmp_path / "other.txt").write_text("something else")
    refused = charrnn("sample", "run", "--max-copy", 5, "--text", "other.txt")
    refused.fails(3, "other.txt is not what this run learnt from", "give that with --text")
