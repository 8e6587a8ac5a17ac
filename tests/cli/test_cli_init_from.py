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


def test_a_byte_is_no_character_of_its_number_for_a_task_over_pairs(charrnn, tmp_path):
    """The language model of bytes knows 0xe4, and so does a tagger of bytes; to one of utf-8 it is not the letter."""
    (tmp_path / "text.txt").write_bytes(b"ab\xe4c" * 900)
    (tmp_path / "pairs.tsv").write_bytes(b"ab\xe4\tABC\nc\xe4b\tCDB\n")
    small = ["--set", "model.hidden_size=4", "--set", "data.split=[1,0,0]", *STILL]
    bytes_too = ["--set", "data.encoding=bytes"]
    charrnn("train", "text.txt", "-o", "old", *small, *bytes_too).ok()
    task = ["pairs.tsv", "--set", "task.name=tag", "--init-from", "old", *small]
    assert "new to the weights" not in charrnn("train", *task, "-o", "same", *bytes_too).ok().err
    other = charrnn("train", *task, "-o", "other", "--set", "data.encoding=latin-1").ok().err
    assert "characters new to the weights: '\u00e4'" in other


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


PLAIN = ["data.split=[1,0,0]", "model.hidden_size=8", "train.iterations=1", "train.threads=1", "train.seed=1"]
PLAIN += ["optim.name=sgd", "optim.learning_rate=1e-30"]


def still(task, **changes):
    """The options of a run that stays as it begins."""
    keys = [*PLAIN, f"task.name={task}", *(f"{name.replace('__', '.')}={value}" for name, value in changes.items())]
    return [word for key in keys for word in ("--set", key)]


@pytest.mark.parametrize("both", ["true", "false", "null"])
def test_a_classifier_begins_with_the_layers_of_a_language_model(charrnn, train, pairs, tmp_path, both):
    (tmp_path / "letters.txt").write_text("abcdefg0123iou#" * 40)
    train("-o", "old", source="letters.txt").ok()
    words = still("classify", model__bidirectional=both, model__pooling="mean")
    said = charrnn("train", pairs("classify"), "-o", "new", "--init-from", "old", *words).ok().err
    old, new = load(tmp_path / "old"), load(tmp_path / "new" / "last.npz")
    H, was, now = 8, old.task.vocabulary.symbols, new.task.vocabulary.symbols
    for c in now:
        assert (new.params["layers.0.W"][H + now.find(c)] == old.params["layers.0.W"][H + was.find(c)]).all()
    assert (new.params["layers.0.b"] == old.params["layers.0.b"]).all()
    assert "taken over: layers.0.W, layers.0.b; new here: " in said
    assert ("layers.0.reverse.W" in said.partition("new here: ")[2]) == (both != "false")
    assert "head.W" in said.partition("new here: ")[2].partition(";")[0]
    assert "characters new" not in said


def test_layers_go_back_to_a_language_model_without_what_only_the_classifier_had(charrnn, train, pairs, tmp_path):
    words = still("classify", model__bidirectional="false", model__pooling="max")
    charrnn("train", pairs("classify"), "-q", "-o", "old", *words).ok()
    (tmp_path / "letters.txt").write_text("abcdefg0123iou#" * 40)
    train("-o", "new", "--init-from", "old", source="letters.txt").ok()
    assert load(tmp_path / "new").config.model.pooling == "last"


@pytest.mark.parametrize("task", ["tag", "transduce"])
def test_a_task_begins_with_a_run_of_its_own(charrnn, taught, pairs, tmp_path, task):
    (tmp_path / "other.tsv").write_text("abcz\tabcz\ncb\tcb\n", "utf-8")
    said = charrnn("train", "other.tsv", "-o", "new", "--init-from", taught(task), *still(task)).ok().err
    assert "characters new to the weights: 'z'" in said
    old, new = load(taught(task)), load(tmp_path / "new" / "last.npz")
    first = "encoder.layers.0" if task == "transduce" else "layers.0"
    for name in (f"{first}.W", "head.W"):
        assert not (new.params[name] == 0).all()
    H, was, now = 8, old.task.vocabulary.symbols, new.task.vocabulary.symbols
    for c in "abc":
        assert (new.params[f"{first}.W"][H + now.find(c)] == old.params[f"{first}.W"][H + was.find(c)]).all()
        place = old.task.targets.symbols.find(c)
        if place >= 0:
            assert (new.params["head.W"][:, new.task.targets.symbols.find(c)] == old.params["head.W"][:, place]).all()
    assert (new.params[f"{first}.reverse.W"][H + len(now)] == old.params[f"{first}.reverse.W"][H + len(was)]).all()


def test_layers_of_a_language_model_are_none_of_an_encoder(charrnn, train, pairs):
    train("-o", "old").ok()
    charrnn("train", pairs("transduce"), "-o", "new", "--init-from", "old", *still("transduce")).fails(4, "no layer")


def test_a_lower_rate_is_taken_unless_one_is_chosen_and_the_line_says_so(charrnn, text, tmp_path, contents):
    words = ["--set", "model.hidden_size=4", "--set", "train.iterations=1", "--set", "train.batch_size=2"]
    charrnn("train", text, "-o", "old", "-c", "lstm", *words).ok()
    said = charrnn("train", text, "-o", "new", "--init-from", "old", *words).ok().err
    rates = [contents(tmp_path / run / "last.npz")[1]["config"]["optim"]["learning_rate"] for run in ("old", "new")]
    assert rates[1] == pytest.approx(rates[0] / 5)
    assert f"learning rate {rates[1]:g}, a fifth of the default, for old weights; another one with --set" in said
    chosen = charrnn("train", text, "-o", "chosen", "--init-from", "old", *words, "--set", "optim.learning_rate=0.01")
    assert "a fifth" not in chosen.ok().err
    assert contents(tmp_path / "chosen" / "last.npz")[1]["config"]["optim"]["learning_rate"] == 0.01


def test_what_a_text_lacks_is_told_and_union_keeps_it(charrnn, train, tiny, other, tmp_path):
    train("-o", "old").ok()
    said = charrnn("train", other, "-c", tiny, "-o", "new", "--init-from", "old", *STILL).ok().err
    old = load(tmp_path / "old")
    gone = sorted(set(old.task.vocabulary.symbols) - set(OTHER))
    assert gone
    line = next(line for line in said.splitlines() if "this text has not" in line)
    assert repr("".join(gone)) in line
    words = line.split("to keep them, ")[1].split()
    charrnn("train", other, "-c", tiny, "-o", "both", "--init-from", "old", *STILL, *words).ok()
    assert set(load(tmp_path / "both").task.vocabulary.symbols) == set(OTHER) | set(old.task.vocabulary.symbols)


def test_a_run_that_kept_its_vocabulary_goes_on(charrnn, train, text, tmp_path):
    train("-o", "old").ok()
    train("-o", "new", "--init-from", "old", "--set", "data.vocabulary=keep").ok()
    charrnn("train", "-o", "new", "--resume", "--set", "train.iterations=30").ok()
    said = charrnn("train", "-o", "new", "--resume", "--set", "data.vocabulary=union", "--set", "train.iterations=40")
    said.fails(2, "data.vocabulary was 'keep' and cannot become 'union'")
    train("-o", "none", "--set", "data.vocabulary=keep").fails(2, "--init-from CHECKPOINT")


def test_bytes_that_the_old_run_lacks_are_taken_in_and_cannot_be_spelled(charrnn, train, tmp_path):
    (tmp_path / "ascii.txt").write_text("the quick brown fox\n" * 60)
    (tmp_path / "latin.txt").write_bytes(b"the quick brown f\xf6x\n" * 60)
    train("-o", "old", "--set", "data.encoding=bytes", source="ascii.txt").ok()
    words = ["--init-from", "old", "--set", "data.encoding=bytes"]
    said = train("-o", "new", *words, "--set", "data.vocabulary=keep", source="latin.txt")
    said.fails(3, "never saw byte 0xf6; take them in with `--set data.vocabulary=union`\n")
    train("-o", "new", *words, "--set", "data.vocabulary=union", source="latin.txt").ok()
