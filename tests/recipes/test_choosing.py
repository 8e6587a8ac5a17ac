"""The recipe that is chosen where none is named, as `train`, `plan` and Python have it."""

from __future__ import annotations

import re
import shlex

import numpy as np
import pytest
from driving import FOXES

import charrnn as package
from charrnn.config.reading import read_yaml
from charrnn.config.resolve import Setting, resolve
from charrnn.config.unread import unread
from charrnn.nn.build import build_model
from charrnn.planning import timing
from charrnn.recipes import rule
from charrnn.recipes.choosing import NOTHING, choose, situation
from charrnn.recipes.rule import Shape
from charrnn.recipes.speed import foresee
from charrnn.runs import checkpoint as checkpoints
from charrnn.text.encoding import decode
from charrnn.training.preparing import prepare

CHOSEN = {
    "model.cell", "model.hidden_size", "model.init", "model.dropout", "model.recurrent_dropout", "train.batch_size",
    "train.seq_length", "train.eval_every", "optim.learning_rate", "optim.clip_norm", "optim.weight_decay",
}  # fmt: skip


def text_of(characters):
    return decode([(FOXES * (characters // len(FOXES) + 1))[:characters].encode()], "a text", "utf-8")


def chosen(characters=30_000, **given):
    settings = [Setting(path.replace("__", "."), value, "given") for path, value in given.items()]
    found = choose(settings, text_of(characters))
    return resolve(found.settings, settings)[0], found


def test_what_is_left_free_is_chosen_and_what_is_given_is_kept():
    _, found = chosen(train__time_budget=3600)
    assert {*found.keys} == CHOSEN | {"train.epochs", "train.patience"}
    config, found = chosen(train__time_budget=3600, model__hidden_size=77, model__dropout=0.25, train__patience=None)
    assert (config.model.hidden_size, config.model.dropout, config.train.patience) == (77, 0.25, None)
    assert not {"model.hidden_size", "model.dropout", "train.patience"} & {*found.keys}
    assert "units" not in found.line
    assert "wider" not in found.line


def test_the_line_says_what_was_chosen():
    config, found = chosen(train__time_budget=3600)
    m, t = config.model, config.train
    network = f"{m.cell}, {m.hidden_size} units, dropout {m.dropout:g}, recurrent dropout {m.recurrent_dropout:g}"
    assert f": {network}, rate {config.optim.learning_rate:g}, " in found.line
    assert f"{t.batch_size} rows, {t.seq_length} steps, epochs {t.epochs}, patience {t.patience}; " in found.line
    assert "\n" not in found.line


def test_nothing_ends_a_run_but_what_is_given_or_chosen():
    assert chosen()[0].train.epochs > 1
    assert chosen(train__iterations=70)[0].train.epochs is None
    assert chosen(train__epochs=3)[0].train.epochs == 3


def test_a_text_that_would_take_hours_is_read_for_minutes(monkeypatch):
    monkeypatch.setattr(rule, "USUAL", 0.001)
    config, found = chosen()
    assert (config.train.time_budget, config.train.epochs) == (0.001, None)
    assert "read in part" in found.line
    assert "time budget 0.001 s" in found.line


def test_without_an_end_by_passes_all_of_the_time_is_used():
    config, found = chosen(train__epochs=None, train__time_budget=3600)
    assert config.train.epochs is None
    assert " in about 1h on this machine" in found.line


def test_passes_and_updates_that_are_given_are_all_made():
    assert "train.patience" in chosen(train__time_budget=60)[1].keys
    for length in ({"train__epochs": 3}, {"train__iterations": 70}):
        assert "train.patience" not in chosen(train__time_budget=60, **length)[1].keys


def test_a_schedule_that_waits_for_an_improvement_is_not_cut_off_by_another_wait():
    assert "train.patience" not in chosen(train__time_budget=60, optim__schedule="plateau")[1].keys


@pytest.mark.parametrize("rare", [{}, {"max_vocab": 3}, {"max_vocab": 90}, {"min_count": 40}])
def test_the_network_that_is_foreseen_is_as_large_as_the_one_that_is_trained(rare):
    text, settings = text_of(5_000), [Setting(f"data.{name}", value, "given") for name, value in rare.items()]
    config, _ = resolve(choose(settings, text).settings, settings)
    foreseen = situation(config, set(), text).parameters(config.model.hidden_size)
    assert foreseen == prepare(config, text).run.model.num_parameters


def test_without_a_validation_part_nothing_waits_for_it():
    assert not {"train.patience", "train.eval_every"} & {*chosen(data__split=[1, 0, 0])[1].keys}


def test_no_patience_is_chosen_that_could_not_end_the_run():
    _, found = chosen(train__time_budget=60, train__eval_every=10**6)
    assert "train.patience" not in found.keys
    assert "ends earlier" not in found.line


def test_the_line_says_why_the_network_is_no_wider_and_for_how_long_it_learns():
    assert "would read too little in that time" in chosen(120_000, train__time_budget=1)[1].line
    line = chosen(120_000, train__iterations=10**7)[1].line
    assert "a wider network would take too long" in line
    assert re.search(r" in about (\d+h)?(\d+m)? on this machine", line)  # and no seconds


def test_the_rate_is_for_adam_and_not_below_what_it_is_to_end_at():
    assert "optim.learning_rate" not in chosen(optim__name="sgd")[1].keys
    assert {*chosen(optim__name="adamw")[1].keys} == {*chosen()[1].keys}
    assert chosen(optim__min_learning_rate=0.009, model__hidden_size=768)[0].optim.learning_rate == 0.009


def test_a_cell_that_is_given_is_kept_and_has_what_goes_with_it():
    config, found = chosen(train__time_budget=60, model__cell="rnn")
    assert (config.model.cell, config.model.recurrent_dropout) == ("rnn", 0)
    assert "model.recurrent_dropout" not in found.keys
    assert config.optim.learning_rate < chosen(train__time_budget=60)[0].optim.learning_rate


@pytest.mark.parametrize("key", ["layer_norm", "zoneout_c", "forget_bias"])
def test_the_cell_of_the_rule_can_have_what_is_given(key):
    config, _ = chosen(train__time_budget=60, **{f"model__{key}": True if key == "layer_norm" else 0.5})
    assert config.model.cell == rule.CELL
    assert build_model(config.model, 30).num_parameters
    assert not unread(config, {f"model.{key}": "--set"})


def test_a_short_text_is_told_what_it_is_good_for():
    assert chosen(5_000)[1].notes[0].startswith("5,000 characters are few: ")
    assert chosen(30_000)[1].notes == []


def test_documents_and_exact_gradients_are_left_alone():
    settings = [Setting("data.documents", "lines", "given")]
    assert choose(settings, text_of(3_000)) == NOTHING
    assert choose([Setting("train.gradient", "rtrl", "given")], text_of(3_000)) == NOTHING


def test_all_who_share_a_batch_have_a_row_of_it():
    assert chosen(5_000, train__layout="12x1")[0].train.batch_size == 12
    layout = [Setting("train.layout", "3x1", "given")]
    assert resolve(choose(layout, text_of(5_000), 4, 3).settings, layout)[0].train.batch_size == 12
    assert resolve(choose([], text_of(5_000), 4, 3).settings)[0].train.batch_size == 8


def test_more_cores_and_ranks_are_foreseen_to_be_faster():
    config, shape = resolve([])[0], Shape(512, 32, 64)
    speeds = [foresee(config, 60, ranks, cores)(shape) for ranks, cores in ((1, 1), (1, 2), (2, 2))]
    assert speeds == sorted(speeds)
    assert speeds[0] < 0.8 * speeds[1]
    of_one = resolve([Setting("train.threads", 1, "given")])[0]
    assert foresee(of_one, 60, 1, 8)(shape) == speeds[0]


def test_train_says_it_once_and_writes_plain_numbers(charrnn, text, tmp_path):
    said = charrnn("train", text, "-o", "run", "--iterations", 2).ok().err
    assert said.count("chosen for ") == 1
    written = (tmp_path / "run" / "config.yaml").read_text()
    assert len(re.findall("# chosen$", written, re.M)) == len(CHOSEN)
    config = checkpoints.load(tmp_path / "run").config
    assert resolve(read_yaml(written, "it"))[0] == config
    again = charrnn("train", text, "-o", "again", "-c", "run/config.yaml").ok().err
    assert "chosen" not in again
    assert checkpoints.load(tmp_path / "again").config == config
    arrays = [checkpoints.load(tmp_path / name).params.vector for name in ("run", "again")]
    np.testing.assert_array_equal(*arrays)


def test_a_recipe_that_is_named_is_never_changed(charrnn, text, tiny, tmp_path):
    said = charrnn("train", text, "-o", "run", "-c", tiny).ok().err
    assert "chosen" not in said
    assert "chosen" not in (tmp_path / "run" / "config.yaml").read_text()
    config = checkpoints.load(tmp_path / "run").config
    assert (config.model.dropout, config.train.seq_length, config.train.patience) == (0, 8, None)


def test_a_run_that_goes_on_is_not_chosen_for_anew_and_still_tells(charrnn, text, tmp_path):
    charrnn("train", text, "-o", "run", "--iterations", 2).ok()
    before = checkpoints.load(tmp_path / "run" / "last.npz").config
    written = tmp_path / "run" / "config.yaml"
    written.write_text(re.sub("dropout: [^ ]+ ", "dropout: 0.77 ", written.read_text(), count=1))  # another one's
    said = charrnn("train", "-o", "run", "--resume", "--more", 2).ok().err
    assert "chosen" not in said
    after = checkpoints.load(tmp_path / "run" / "last.npz").config
    assert after.model == before.model
    marked = re.findall(r"^  (\w+): .*# chosen$", (tmp_path / "run" / "config.yaml").read_text(), re.M)
    assert {*marked} == {path.partition(".")[2] for path in CHOSEN} - {"dropout"}


def test_old_weights_choose_for_themselves(charrnn, text):
    charrnn("train", text, "-o", "old", "--hidden-size", 5, "--iterations", 2).ok()
    said = charrnn("train", text, "-o", "new", "--init-from", "old", "--iterations", 2).ok().err
    assert "chosen" not in said


def test_other_tasks_keep_their_defaults(charrnn, tmp_path):
    (tmp_path / "pairs.tsv").write_text("".join(f"{label}\t{label}{n}\n" for n in range(40) for label in "ab"))
    said = charrnn("train", "pairs.tsv", "--task", "classify", "-o", "run", "--iterations", 2).ok().err
    assert "chosen" not in said
    assert checkpoints.load(tmp_path / "run").config.model.hidden_size == 128


def test_plan_shows_what_train_chooses(charrnn, text, tmp_path, monkeypatch):
    monkeypatch.setattr(timing.measure, "__defaults__", (0.05,))
    told = charrnn("plan", text, "--iterations", 3).ok().text
    (line,) = re.findall("^recipe:      (chosen for .*)$", told, re.M)
    facts = charrnn("plan", text, "--iterations", 3, "-o", "plan.yaml", "--json").ok().json
    assert {*facts["chosen"]} == CHOSEN
    assert line in charrnn("train", text, "--iterations", 3, "-o", "run").ok().err
    charrnn(*shlex.split(facts["train"])[1:], "-o", "planned", "-q").ok()
    configs = [checkpoints.load(tmp_path / name).config for name in ("run", "planned")]
    assert configs[0].model == configs[1].model
    assert configs[0].optim == configs[1].optim


def test_a_plan_does_not_advise_against_what_was_chosen(charrnn, text, monkeypatch):
    monkeypatch.setattr(timing.measure, "__defaults__", (0.05,))
    by_heart = "will know them by heart"
    assert by_heart not in charrnn("plan", text, "--iterations", 3).ok().text
    assert by_heart in charrnn("plan", text, "--iterations", 3, "--hidden-size", 512).ok().text


def test_a_plan_of_too_little_time_does_not_advise_another_width_than_the_chosen_one(charrnn, text, monkeypatch):
    monkeypatch.setattr(timing.measure, "__defaults__", (0.05,))
    words, not_once = ["plan", text, "--time-budget", "0.001s"], "the text is not read once"
    assert not_once not in charrnn(*words).ok().text
    assert not_once in charrnn(*words, "--hidden-size", 64).ok().text


def test_python_chooses_as_the_command_does(charrnn, text, tmp_path):
    charrnn("train", text, "--iterations", 3, "--seed", 1, "-o", "typed").ok()
    package.train(text, iterations=3, seed=1, out=tmp_path / "called")
    configs = [checkpoints.load(tmp_path / name).config for name in ("typed", "called")]
    assert configs[0] == configs[1]
    named = package.train(text, config="lstm", iterations=1, hidden_size=4)
    assert named.config.train.patience is None
