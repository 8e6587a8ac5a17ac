"""`charrnn eval` on runs of tasks over pairs: their scores, what baselines reach, and the page of confusions."""

from __future__ import annotations

import numpy as np
import pytest
from task_runs import ITEMS, words, written

from charrnn.judging import scores
from charrnn.runs.checkpoint import load, to_bytes

TASKS = ["classify", "tag", "transduce"]
KEYS = {
    "classify": ["accuracy", "macro_f1", "mcc", "nats", "items", "labels", "confusion"],
    "tag": ["accuracy", "item_accuracy", "nats", "items", "characters"],
    "transduce": ["exact_match", "edit_rate", "nats_per_char", "items"],
}
BASELINES = {
    "classify": ["most_frequent", "n_grams"],
    "tag": ["most_frequent_tag"],
    "transduce": ["copy_of_the_source"],
}


@pytest.mark.parametrize("task", TASKS)
def test_json_has_the_promised_keys(charrnn, taught, pairs, task):
    result = charrnn("eval", taught(task), pairs(task), "--json").ok()
    assert list(result.json) == KEYS[task]
    assert not result.err


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_a_part_of_the_run_has_what_baselines_reach_beside_it(charrnn, taught, pairs, task, part):
    report = charrnn("eval", taught(task), pairs(task), "--split", part, "--json").ok().json
    assert list(report) == [*KEYS[task], "baselines"]
    assert list(report["baselines"]) == BASELINES[task]
    for reached in report["baselines"].values():
        assert set(reached) < set(KEYS[task])
        assert all(isinstance(score, float) for score in reached.values())


@pytest.mark.parametrize("task", TASKS)
def test_the_validation_part_scores_what_training_said(charrnn, taught, pairs, task):
    best = load(taught(task))
    report = charrnn("eval", taught(task), pairs(task), "--split", "validation", "--json").ok().json
    measure = best.task.measure
    assert report[measure] == best.scores[measure]
    nats = report["nats_per_char" if task == "transduce" else "nats"]
    assert nats == pytest.approx(best.scores["nats"], rel=1e-6)


@pytest.mark.parametrize("task", TASKS)
def test_the_table_shows_the_same_numbers_in_words(charrnn, taught, pairs, task):
    report = charrnn("eval", taught(task), pairs(task), "--split", "test", "--json").ok().json
    shown = charrnn("eval", taught(task), pairs(task), "--split", "test").ok().text.splitlines()
    kind = load(taught(task)).task
    numbers = len(kind.in_words)
    assert [line.split()[0] for line in shown[:numbers]] == [f"{report[name]:.4f}" for name in kind.in_words]
    assert shown[numbers].startswith(f"over {report['items']} ")
    assert len(shown) == numbers + 1 + len(BASELINES[task])
    assert all(line.startswith("baseline, ") for line in shown[numbers + 1 :])


def test_baselines_count_in_the_training_part_and_are_judged_on_the_other(charrnn, tmp_path):
    train = [("common", "a")] * 9 + [("rare", "b")] * 6
    test = [("common", "c"), ("rare", "bb"), ("rare", "bbb")]
    (tmp_path / "train.tsv").write_text(written(train))
    (tmp_path / "test.tsv").write_text(written(test))
    changes = {"data__test": "test.tsv", "data__split": [1, 0, 0], "train__iterations": 3}
    charrnn("train", "train.tsv", "-q", "-o", "run", *words("classify", **changes)).ok()
    report = charrnn("eval", "run", "train.tsv", "--split", "test", "--json").ok().json
    assert report["items"] == 3
    assert report["baselines"]["most_frequent"]["accuracy"] == pytest.approx(1 / 3)
    assert report["baselines"]["n_grams"]["accuracy"] >= 2 / 3
    (tmp_path / "test.tsv").unlink()
    assert charrnn("eval", "run", "train.tsv", "--json").ok().json["items"] == 15
    charrnn("eval", "run", "train.tsv", "--split", "test").fails(3, "test.tsv")


def test_the_scores_are_those_of_the_confusion(charrnn, taught, pairs):
    report = charrnn("eval", taught("classify"), pairs("classify"), "--json").ok().json
    table = np.array(report["confusion"])
    assert table.sum() == report["items"] == len(ITEMS["classify"])
    assert report["accuracy"] == pytest.approx(np.trace(table) / table.sum())
    assert (report["macro_f1"], report["mcc"]) == (scores.macro_f1(table), scores.mcc(table))
    assert report["accuracy"] > 0.9


def test_any_of_the_targets_of_a_source_is_right(charrnn, taught, tmp_path):
    found = charrnn("predict", taught("transduce"), stdin=b"ab\n").ok().text.rstrip("\n")
    (tmp_path / "several.tsv").write_text(written([("ab", "ccccc"), ("ab", found), ("ab", "c")]))
    report = charrnn("eval", taught("transduce"), "several.tsv", "--json").ok().json
    assert (report["items"], report["exact_match"], report["edit_rate"]) == (1, 1.0, 0.0)


def test_a_beam_may_be_wider(charrnn, taught, pairs):
    run, source = taught("transduce", train__iterations=60), pairs("transduce")
    greedy, one, wide = (
        charrnn("eval", run, source, "--json", *words).ok().json for words in ([], ["--beam", 1], ["--beam", 5])
    )
    assert greedy == one
    assert wide["nats_per_char"] == greedy["nats_per_char"]
    assert wide != greedy


def test_what_training_never_saw_is_wrong_and_no_error(charrnn, taught, tmp_path):
    (tmp_path / "new.tsv").write_text("consonants\tbcd\nemoji\t\u20ac\u20ac\n", "utf-8")
    report = charrnn("eval", taught("classify"), "new.tsv", "--json").ok().json
    assert report["items"] == 2
    assert report["accuracy"] <= 0.5
    assert sum(report["confusion"][-1]) == 1


@pytest.mark.parametrize("task", ["tag", "transduce"])
def test_answers_that_training_never_saw_are_wrong_too(charrnn, taught, tmp_path, task):
    (tmp_path / "new.tsv").write_text("b\t\u20ac\n", "utf-8")
    report = charrnn("eval", taught(task), "new.tsv", "--json").ok().json
    assert report["accuracy" if task == "tag" else "exact_match"] == 0


def test_nats_of_answers_that_are_all_unknown_are_no_number(charrnn, taught, tmp_path):
    (tmp_path / "new.tsv").write_text("b\t\u20ac\n", "utf-8")
    report = charrnn("eval", taught("tag"), "new.tsv", "--json").ok().json
    assert (report["accuracy"], report["nats"]) == (0, None)
    assert "nan nats" in charrnn("eval", taught("tag"), "new.tsv").ok().text


@pytest.mark.parametrize("task", ["classify", "tag"])
def test_nothing_known_to_validate_on_is_an_error_before_training(charrnn, tmp_path, task):
    first, second = ("a\tbb\nb\tcc\n", "\u20ac\tb\n") if task == "classify" else ("b\tx\nc\ty\n", "b\t\u20ac\n")
    (tmp_path / "train.tsv").write_text(first, "utf-8")
    (tmp_path / "other.tsv").write_text(second, "utf-8")
    changes = {"data__validation": "other.tsv", "data__split": [1, 0, 0]}
    result = charrnn("train", "train.tsv", "-o", "run", *words(task, **changes))
    result.fails(3, "other.tsv: nothing of the 1 ", "data.validation")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("task", [*TASKS, "generate"])
def test_weights_that_have_exploded_show_in_the_scores_alone(charrnn, taught, pairs, task, tmp_path):
    run = load(taught(task))
    run.params.vector[:] = np.nan_to_num(run.params.vector * np.float32(-1e30))
    (tmp_path / "exploded.npz").write_bytes(to_bytes(run))
    result = charrnn("eval", "exploded.npz", pairs(task), "--json").ok()
    assert not result.err
    nats = next(result.json[name] for name in ("nats", "nats_per_char") if name in result.json)
    assert nats is None or nats > 1e6
    lines = charrnn("eval", "exploded.npz", pairs(task), "--json", "--lines").ok()
    assert not lines.err
    if task == "generate":
        assert not charrnn("eval", "exploded.npz", pairs(task), "--surprising", 3, "--heat", "page.html").ok().err
    elif task != "tag":
        assert "Warning" not in charrnn("predict", "exploded.npz", stdin=b"ab\n").ok().err


def test_the_page_of_confusions_is_a_file_or_stdout(charrnn, taught, pairs, tmp_path):
    run, source = taught("classify"), pairs("classify")
    shown = charrnn("eval", run, source, "--confusion", "page.html").ok().text
    assert "accuracy" in shown
    page = (tmp_path / "page.html").read_text("utf-8")
    assert all(label in page for label in ("vowels", "digits", "consonants"))
    assert charrnn("eval", run, source, "--confusion", "-").ok().text == page
    charrnn("eval", run, source, "--confusion", "-", "--json").fails(2, "--json and --confusion -")


@pytest.mark.parametrize("option", ["--heat=page.html", "--confusion=page.html", "--beam=2"])
@pytest.mark.parametrize("task", ["language_model", *TASKS])
def test_what_a_task_has_no_use_for_is_one_line(charrnn, taught, pairs, trained, text, tmp_path, task, option):
    run, source = (trained, text) if task == "language_model" else (taught(task), pairs(task))
    name = option.partition("=")[0]
    result = charrnn("eval", run, source, option)
    if (task, name) in {("language_model", "--heat"), ("classify", "--confusion"), ("transduce", "--beam")}:
        result.ok()
    else:
        result.fails(2, f"{name} is not for a run of the task {task}; leave it out")


@pytest.mark.parametrize(
    ("task", "row", "said"),
    [
        ("classify", "digits", "wrong.tsv:2:7: no tab; write label, a tab, text"),
        ("classify", "digits\t", "wrong.tsv:2:8: the text is empty"),
        ("classify", "a\tb\tc", "wrong.tsv:2:5: 3 columns"),
        ("tag", "abc\tab", "wrong.tsv:2:3: the source has 3 characters and the target 2"),
        ("transduce", "\tab", "wrong.tsv:2:1: the source is empty"),
    ],
)
def test_what_is_wrong_with_pairs_is_told_with_file_line_and_column(charrnn, taught, tmp_path, task, row, said):
    (tmp_path / "wrong.tsv").write_text(f"a\tb\n{row}\n")
    charrnn("eval", taught(task), "wrong.tsv").fails(3, said)


# --- what a person may do by mistake ---


@pytest.mark.parametrize("task", TASKS)
def test_parts_are_those_of_the_file_that_was_learnt_from_alone(charrnn, taught, pairs, task, tmp_path):
    lines = pairs(task).read_text().splitlines()
    (tmp_path / "sorted.tsv").write_text("\n".join(sorted(lines)) + "\n")
    refused = charrnn("eval", taught(task), "sorted.tsv", "--split", "test")
    refused.fails(3, "sorted.tsv is not the file of this run", "leave out --split")
    charrnn("eval", taught(task), "sorted.tsv").ok()


def test_a_label_that_was_never_learnt_is_wrong_in_every_score(charrnn, taught, pairs, tmp_path):
    (tmp_path / "typo.tsv").write_text("vowels\taei\nvowles\taei\nvowels\taa\n")
    report = charrnn("eval", taught("classify"), "typo.tsv", "--json").ok().json
    assert report["items"] == sum(map(sum, report["confusion"])) == 3
    assert report["labels"][-1] == "a label never learnt"
    assert report["confusion"][-1][:3] == [0, 0, 1]
    assert report["accuracy"] <= 2 / 3
    assert max(report["macro_f1"], report["mcc"]) < 1


def test_a_file_of_which_no_label_is_known_is_refused(charrnn, taught, tmp_path):
    (tmp_path / "swapped.tsv").write_text("aei\tvowels\n012\tdigits\n")
    refused = charrnn("eval", taught("classify"), "swapped.tsv")
    refused.fails(3, "swapped.tsv: the run knows none of its labels, such as 'aei', but 'consonants'", "swapped")


@pytest.mark.parametrize("option", ["--confusion", "--heat"])
def test_a_page_takes_the_place_of_a_page_and_of_nothing_else(charrnn, taught, pairs, option, tmp_path):
    data = tmp_path / "data.tsv"
    task, command = ("classify", "eval") if option == "--confusion" else ("transduce", "predict")
    data.write_text("vowels\taei\n" if task == "classify" else "abc\n")
    kept = data.read_bytes()
    charrnn(command, taught(task), "data.tsv", option, "data.tsv").fails(2, "data.tsv is there already", "another file")
    assert data.read_bytes() == kept
    for _ in range(2):
        charrnn(command, taught(task), "data.tsv", option, "page.html").ok()
    assert (tmp_path / "page.html").read_bytes().startswith(b"<!doctype html>")
