"""The regret of the chosen recipe: how texts are cut, what is trained, and what the table says."""

from __future__ import annotations

import argparse

import pytest
from experiments import regret, regret_table
from experiments.regret_table import CHOSEN, GRID, Row, as_words

from charrnn.config.resolve import Setting, resolve


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
        regret_table.append(tmp_path / "deep" / "table.tsv", each)
    assert regret_table.read(tmp_path / "deep" / "table.tsv") == rows
    assert regret_table.read(tmp_path / "none.tsv") == []


def test_the_regret_is_what_the_best_of_most_seeds_is_better_by():
    rows = [row("x=1", 1.5), row("x=1", 1.7, seed=2), row("x=2", 1.4), row("x=3", 1.9), row("x=3", 1.9, seed=2)]
    rows += [row("x=9", 1.65, recipe=CHOSEN), row("x=9", 1.75, seed=2, recipe=CHOSEN)]
    (found,) = regret_table.regrets(rows)
    assert (found.settings, found.seeds, found.recipes) == ("x=1", 2, 3)  # and not that of one lucky seed
    assert found.regret == pytest.approx(0.1)


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


def test_a_short_text_is_tested_on_what_comes_behind_it(tmp_path):
    text = "".join(f"{n * n % 997} " for n in range(10_000))
    (tmp_path / "numbers.txt").write_text(text, "utf-8")
    found = regret.cut("numbers.txt:5000", tmp_path, tmp_path / "scratch")
    assert found.learn.read_text("utf-8") == text[:5000]
    assert found.test.read_text("utf-8") == text[5000 : 5000 + regret.TEST]
    with pytest.raises(SystemExit, match="too few to test on 20,000"):
        regret.cut("numbers.txt:30000", tmp_path, tmp_path / "scratch")


def test_what_has_a_row_is_not_trained_again_and_more_seeds_are_for_the_best(tmp_path, monkeypatch):
    monkeypatch.setattr(regret, "chosen_for", lambda cut, seconds: {"x": 9})
    cut = regret.Cut("a", 5000, tmp_path, tmp_path)
    args = argparse.Namespace(seconds=[30], seeds=[1, 2])
    wanted = [*regret.tasks([cut], args, [], first=True)]
    assert len(wanted) == len(GRID) + 1
    rows = [row(task.key[4], 2.0 + n / 100, recipe=task.recipe) for n, task in enumerate(wanted)]
    assert [*regret.tasks([cut], args, rows, first=True)] == []
    assert len([*regret.tasks([cut], args, rows[1:], first=True)]) == 1
    more = [*regret.tasks([cut], args, rows, first=False)]
    assert [task.settings for task in more] == [{"x": 9}, *GRID[: regret.FEW]]
    assert {task.seed for task in more} == {2}


@pytest.mark.timeout(120)
def test_a_recipe_is_trained_and_tested(tmp_path):
    text = "".join(f"verse {n * n % 97}, the quick brown fox\n" for n in range(1000))
    (tmp_path / "fox.txt").write_text(text, "utf-8")
    cut = regret.cut("fox.txt:3000", tmp_path, tmp_path / "scratch")
    settings = {"model.hidden_size": 6, "model.cell": "gru", "train.batch_size": 4}
    found = regret.train(regret.Task(cut, 1, 1, "grid", settings), tmp_path / "scratch", None)
    assert found.settings == "model.cell=gru model.hidden_size=6 train.batch_size=4"
    assert 0 < found.test_nats < 4
    assert 0 < found.best_at <= found.iterations
    assert [path.name for path in (tmp_path / "scratch").iterdir()] == ["fox-3000"]
    assert "model.hidden_size" in regret.chosen_for(cut, 30)
