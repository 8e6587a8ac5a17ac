"""`charrnn report`: a page about a run in whatever state it is, or about several."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
from pathlib import Path

import pytest
from driving import in_process
from reading import Page
from small_reports import settings

from charrnn.errors import DataError
from charrnn.pages.curves import MOST_POINTS, _thinned
from charrnn.reporting.facts import gather

GOLDEN = Path(__file__).parents[1] / "golden"
BASELINES = ["uniform", "unigram", *(f"{n}_grams" for n in range(2, 7)), "gzip", "bz2", "xz"]
BASELINES += [f"{name}_after_training" for name in ("gzip", "bz2", "xz")]


def page_of(path):
    return Page(path.read_text("utf-8"))


def lines_of(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_a_page_goes_into_the_run_and_its_path_to_stdout(report, runs):
    said = report("one").ok()
    assert said.text == "one/report.html\n"
    assert said.err == ""
    page = page_of(runs / "one" / "report.html")
    assert page.headings == ["one", "Curves", "Beside baselines", "Samples", "Configuration", "Data and environment"]
    report("one").ok()  # and takes the place of the one before


def test_every_curve_is_there_and_said_in_words(report, runs):
    report("one").ok()
    page = page_of(runs / "one" / "report.html")
    assert page.curves == 5
    assert [label.partition(":")[0] for label in page.labels] == ["Loss", "Learning rate", "Gradient norm", "Speed"]
    metrics = [line for line in lines_of(runs / "one" / "metrics.jsonl") if "val_nats" in line]
    best = min(metrics, key=lambda line: line["val_nats"])
    assert f"the best is {best['val_nats']:.4g} at iteration {best['iteration']}" in page.labels[0]
    rows = page.table("iteration", "epoch")
    assert [[row[0], row[3]] for row in rows] == [[str(m["iteration"]), f"{m['val_nats']:.4f}"] for m in metrics]


def test_the_model_stands_among_baselines_on_the_text_it_was_validated_on(report, runs):
    found = report("one", "--json").ok().json["runs"][0]
    assert list(found["baselines"]) == BASELINES
    report("one").ok()
    rows = page_of(runs / "one" / "report.html").table("what", "bits per character")
    bits = [float(row[1]) for row in rows]
    assert bits == sorted(bits)
    assert len(rows) == len(BASELINES) + 1
    (own,) = [row for row in rows if row[0] == "this model"]
    assert float(own[1]) == pytest.approx(found["best"]["nats"] / math.log(2), abs=6e-4)
    grams = found["baselines"]["4_grams"]["nats_per_char"]
    assert ["4-grams", f"{grams / math.log(2):.3f}", f"{grams:.3f}", ""] in rows


def test_baselines_are_about_as_much_as_an_evaluation_reads(report, runs):
    whole = report("one", "--json").ok().json["runs"][0]["baselines"]["gzip"]
    text = (runs / "prose.txt").read_bytes()
    start = len(text) - 2 * int(len(text) * 0.05)
    import gzip

    part = text[start + 1 : start + int(len(text) * 0.05)]
    assert whole["bits_per_char"] == pytest.approx(8 * len(gzip.compress(part, 9)) / len(part))


def test_samples_are_shown_as_they_improved(report, runs):
    report("one").ok()
    page = page_of(runs / "one" / "report.html")
    kept = lines_of(runs / "one" / "samples.jsonl")
    assert [line["iteration"] for line in kept] == [20, 40, 60]
    assert [sample.lstrip("\n") for sample in page.samples] == [line["text"].lstrip("\n") for line in kept]


def test_where_nothing_was_written_while_it_learnt_the_model_writes_now(report, runs):
    (runs / "one" / "samples.jsonl").unlink()
    report("one").ok()
    page = page_of(runs / "one" / "report.html")
    (sample,) = page.samples
    assert len(sample.strip()) > 50
    assert "train.sample_every" in page.text
    assert report("one", "-o", "-").ok().text == (runs / "one" / "report.html").read_text("utf-8")


def test_the_page_says_which_weights_have_written_what_is_written_now(report, runs):
    (runs / "one" / "samples.jsonl").unlink()
    metrics = runs / "one" / "metrics.jsonl"
    for best, said in (
        (60, "with the weights of iteration 60. With"),
        (20, "60, and not with the best, those of 20. With"),
    ):
        found = [
            line | ({"val_nats": 0.5 + (line["iteration"] != best)} if "val_nats" in line else {})
            for line in lines_of(metrics)
        ]
        metrics.write_text("".join(json.dumps(line) + "\n" for line in found), "utf-8")
        assert said in Page(report("one", "-o", "-").ok().text).text


def test_a_run_that_diverged_says_what_happened(report, runs):
    (runs / "one" / "diverged.json").write_text('{"what": "diverged at iteration 9: loss nan"}')
    assert "It diverged at iteration 9: loss nan" in Page(report("one", "-o", "-").ok().text).text


def test_many_samples_are_thinned_and_the_page_says_so(report, runs):
    with (runs / "one" / "samples.jsonl").open("w") as file:
        for k in range(1, 101):
            file.write(json.dumps({"iteration": k, "val_nats": None, "text": f"<b>sample {k}\u202e"}) + "\n")
    report("one").ok()
    page = page_of(runs / "one" / "report.html")
    assert page.samples[0].endswith("<b>sample 1U+202E")
    assert page.samples[-1].endswith("<b>sample 100U+202E")
    assert len(page.samples) == 12
    assert "12 of 100 are shown" in page.text


def test_what_is_not_as_by_default_stands_first_with_the_default(report, runs):
    report("two").ok()
    page = page_of(runs / "two" / "report.html")
    changed = {row[0]: row[1:] for row in page.table("key", "value", "default")}
    assert changed["model.cell"] == ["gru", "lstm"]
    assert changed["model.hidden_size"] == ["8", "128"]
    (rest,) = [table for table in page.tables if table[0] == ["key", "value"]]
    assert not changed.keys() & {row[0] for row in rest}


def test_the_page_names_the_text_its_checksum_and_what_computed(report, runs):
    import hashlib

    report("one").ok()
    rows = dict(page_of(runs / "one" / "report.html").table("what", "value"))
    assert rows["data"] == "prose.txt"
    assert rows["sha256"] == hashlib.sha256((runs / "prose.txt").read_bytes()).hexdigest()
    assert {"charrnn", "numpy", "blas", "cores", "parameters", "bytes"} <= rows.keys()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("gone", "the run learnt from prose.txt, which is not there, seen from {}; put it there again"),
        ("changed", "prose.txt is not what it was"),
    ],
)
def test_a_text_that_is_not_what_it_was_is_said_and_the_rest_is_shown(report, runs, change, told):
    if change == "gone":
        (runs / "prose.txt").unlink()
    else:
        (runs / "prose.txt").write_text("something else\n" * 500)
    report("one").ok()
    page = page_of(runs / "one" / "report.html")
    assert f"There are no baselines: {told.format(runs)}" in page.text
    assert "Beside baselines" not in page.headings
    assert page.curves == 5


@pytest.mark.parametrize(("said", "note"), [("gone", "gone."), ("gone; did you mean 'x'?", "gone; did you mean 'x'?")])
def test_a_note_has_one_end(runs, said, note):
    def baselines(run, place):
        raise DataError(said)

    assert gather(runs / "one", baselines).notes == [f"There are no baselines: {note}"]


@pytest.mark.parametrize("sources", [["-"], ["prose.txt", "-"], ["pipe"]], ids=" ".join)
def test_what_came_through_a_pipe_is_not_waited_for(report, runs, sources):
    text = (runs / "prose.txt").read_bytes()
    words = ["-o", "piped", "-q", *settings(train__iterations=3)]
    if sources == ["pipe"]:
        (runs / "pipe").write_bytes(text)
    in_process("train", *sources, *words, cwd=runs, stdin=text).ok()
    if sources == ["pipe"]:
        (runs / "pipe").unlink()
        os.mkfifo(runs / "pipe")
    found = report("piped", "--json").ok().json["runs"][0]
    assert found["baselines"] == {}
    assert "came through a pipe" in " ".join(found["notes"])


def test_lines_that_a_crash_cut_are_counted(report, runs):
    with (runs / "one" / "metrics.jsonl").open("a") as file:
        file.write('{"iteration": 61, "trai')
    report("one").ok()
    assert "1 line of metrics.jsonl that could not be read" in page_of(runs / "one" / "report.html").text


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 but no more"])
def test_damaged_checkpoints_are_named_and_older_ones_shown(report, runs, damage):
    (runs / "one" / "last.npz").write_bytes(damage)
    report("one").ok()
    page = page_of(runs / "one" / "report.html")
    assert "one/last.npz" in page.text
    assert "Beside baselines" in page.headings


def test_a_run_that_has_no_checkpoint_yet_has_its_curves_and_configuration(report, runs):
    for checkpoint in (runs / "one").glob("*.npz"):
        checkpoint.unlink()
    report("one").ok()
    page = page_of(runs / "one" / "report.html")
    assert "not saved yet" in page.text
    assert page.headings == ["one", "Curves", "Samples", "Configuration"]
    assert "model.hidden_size" in page.text


def test_a_run_without_metrics_is_a_page_too(report, runs):
    for name in ("metrics.jsonl", "samples.jsonl"):
        (runs / "one" / name).unlink()
    report("one").ok()
    page = page_of(runs / "one" / "report.html")
    assert "There are no curves" in page.text
    assert page.curves == 0
    assert "best validation loss" in page.text


@pytest.mark.parametrize(
    "path", sorted(GOLDEN.glob("version-*/*.npz")), ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_a_checkpoint_of_any_version_has_a_page(report, runs, path):
    shutil.copy(path, runs / "old.npz")
    assert report("old.npz").ok().text == "old.html\n"
    page_of(runs / "old.html")


def test_a_run_can_be_reported_while_it_is_trained(report, runs):
    (runs / "one" / ".lock").touch()
    report("one").ok()


@pytest.mark.parametrize("place", ["nowhere", "empty", "prose.txt"])
def test_what_is_no_run_is_refused(report, runs, place):
    (runs / "empty").mkdir()
    report(place).fails(4, place)


def test_a_page_takes_no_place_of_what_is_none(report, runs):
    report("one", "-o", "prose.txt").fails(2, "prose.txt is there already")
    assert (runs / "prose.txt").read_text().startswith("Verse 0")


def test_a_page_may_go_to_stdout(report):
    assert Page(report("one", "-o", "-").ok().text).headings[0] == "one"


@pytest.mark.parametrize("words", [["-o", "a.html", "--json"], ["--json", "--tensorboard", "d"]])
def test_one_thing_at_a_time_is_written(report, words):
    report("one", *words).fails(2, "give one of them")


def test_the_name_of_a_run_is_escaped(report, runs):
    (runs / "one").rename(runs / "<i>&")
    report("<i>&").ok()
    assert page_of(runs / "<i>&" / "report.html").headings[0] == "<i>&"


def test_several_runs_are_compared_in_one_picture_with_what_differs(report, runs):
    assert report("one", "two").ok().text == "report.html\n"
    page = page_of(runs / "report.html")
    assert page.headings[:5] == ["2 runs", "Curves", "What differs", "Beside baselines", "Their last samples"]
    assert "one from" in page.labels[0]
    assert "two from" in page.labels[0]
    assert page.table("key", "A", "B") == [["model.cell", "lstm", "gru"]]
    assert page.tables[2][0][:2] == ["what", "bits per character"]
    assert {"A: one", "B: two"} < {row[0] for row in page.tables[2]}
    best = [run["best"]["nats"] for run in report("one", "two", "--json").ok().json["runs"]]
    ranking = page.table("run", "measure")
    assert [row[2] for row in ranking] == [f"{nats:.4f}" for nats in sorted(best)]


def test_runs_are_ranked_by_what_is_better(charrnn, taught, tmp_path):
    worse = shutil.copytree(taught("classify"), tmp_path / "worse")
    lines = lines_of(worse / "metrics.jsonl")
    for line in lines:
        line["val_accuracy"] = 0.0
    (worse / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    charrnn("report", worse, taught("classify"), "-o", "both.html").ok()
    ranking = page_of(tmp_path / "both.html").table("run", "measure")
    assert [row[0][0] for row in ranking] == ["B", "A"]


def test_a_curve_of_many_points_keeps_its_peaks():
    points = [(k, 9.0 if k == 777 else -9.0 if k == 888 else k % 5 / 10) for k in range(5000)]
    kept = _thinned(points)
    assert len(kept) <= MOST_POINTS
    assert {(777, 9.0), (888, -9.0), points[0], points[-1]} <= {*kept}
    assert kept == sorted(kept)


def test_lines_of_compared_runs_differ_in_more_than_their_colour(report, runs):
    report("one", "two").ok()
    page = (runs / "report.html").read_text("utf-8")
    dashes = re.findall(r"\.c\d \{ stroke: .*?; stroke-dasharray: (.*?) \}", page)
    assert len(dashes) == len(set(dashes)) == 8
    assert re.findall(r"<b class=end [^>]*>(.*?)</b>", page)[0] in ("A", "B", "A / B", "B / A")


def test_the_text_of_several_runs_is_measured_once(report, monkeypatch):
    from charrnn.tasks.language_model import LanguageModel

    calls = []
    whole = LanguageModel.baselines
    monkeypatch.setattr(LanguageModel, "baselines", lambda *given: calls.append(1) or whole(*given))
    report("one", "two", "one", "--json").ok()
    assert len(calls) == 1


@pytest.mark.parametrize("task", ["classify", "tag", "transduce", "generate"])
def test_a_run_of_any_task_has_a_page_with_its_scores_and_baselines(charrnn, taught, task, tmp_path):
    charrnn("report", taught(task), "-o", tmp_path / "page.html").ok()
    page = page_of(tmp_path / "page.html")
    assert "Beside baselines" in page.headings
    scores = {"classify": "accuracy", "tag": "accuracy", "transduce": "exact match"}
    if task in scores:
        assert any(label.startswith(f"Validation {scores[task]}:") for label in page.labels)
        assert page.table("what", scores[task])[0][0] == "this model"


def spread(page):
    """The height of the validation curve."""
    validation, *_ = re.findall(r'class="curve c0" d="M(.*?)"', page)
    heights = [float(point.split()[1]) for point in validation.split("L")]
    return max(heights) - min(heights)


@pytest.mark.parametrize("value", [1e30, 3e4])
def test_a_loss_that_exploded_does_not_press_the_curve_flat(report, runs, value):
    before = spread(report("one", "-o", "-").ok().text)
    path = runs / "one" / "metrics.jsonl"
    lines = lines_of(path)
    lines[1]["train_nats"] = value
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    page = report("one", "-o", "-").ok().text
    assert spread(page) > before / 2
    assert "higher values are cut off" in Page(page).text
