"""The race of `make bench ARGS=--time-to-loss`: that both train the same, and what is kept, printed and drawn of it."""

from __future__ import annotations

import json
import math
import sys
from importlib import util
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "tools" / "bench"


def module(name):
    """A file of the benchmark, which is no package: as a script, it imports from the files beside it."""
    spec = util.spec_from_file_location(f"race_{name}", FOLDER / f"{name}.py")
    loaded = util.module_from_spec(spec)
    sys.modules[spec.name] = loaded
    sys.path.insert(0, str(FOLDER))
    try:
        spec.loader.exec_module(loaded)
    finally:
        sys.path.remove(str(FOLDER))
    return loaded


race, learners = module("time_to_loss"), module("learners")
racing = sys.modules["racing"]

SETTINGS = {"model.hidden_size": 6, "model.num_layers": 2, "train.batch_size": 4, "train.seq_length": 8}
WORK = {
    "text": "harbour",
    "settings": SETTINGS | {"model.dropout": 0.5, "train.seed": 1, "optim.clip_norm": 0.05, "optim.warmup": 2},
    "updates": 8,
    "checked": 4,
    "threads": 1,
}


@pytest.mark.parametrize(
    ("nats", "seconds"), [(4, 1), (3, 2), (2.5, 2.5), (2, 3), (1.9, None)], ids=["begin", "at", "between", "end", "not"]
)
def test_a_loss_is_reached_between_two_points(nats, seconds):
    points = [(10, 1.0, 4.0), (20, 2.0, 3.0), (30, 3.0, 2.0), (40, 4.0, 2.5)]
    assert race.seconds_to(points, nats) == seconds


def test_what_is_no_number_is_farthest_apart():
    assert racing.farthest_apart([[3.0, 2.0], [3.5, 2.0]]) == 0.5
    assert math.isnan(racing.farthest_apart([[3.0, 2.0], [math.nan, 9.0]]))


def test_the_race_is_kept_printed_and_drawn(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(race.util, "find_spec", lambda name: None)  # without PyTorch
    monkeypatch.setattr(racing, "SETTLE", 0)
    places = ["--points", tmp_path / "p.json", "--picture", tmp_path / "p.svg"]
    small = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={value}")]
    given = ["--text", "harbour", "--updates", 6, "--evaluations", 3, "--threads", 1, "--to", 4.2, 0.1, *small, *places]
    race.main([str(word) for word in given])
    printed = capsys.readouterr().out
    assert "| 0.1 nats | not reached |" in printed
    kept = json.loads((tmp_path / "p.json").read_text())
    assert [updates for updates, _, _ in kept["points"]["charrnn"]] == [2, 4, 6]
    assert kept["thresholds"] == [4.2, 0.1]
    first = (tmp_path / "p.svg").read_text()
    (tmp_path / "p.svg").unlink()
    race.main(["--redraw", *map(str, places)])
    assert (tmp_path / "p.svg").read_text() == first
    assert capsys.readouterr().out in printed


def test_contenders_that_do_not_train_the_same_are_stopped(monkeypatch):
    class Contender:
        def __init__(self, name, work):
            self.name = name

        def answer(self):
            return {"first": [4.0, 3.9 if self.name == "charrnn" else 3.8]}

        def close(self):
            pass

    monkeypatch.setattr(racing, "Contender", Contender)
    with pytest.raises(SystemExit, match=r"do not train the same: their first losses are 0\.1 nats apart"):
        next(racing.race(["charrnn", "torch"], WORK, 1))


def test_a_key_that_only_one_has_is_refused():
    assert race.settings_of(["model.dropout=0.1"]) == {"model.dropout": 0.1}
    with pytest.raises(SystemExit, match=r"--set model\.cell: this is not the same for both"):
        race.settings_of(["model.cell=gru"])


def test_what_cannot_be_raced_is_a_line(tmp_path, monkeypatch, capfd):
    with pytest.raises(SystemExit, match=r"no points are kept in .*; leave out --redraw"):
        race.main(["--redraw", "--points", str(tmp_path / "p.json")])
    monkeypatch.setattr(race.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="charrnn ended; what it said is above"):
        race.main(["--text", str(tmp_path / "novel.txt")])
    said = capfd.readouterr().err
    assert "novel.txt" in said
    assert "Traceback" not in said


def test_ratios_are_of_the_other_to_ours():
    points = {"charrnn": [(5, 10.0, 2.0)], "torch": [(5, 15.0, 2.1)]}
    lines = race.table({"points": points, "thresholds": [2.0], "work": {"updates": 5}})
    assert lines[0] == "| | charrnn | torch | ratio |"
    assert lines[2:] == [
        "| 2 nats | 10 s | not reached |  |",
        "| 5 updates | 10 s | 15 s | 1.50 |",
        "| best validation loss | 2.000 | 2.100 |  |",
    ]


def test_the_first_losses_have_no_dropout_and_are_those_of_the_weights():
    losses = learners.first_losses("charrnn", WORK)
    given = learners.prepared(WORK, **{"model.dropout": 0.0})
    batch = given.split.train.batch(0)
    loss, _ = given.run.model.loss(given.run.weights, batch, given.run.state)
    assert len(losses) == 4
    assert losses[0] == pytest.approx(float(loss), rel=1e-5)


def test_pytorch_trains_the_same_and_gives_its_weights_back():
    pytest.importorskip("torch", reason="the benchmark alone has PyTorch")
    ours, theirs = (learners.first_losses(name, WORK) for name in ("charrnn", "torch"))
    assert racing.farthest_apart([ours, theirs]) < racing.TOLERANCE
    still = WORK | {"settings": WORK["settings"] | {"model.dropout": 0.0}}
    runs = {}
    for name, kind in learners.LEARNERS.items():
        given = learners.prepared(still)
        learner = kind(given, still)
        for _ in range(5):
            learner.update()
        learner.write_weights()
        learner.close()
        runs[name] = given.run
    assert np.abs(runs["torch"].params.vector - runs["charrnn"].params.vector).max() < 1e-5


@pytest.mark.skipif(not race.POINTS.exists(), reason="no race is kept yet")
def test_the_picture_in_the_documents_is_that_of_the_points_that_are_kept():
    assert race.PICTURE.read_text("utf-8") == race.picture(json.loads(race.POINTS.read_text("utf-8")))


def test_a_steep_beginning_is_left_out_of_the_picture():
    points = {"charrnn": [(1, 1.0, 4.0), (2, 2.0, 2.5), (3, 3.0, 2.0)]}
    kept = {"points": points, "thresholds": [2.2, 2.0], "work": {"text": "a.txt", "settings": {}}}
    root = ElementTree.fromstring(race.picture(kept))
    (line,) = root.iter("{http://www.w3.org/2000/svg}polyline")
    assert len(line.get("points").split()) == 2
