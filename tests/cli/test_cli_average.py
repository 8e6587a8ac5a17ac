"""`optim.average`: what is trained, and what a run predicts with; and `plateau`, which follows how good that is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from charrnn.judging.evaluation import evaluate
from charrnn.runs import checkpoint
from charrnn.runs.places import BEST, LAST
from charrnn.text.corpus import Library
from charrnn.training.preparing import split_of

GOLDEN = Path(__file__).parent.parent / "golden"
STILL = ["--set", "optim.name=sgd", "--set", "optim.learning_rate=1e-30", "--set", "train.iterations=1"]


@pytest.fixture
def run(train, tmp_path):
    """A run that has learnt fast, so that its average is far behind."""
    words = ["train.iterations=30", "optim.learning_rate=0.03", "optim.average=0.95"]
    train("-o", "run", *(word for setting in words for word in ("--set", setting))).ok()
    return tmp_path / "run"


@pytest.fixture
def change(run):
    """Sets a part of the best checkpoint to zero; the file that has the rest."""

    def zero(part):
        changed = checkpoint.load(run / BEST)
        getattr(changed, part).vector[...] = 0
        path = run.parent / f"{part}.npz"
        checkpoint.save(changed, path)
        return path

    return zero


def test_a_checkpoint_keeps_the_weights_and_the_average_beside_them(run, contents):
    arrays, _ = contents(run / BEST)
    best = checkpoint.load(run / BEST)
    for name, array in best.params.items():
        assert arrays[name] == array.tobytes()
        assert arrays[f"average.{name}"] == best.average[name].tobytes()
    assert best.weights is best.average
    assert np.abs(best.average.vector - best.params.vector).max() > 0.01


def test_the_score_of_an_evaluation_is_that_of_the_average(run, text, metrics):
    last = checkpoint.load(run / LAST)
    examples = last.task.read(Library(Path(), Path()), str(text), last.config.data)
    part = split_of(last.task, last.config, examples).validation
    scored = metrics(run)[-1]["val_nats"]
    assert evaluate(last.model, last.average, part) == scored == last.scores["nats"]
    assert abs(evaluate(last.model, last.params, part) - scored) > 0.01


def test_info_and_eval_tell_the_score_of_the_average(charrnn, run, text, metrics):
    best = min(line["val_nats"] for line in metrics(run) if "val_nats" in line)
    facts = charrnn("info", "run", "--json").ok().json
    assert facts["best_nats"] == facts["validation_nats"] == best
    measured = charrnn("eval", "run", text, "--split", "validation", "--json").ok().json
    assert measured["nats_per_char"] == pytest.approx(best, abs=1e-6)


@pytest.mark.parametrize(
    "command", [["sample", "--seed", 1], ["eval", "--json"], ["gradflow", "--json"]], ids=lambda c: c[0]
)
def test_what_predicts_does_so_with_the_average(charrnn, run, change, text, command):
    words = [text] if command[0] == "eval" else []

    def said(source):
        return charrnn(command[0], source, *words, *command[1:]).ok().out.replace(str(source).encode(), b"")

    exact = said(run / BEST)
    assert said(change("params")) == exact
    assert said(change("average")) != exact


@pytest.mark.parametrize("average", ["null", "0.5"])
def test_a_run_begun_from_old_weights_takes_those_that_were_trained(train, run, tmp_path, average):
    train("-o", "new", "--init-from", run, *STILL, "--set", f"optim.average={average}").ok()
    old, new = checkpoint.load(run), checkpoint.load(tmp_path / "new" / LAST)
    np.testing.assert_array_equal(new.params.vector, old.params.vector)
    np.testing.assert_allclose(new.weights.vector, old.params.vector, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "path", sorted(GOLDEN.glob("version-[12]/*.npz")), ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_a_file_from_before_there_were_averages_has_none(path):
    old = checkpoint.load(path)
    assert old.config.optim.average is None
    assert old.average is None
    assert old.weights is old.params
    assert not [name for name in old.arrays() if name.startswith("average.")]


@pytest.mark.parametrize("patience", [1, 2])
def test_plateau_lowers_the_rate_of_a_real_run_when_the_average_stands_still(train, metrics, tmp_path, patience):
    words = ["train.iterations=120", "optim.schedule=plateau", "optim.decay=0.5", "optim.learning_rate=0.2"]
    words += ["optim.average=0.8", f"optim.patience={patience}"]
    train("-o", "run", *(word for setting in words for word in ("--set", setting))).ok()
    best, still, reductions = np.inf, 0, 0
    for line in metrics(tmp_path / "run"):
        assert line["learning_rate"] == pytest.approx(0.2 * 0.5**reductions)
        if "val_nats" in line:
            still = 0 if line["val_nats"] < best else still + 1
            best = min(best, line["val_nats"])
            reductions += still > 0 and still % patience == 0
    assert reductions > 1
    last = checkpoint.load(tmp_path / "run" / LAST)
    assert (last.reductions, last.without_best, last.best) == (reductions, still, best)
