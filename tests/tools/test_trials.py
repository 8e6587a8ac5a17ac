"""Trials of recipes: how texts are cut, what is trained, and what regret, tricks and rates say of their tables."""

from __future__ import annotations

import argparse
import itertools
import math

import pytest
from experiments import rates, regret, regret_table, trials, tricks
from experiments.regret_table import CHOSEN, GRID
from experiments.trials import Row, Trial, as_words

from charrnn.config.resolve import Setting, resolve
from charrnn.nn.build import build_model


def row(settings, nats, seed=1, recipe="grid", seconds=30, text="a"):
    return Row(text, 5000, seconds, seed, recipe, settings, nats, nats + 0.1, 20, 90, "a machine")


def test_the_grid_is_of_recipes_that_can_be_trained_and_are_all_different():
    assert len(GRID) >= 24
    assert len({as_words(settings) for settings in GRID}) == len(GRID)
    configs = [resolve([Setting(key, value, "here") for key, value in settings.items()])[0] for settings in GRID]
    assert {config.model.cell for config in configs} == {"lstm", "gru"}
    assert {config.model.num_layers for config in configs} == {1, 2}


def test_rows_come_back_as_they_were_written(tmp_path):
    rows = [row("x=1", 1.1 + 0.2), row("x=1 y=a", 2.5, recipe=CHOSEN)]
    for each in rows:
        trials.append(tmp_path / "deep" / "table.tsv", each)
    assert trials.read(tmp_path / "deep" / "table.tsv") == rows
    assert trials.read(tmp_path / "none.tsv") == []


def test_the_regret_is_what_the_best_of_most_seeds_is_better_by():
    rows = [row("x=1", 1.5), row("x=1", 1.7, seed=2), row("x=2", 1.4), row("x=3", 1.9), row("x=3", 1.9, seed=2)]
    rows += [row("x=9", 1.65, recipe=CHOSEN), row("x=9", 1.75, seed=2, recipe=CHOSEN)]
    (found,) = regret_table.regrets(rows)
    assert (found.settings, found.seeds, found.recipes) == ("x=1", 2, 3)  # and not that of one lucky seed
    assert found.regret == pytest.approx(0.1)


def test_a_chosen_recipe_of_more_seeds_or_fewer_is_compared_by_those_that_both_have():
    rows = [row("x=1", 1.5), row("x=9", 1.6, recipe=CHOSEN), row("x=9", 2.6, seed=2, recipe=CHOSEN)]
    (found,) = regret_table.regrets(rows)
    assert (found.regret, found.seeds) == (pytest.approx(0.1), 1)
    (found,) = regret_table.regrets([rows[1], row("x=1", 1.5), row("x=1", 0.5, seed=2)])
    assert (found.regret, found.seeds) == (pytest.approx(0.1), 1)
    assert not [*regret_table.regrets([*rows[1:], row("x=1", 1.0, seed=3)])]


def test_texts_and_times_are_apart_and_what_has_no_rival_is_left_out():
    rows = [row("x=1", 1.0), row("x=9", 1.2, recipe=CHOSEN), row("x=9", 2.0, recipe=CHOSEN, seconds=120)]
    rows += [row("x=1", 3.0, text="b"), row("x=9", 2.9, recipe=CHOSEN, text="b")]
    assert [found.regret for found in regret_table.regrets(rows)] == pytest.approx([0.2, -0.1])
    table = "\n".join(regret_table.lines(regret_table.regrets(rows)))
    assert "Mean regret +0.0500, worst +0.2000 nats per character, of 2." in table


def test_a_rule_that_has_changed_is_judged_by_what_it_chose_last():
    rows = [row("x=1", 1.0), row("x=8", 9.0, recipe=CHOSEN), row("x=9", 1.5, recipe=CHOSEN)]
    (found,) = regret_table.regrets(rows)
    assert found.regret == pytest.approx(0.5)
    (found,) = regret_table.regrets(rows, {("a", 5000, 30): "x=8"})  # it is again as it was first
    assert found.regret == pytest.approx(8)
    assert not [*regret_table.regrets(rows, {("a", 5000, 30): "x=7"})]  # which nobody has tried


def test_a_short_text_is_tested_on_what_comes_behind_it(tmp_path):
    text = "".join(f"{n * n % 997} " for n in range(10_000))
    (tmp_path / "numbers.txt").write_text(text, "utf-8")
    found = trials.cut("numbers.txt:5000", tmp_path, tmp_path / "scratch")
    assert found.learn.read_text("utf-8") == text[:5000]
    assert found.test.read_text("utf-8") == text[5000 : 5000 + trials.TEST]
    with pytest.raises(SystemExit, match="too few to test on 20,000"):
        trials.cut("numbers.txt:30000", tmp_path, tmp_path / "scratch")


def test_more_seeds_are_for_the_best_and_for_what_is_chosen(tmp_path, monkeypatch):
    monkeypatch.setattr(regret, "chosen_for", lambda cut, seconds: {"x": 9})
    cut = trials.Cut("a", 5000, tmp_path, tmp_path)
    args = argparse.Namespace(seconds=[30], seeds=[1, 2], chosen=False)
    wanted = [*regret.wanted([cut], args, [], first=True)]
    assert len(wanted) == len(GRID) + 1
    rows = [row(trial.key[4], 2.0 + n / 100, recipe=trial.name) for n, trial in enumerate(wanted)]
    more = [*regret.wanted([cut], args, rows, first=False)]
    assert [trial.settings for trial in more] == [{"x": 9}, *GRID[: regret.FEW]]
    assert {trial.seed for trial in more} == {2}
    rows += [row(trial.key[4], 9.0, seed=2, recipe=trial.name) for trial in more]
    assert [*regret.wanted([cut], args, rows, first=False)] == more  # the same again, however the second seed was


def test_what_has_a_row_is_not_tried_again(tmp_path, monkeypatch):
    cut, tried = trials.Cut("a", 5000, tmp_path, tmp_path), []
    monkeypatch.setattr(trials, "run", lambda trial, *_: tried.append(trial) or row(trial.key[4], 2.0))
    wanted = [Trial(cut, 30, 1, "grid", {"x": n}) for n in range(5)]
    trials.run_all(wanted[:3], tmp_path / "table.tsv", tmp_path)
    trials.run_all(wanted, tmp_path / "table.tsv", tmp_path)
    assert sorted(trial.settings["x"] for trial in tried) == [0, 1, 2, 3, 4]
    assert len(trials.read(tmp_path / "table.tsv")) == 5


def test_each_trick_changes_the_recipe_to_one_that_can_be_trained():
    for text in tricks.BASES:
        recipes = {trick: tricks.settings_of(text, trick) for trick in tricks.TRICKS}
        assert len({as_words(recipe) for recipe in recipes.values()}) == len(recipes)
        for recipe in recipes.values():
            config, _ = resolve([Setting(key, value, "here") for key, value in recipe.items()])
            assert build_model(config.model, 50).num_parameters > 50
    assert tricks.settings_of("irish.abc:150000", "dropout of 0.1 more")["model.dropout"] == 0.4


def test_a_trick_is_compared_with_the_recipe_of_the_same_text_and_seed():
    rows = [row("x=0", 2.0, recipe=tricks.AS_IT_IS), row("x=0", 1.0, seed=2, recipe=tricks.AS_IT_IS)]
    rows += [
        row("x=1", 1.9, recipe="LSTM"),
        row("x=1", 0.7, seed=2, recipe="LSTM"),
        row("x=2", 5.0, seed=3, recipe="z"),
    ]
    assert [*tricks.lines(rows)][2:] == ["| LSTM | +0.200 | +0.200 | 2 |"]


def test_rows_of_a_recipe_that_was_changed_since_are_no_part_of_it():
    text, name = "irish.abc:150000", "irish.abc"
    trick, bare = (as_words(tricks.settings_of(text, each)) for each in ("LSTM", tricks.AS_IT_IS))
    now = [
        row(bare, 2.0, recipe=tricks.AS_IT_IS)._replace(text=name, characters=150_000),
        row(trick, 1.9, recipe="LSTM")._replace(text=name, characters=150_000),
    ]
    before = [now[1]._replace(settings="model.cell=gru"), now[1]._replace(characters=5), now[1]._replace(recipe="gone")]
    assert tricks.of_now([*before, *now]) == now


def test_each_optimizer_is_tried_at_rates_that_are_some_three_times_as_high_each():
    for optimizer, some in rates.RATES.items():
        configs = [
            resolve([Setting(key, value, "here") for key, value in rates.settings_of(optimizer, rate).items()])[0]
            for rate in some
        ]
        assert [config.optim.learning_rate for config in configs] == list(some)
        assert {(config.optim.name, config.optim.weight_decay) for config in configs} == {(optimizer, 0.0)}
        assert all(3 <= round(high / low, 6) <= 3.4 for low, high in itertools.pairwise(some))


def test_the_best_rate_of_an_optimizer_is_told_by_the_mean_of_its_seeds():
    low, high = (as_words(rates.settings_of("sgd", rate)) for rate in rates.RATES["sgd"][:2])
    far = as_words(rates.settings_of("sgd", rates.RATES["sgd"][2]))
    rows = [row(low, 2.0), row(high, 1.9), row(high, 2.3, seed=2), row(far, math.inf)]
    assert [*rates.lines(rows)][2:] == ["| `sgd` | 1: 2.000, 3: **1.900**, 10: diverged |"]  # of the seed that all have
    rows += [row(low, 2.0, seed=2), row(far, 2.5, seed=2)]
    assert [*rates.lines(rows)][2:] == ["| `sgd` | 1: **2.000**, 3: 2.100, 10: diverged |"]


def test_every_text_of_the_table_is_reported(tmp_path, capsys):
    for text in (regret.FITTED[0].partition(":")[0], regret.CHECKED[1], "novel.txt"):
        number = int(regret.FITTED[0].partition(":")[2])
        trials.append(tmp_path / "t.tsv", row("x=1", 1.5, text=text)._replace(characters=number))
        trials.append(tmp_path / "t.tsv", row("x=9", 1.6, text=text, recipe=CHOSEN)._replace(characters=number))
    regret.main(["--report", "--out", str(tmp_path / "t.tsv")])
    said = capsys.readouterr().out
    assert said.count("Mean regret +0.1000, worst +0.1000 nats per character, of 1.") == 3
    assert said.index("fitted to") < said.index("checked on") < said.index("Other texts") < said.index("novel.txt")


def test_a_recipe_that_diverges_has_an_infinite_loss_and_does_not_end_the_others(tmp_path):
    (tmp_path / "fox.txt").write_text("the quick brown fox\n" * 1200, "utf-8")
    cut = trials.cut("fox.txt:3000", tmp_path, tmp_path / "scratch")
    settings = {"model.hidden_size": 6, "train.batch_size": 4, "optim.name": "sgd", "optim.learning_rate": 1e30}
    settings |= {"optim.clip_norm": None, "train.dtype": "float32"}
    found = trials.run(Trial(cut, 1, 1, "grid", settings), tmp_path / "scratch")
    assert found.test_nats == found.val_nats == math.inf
    trials.append(tmp_path / "t.tsv", found)
    assert trials.read(tmp_path / "t.tsv") == [found]


@pytest.mark.timeout(120)
def test_a_recipe_is_trained_and_tested(tmp_path):
    text = "".join(f"verse {n * n % 97}, the quick brown fox\n" for n in range(1000))
    (tmp_path / "fox.txt").write_text(text, "utf-8")
    cut = trials.cut("fox.txt:3000", tmp_path, tmp_path / "scratch")
    settings = {"model.hidden_size": 6, "model.cell": "gru", "train.batch_size": 4}
    found = trials.run(Trial(cut, 1, 1, "grid", settings), tmp_path / "scratch")
    assert found.settings == "model.cell=gru model.hidden_size=6 train.batch_size=4"
    assert 0 < found.test_nats < 4
    assert 0 < found.best_at <= found.iterations
    assert [path.name for path in (tmp_path / "scratch").iterdir()] == ["fox-3000"]
    assert "model.hidden_size" in regret.chosen_for(cut, 30)
