"""`charrnn train --init-from`: a new run from old weights, on a text with other characters."""

from __future__ import annotations

import pytest

from charrnn.nn.cells import CELLS
from charrnn.runs.checkpoint import load

STILL = ["--set", "optim.name=sgd", "--set", "optim.learning_rate=1e-30", "--set", "train.iterations=1"]
OTHER = "".join(f"{n}. Über Füchse; the Quiet brown DOGS {n * n} ~ hop.\n" for n in range(60))


@pytest.fixture
def other(tmp_path):
    (tmp_path / "other.txt").write_text(OTHER, "utf-8")
    return "other.txt"


@pytest.mark.parametrize("cell", CELLS)
def test_characters_keep_their_weights_wherever_their_index_went(train, other, tmp_path, cell):
    train("-o", "old", "--set", f"model.cell={cell}").ok()
    train("-o", "new", "--init-from", "old", *STILL, source=other).ok()
    old, new = load(tmp_path / "old"), load(tmp_path / "new" / "last.npz")
    assert new.config.model.cell == cell
    H = new.config.model.hidden_size
    places = {
        c: (old.task.vocabulary.symbols.find(c), new.task.vocabulary.symbols.find(c))
        for c in new.task.vocabulary.symbols
    }
    shared = {c: pair for c, pair in places.items() if pair[0] >= 0}
    assert any(was != now for was, now in shared.values())
    assert {"Ü", "~"} <= set(places) - set(shared)
    for was, now in shared.values():
        assert (new.params["layers.0.W"][H + now] == old.params["layers.0.W"][H + was]).all()
        assert (new.params["head.W"][:, now] == old.params["head.W"][:, was]).all()
        assert new.params["head.b"][now] == old.params["head.b"][was]
    assert (new.params["layers.0.W"][:H] == old.params["layers.0.W"][:H]).all()
    assert (new.params["layers.0.b"] == old.params["layers.0.b"]).all()


def test_characters_that_are_new_are_named(charrnn, train, other, tiny):
    train("-o", "old").ok()
    said = charrnn("train", other, "-c", tiny, "-o", "new", "--init-from", "old", *STILL).ok().err
    named = next(line for line in said.splitlines() if "new to the weights" in line)
    assert "Ü" in named
    assert "~" in named
    assert "o" not in named.partition("weights:")[2]


def test_a_run_begun_from_old_weights_is_new_in_all_else(train, other, contents, tmp_path):
    train("-o", "old", "--seed", 3).ok()
    train("-o", "new", "--init-from", "old", *STILL, source=other).ok()
    meta = contents(tmp_path / "new" / "last.npz")[1]
    assert (meta["iteration"], meta["config"]["train"]["seed"]) == (1, 1)
    assert meta["corpus"]["name"] == other


def test_old_weights_help(train, trained, tmp_path, metrics):
    words = ["--set", "model.hidden_size=16", "--set", "train.iterations=5"]
    train("-o", "fresh", *words).ok()
    train("-o", "warm", "--init-from", trained, *words).ok()
    fresh, warm = (metrics(tmp_path / run)[-1]["val_nats"] for run in ("fresh", "warm"))
    assert warm < fresh - 0.5


@pytest.mark.parametrize(
    ("key", "theirs"),
    [("hidden_size=9", "8"), ("cell=gru", '"lstm"')],
)
def test_another_architecture_does_not_fit_and_both_are_named(train, tmp_path, key, theirs):
    train("-o", "old").ok()
    name, _, ours = key.partition("=")
    train("-o", "new", "--init-from", "old", "--set", f"model.{key}").fails(4, f"model.{name}", theirs, ours)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("key", "was", "new"),
    [
        ("num_layers=2", "1", "layers.1.W, layers.1.b"),
        ("initial_state=learned", '"zero"', "layers.0.h0, layers.0.c0"),
        ("layer_norm=true", "false", "layers.0.gain"),
    ],
)
def test_what_is_new_in_a_network_is_told_in_one_line(charrnn, train, tiny, text, key, was, new):
    train("-o", "old").ok()
    done = charrnn("train", text, "-c", tiny, "-o", "new", "--init-from", "old", "--set", f"model.{key}").ok()
    name, _, now = key.partition("=")
    now = now if now in ("2", "true") else f'"{now}"'
    assert f"\nmodel.{name} was {was} in the weights to begin from, and is {now}; new here: {new}\n" in done.err


def test_what_a_network_has_no_place_for_is_told(charrnn, train, tiny, text):
    train("-o", "old", "--set", "model.layer_norm=true").ok()
    done = charrnn("train", text, "-c", tiny, "-o", "new", "--init-from", "old", "--set", "model.layer_norm=false").ok()
    told = "model.layer_norm was true in the weights to begin from, and is false; left behind: layers.0.gain"
    assert told in done.err.splitlines()


def test_weights_that_share_no_character_are_refused(train, tmp_path):
    (tmp_path / "greek.txt").write_text("αβγδ" * 500, "utf-8")
    train("-o", "old").ok()
    train("-o", "new", "--init-from", "old", source="greek.txt").fails(4, "--init-from")


def test_bytes_and_characters_are_not_mixed_up(train, tmp_path):
    (tmp_path / "bytes.txt").write_bytes("déjà vu\n".encode() * 300)
    (tmp_path / "utf-8.txt").write_text("Ãou ©t\n" * 300, "utf-8")
    train("-o", "old", "--set", "data.encoding=bytes", source="bytes.txt").ok()
    train("-o", "new", "--init-from", "old", *STILL, source="utf-8.txt").ok()
    old, new = load(tmp_path / "old"), load(tmp_path / "new")
    byte, letter = (run.task.vocabulary.symbols.index("\u00c3") for run in (old, new))
    assert (new.params["head.W"][:, letter] != old.params["head.W"][:, byte]).any()


@pytest.mark.parametrize("name", ["nowhere", "nowhere.npz"])
def test_weights_that_are_not_there_are_a_checkpoint_error(train, name):
    train("-o", "new", "--init-from", name).fails(4, name)
