"""What a model writes or answers while it learns: it is shown and kept, and the run is as it would be without."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil

import numpy as np
import pytest
from interrupting import begin, differing, leave, resume, to_the_end

from charrnn.runs import checkpoint
from charrnn.runs.places import LAST, SAMPLES
from charrnn.text.documents import Documents
from charrnn.text.pairs import Pairs
from charrnn.training import watching
from charrnn.training.resuming import RESUMABLE

WORDS = [a + b + c for a in "bcdf" for b in "aei" for c in "lmn"]


def pairs(answer):
    return Pairs("pairs", 99, "a sum", [answer(word) for word in WORDS], WORDS)


EXAMPLES = {
    "classify": pairs(lambda word: "front" if word[1] in "ei" else "back"),
    "tag": Pairs("pairs", 99, "a sum", WORDS, [word.upper() for word in WORDS]),
    "transduce": Pairs("pairs", 99, "a sum", WORDS, [word[::-1] for word in WORDS]),
    "generate": Documents("pairs", 99, "a sum", WORDS, ["front" if word[1] in "ei" else "back" for word in WORDS]),
    "documents": Documents("names", 99, "a sum", WORDS),
}


def run_of(task, folder, **changes):
    """A run of a task that begins in a folder."""
    settings = {"data__documents": "lines"} if task == "documents" else {"task__name": task}
    if task == "text":
        return begin(folder, **changes)
    shares = {"data__split": [0.6, 0.4, 0.0], "train__seq_length": 8}
    return begin(folder, EXAMPLES[task], **settings, **shares, **changes)


def lines(folder):
    path = folder / SAMPLES
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


@pytest.mark.parametrize("task", ["text", *EXAMPLES])
def test_a_run_has_the_same_weights_with_samples_and_without(tmp_path, task):
    ends = [
        checkpoint.load(to_the_end(run_of(task, tmp_path / str(every), train__sample_every=every)) / LAST)
        for every in (None, 4)
    ]
    for name, array in ends[0].arrays().items():
        assert (array == ends[1].arrays()[name]).all(), name
    assert ends[0].rng.bit_generator.state == ends[1].rng.bit_generator.state
    assert lines(tmp_path / "None") == []
    assert [line["iteration"] for line in lines(tmp_path / "4")] == [4, 8, 12, 16, 20, 24, 28, 30]


def test_a_sample_is_in_the_record_and_has_the_loss_of_an_evaluation_beside_it(tmp_path):
    with contextlib.closing(begin(tmp_path / "run", train__sample_every=7, train__eval_every=14)) as run:
        records = [record for record in run.records() if record.sample is not None]
    found = lines(tmp_path / "run")
    assert [line["text"] for line in found] == [record.sample for record in records]
    assert [line["val_nats"] for line in found] == [record.val_nats for record in records]
    assert [line["val_nats"] is None for line in found] == [True, False, True, False, False]
    assert all("sample" not in record.as_dict() for record in records)
    assert all(0 < len(record.sample) <= watching.LENGTH for record in records)
    assert len({record.sample for record in records}) > 1


def test_a_run_that_is_interrupted_anywhere_has_the_same_samples_in_the_end(tmp_path):
    whole = to_the_end(begin(tmp_path / "whole", train__sample_every=4))
    for records in (4, 6, 8, 13, 14):
        leave(begin(tmp_path / "run", train__sample_every=4), records)
        end = to_the_end(resume(tmp_path / "run"))
        assert differing(end, whole) == set()
        assert lines(end) == lines(whole)
        shutil.rmtree(end)


def test_after_a_kill_samples_of_lost_iterations_are_written_anew(tmp_path):
    whole = to_the_end(begin(tmp_path / "whole", train__sample_every=4))
    leave(begin(tmp_path / "run", train__sample_every=4), 17, save=False)  # the last checkpoint is of iteration 12
    with (tmp_path / "run" / SAMPLES).open("a") as file:
        file.write('{"iteration": 16, "te')
    assert lines(to_the_end(resume(tmp_path / "run"))) == lines(whole)


@pytest.mark.parametrize("task", ["classify", "tag", "transduce"])
def test_items_are_shown_with_the_answer_and_with_the_right_one_where_it_is_another(tmp_path, task):
    with contextlib.closing(run_of(task, tmp_path / "run", train__sample_every=30)) as run:
        *_, last = run.records()
        examples = run.split.validation.pairs
    inputs, answers = (examples.second, examples.first) if task == "classify" else (examples.first, examples.second)
    right = dict(zip(inputs, answers, strict=True))
    shown = last.sample.split("\n")
    assert len(shown) == watching.ITEMS
    for line in shown:
        given, _, answered = line.partition(" -> ")
        assert answered == right[given] or answered.endswith(f" (right: {right[given]})")


def test_documents_are_a_line_each_with_the_label_that_they_were_told(tmp_path):
    with contextlib.closing(run_of("generate", tmp_path / "run", train__sample_every=30)) as run:
        *_, last = run.records()
    assert {line.partition(": ")[0] for line in last.sample.split("\n")} <= {"front", "back"}


def test_a_label_that_only_held_back_texts_have_is_none_to_write(tmp_path, monkeypatch):
    examples = Documents("a", 99, "a sum", WORDS, ["up"] * len(WORDS))
    examples = dataclasses.replace(examples, validation=Documents("b", 9, "a sum", WORDS, ["down"] * len(WORDS)))
    monkeypatch.setitem(EXAMPLES, "generate", examples)
    with contextlib.closing(run_of("generate", tmp_path / "run", train__sample_every=4)) as run:
        shown = [line for record in run.records() if record.sample for line in record.sample.split("\n")]
    assert len(shown) > 9
    assert all(line.startswith("up: ") for line in shown)


def test_weights_that_have_exploded_write_nothing(tmp_path):
    with contextlib.closing(begin(tmp_path / "run", train__sample_every=4)) as trainer:
        for bad in (np.nan, np.inf, 1e30):
            trainer.run.params.vector[3] = bad
            assert watching.sample(trainer.run, trainer.split) is None


def test_how_often_samples_are_written_may_change_in_a_resumed_run():
    assert "train.sample_every" in RESUMABLE
