"""What `make results` cuts, counts and prints. What a network reaches, no test says."""

from __future__ import annotations

import json
import sys

import pytest
from results import baselines, cutting, measure, texts
from results.rows import ROWS

import charrnn
from charrnn.cli.common import config_names, read_config
from charrnn.config.resolve import resolve
from charrnn.nn.build import build_model


def test_a_text_is_held_out_by_its_checksum_alone():
    held_out = [number for number in range(1000) if cutting.held_out(str(number))]
    assert held_out[:8] == [6, 29, 37, 40, 48, 81, 82, 88]
    assert len(held_out) == 83


def test_equal_texts_are_in_one_part(tmp_path):
    (tmp_path / "t.tsv").write_text("".join(f"label {i % 3}\t{i % 50}\n" for i in range(200)), "utf-8")
    train, test = cutting.labelled(tmp_path, "t.tsv")
    assert len(train) + len(test) == 200
    assert {text for _, text in test} == {"6", "29", "37", "40", "48"}
    assert not {text for _, text in train} & {text for _, text in test}


def test_messages_that_the_network_saw_are_no_test(tmp_path, monkeypatch):
    monkeypatch.setattr(cutting, "SMS_TRAIN", 2)
    (tmp_path / "t.tsv").write_text("ham\ta\nspam\tb\nham\tc\nspam\tb\nham\td", "utf-8")
    assert cutting.messages(tmp_path, "t.tsv") == ([("ham", "a"), ("spam", "b")], [("ham", "c"), ("ham", "d")])


def test_a_sum_is_never_learnt_turned_around(tmp_path, monkeypatch):
    monkeypatch.setattr(cutting, "DIGITS", 2)
    train, test = ({frozenset(source.split("+")) for source, _ in part} for part in cutting.sums(tmp_path, "2000"))
    assert test
    assert not train & test


def test_sums_are_written_backwards_with_their_right_results(tmp_path):
    pairs = [pair for part in cutting.sums(tmp_path, "50 reversed") for pair in part]
    assert len(pairs) == 50
    assert all(sum(int(number[::-1]) for number in source.split("+")) == int(target) for source, target in pairs)


def test_what_is_written_is_read_again(tmp_path):
    pairs = [("a\\tb", "c"), ("", "é")]  # as it stands in a file
    cutting.write(pairs, tmp_path / "t.tsv", made=False)
    assert cutting.read(tmp_path / "t.tsv") == pairs
    cutting.write([("a\tb", "c")], tmp_path / "t.tsv", made=True)
    assert cutting.read(tmp_path / "t.tsv") == [("a\\tb", "c")]


def test_f1_counts_what_should_change_and_what_did():
    assert baselines.f1_of_changes(["abcd"], ["ABcd"], ["Abcd"]) == pytest.approx(2 / 3)
    assert baselines.f1_of_changes(["abcd"], ["ABcd"], ["ABCD"]) == pytest.approx(4 / 6)
    assert baselines.f1_of_changes(["abcd"], ["ABcd"], ["abcd"]) == 0


@pytest.mark.parametrize("name", ROWS)
def test_every_row_has_a_config_of_its_task(name):
    row = ROWS[name]
    assert (row.config or name) in config_names()
    assert resolve(read_config(row.config or name))[0].task.name == row.task


def test_a_row_is_measured_beside_its_baselines(tmp_path, monkeypatch, capsys):
    data = [(("odd", "even")[number % 2 == 0], str(number)) for number in range(400)]
    (tmp_path / "splice.tsv").write_text("".join(f"{label}\t{text}\n" for label, text in data), "utf-8")
    quickly = ["train.epochs=1", "model.hidden_size=2", "train.eval_every=1000"]
    options = [word for setting in quickly for word in ("--set", setting)]
    scratch = tmp_path / "scratch"
    given = ["measure.py", "splice", "--data", tmp_path, "--scratch", scratch, "--seeds", 2, *options]
    monkeypatch.setattr(sys, "argv", list(map(str, given)))
    measure.main()
    table = capsys.readouterr().out
    assert "| the most frequent label | 0." in table
    assert "| both directions, mean of 2, and range | 0." in table
    figures = json.loads((scratch / "splice" / "figures.json").read_text())
    assert [(one["variant"], one["seed"]) for one in figures] == [
        (way, seed) for way in ("both directions", "one direction") for seed in (1, 2)
    ]


def test_data_that_are_not_there_are_a_clear_line(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["measure.py", "names", "--data", str(tmp_path), "--scratch", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"names_by_language\.tsv is not there; say where the data are: --data DIR"):
        measure.main()


BYTES_OF_WAR_AND_PEACE = 87


def test_the_networks_of_a_column_of_the_paper_are_equally_large():
    sizes = {name: build_model(config_of(name).model, BYTES_OF_WAR_AND_PEACE).num_parameters for name in texts.ROWS}
    for units in (64, 128):
        of_lstm, *others = (sizes[f"wp-{cell}-{units}"] for cell in ("lstm", "gru", "rnn"))
        for other in others:
            assert other == pytest.approx(of_lstm, rel=0.01)


@pytest.mark.parametrize("name", texts.ROWS)
def test_every_row_of_a_text_has_a_config_that_follows_its_source(name):
    config = config_of(name)
    assert config.task.name == "language_model"
    if name == "mit-lab":
        assert config.optim.clip_norm is None
    elif name != "torch-rnn":  # which takes the mean, as is done here
        threshold = config.optim.clip_norm if name == "zaremba" else config.optim.clip_value
        rounded = 2e-3 if name == "zaremba" else 1e-6  # 5 / 35 is written as 0.143
        assert threshold * config.train.seq_length == pytest.approx(5, rel=rounded)
    if config.optim.name == "sgd":
        assert config.optim.learning_rate == config.train.seq_length
    if config.optim.name == "rmsprop":
        assert config.optim.eps * config.train.seq_length == pytest.approx(1e-8)
    if texts.ROWS[name].published is not None:
        assert config.data.split[2]


def config_of(name):
    return resolve(read_config(name))[0]


def measure_text(name, text, tmp_path, monkeypatch, *more):
    """Runs `make results ROW=name` on a text, with tiny networks."""
    (tmp_path / "pairs").mkdir()
    (tmp_path / text).write_text("".join(f"{n} and {n * n}; " for n in range(250)), "utf-8")
    quickly = ["train.epochs=2", "model.hidden_size=3", "train.batch_size=4", "train.seq_length=20", "train.threads=1"]
    options = [word for setting in (*quickly, "train.eval_every=7") for word in ("--set", setting)]
    given = ["measure.py", name, "--data", tmp_path / "pairs", "--scratch", tmp_path / "scratch", *options, *more]
    monkeypatch.setattr(sys, "argv", list(map(str, given)))
    measure.main()


def test_a_text_is_measured_beside_what_was_published(tmp_path, monkeypatch, capsys):
    measure_text("wp-lstm-64", "warpeace_input.txt", tmp_path, monkeypatch, "--seeds", 2)
    *_, one, two, both = (line.split(" | ") for line in capsys.readouterr().out.splitlines())
    kept = json.loads((tmp_path / "scratch/wp-lstm-64/figures.json").read_text())
    assert [one[1], two[1], both[1]] == ["1", "2", "mean of 2"]
    assert one[2:5] == [f"{kept[0]['validation']:.4f}", f"{kept[0]['test']:.4f}", "1.449"]
    assert both[3].startswith(f"{(kept[0]['test'] + kept[1]['test']) / 2:.4f} (")
    best = charrnn.load(tmp_path / "scratch/wp-lstm-64/2/best.npz")
    said = best.evaluate(tmp_path / "warpeace_input.txt", split="test")
    assert said["nats_per_char"] == pytest.approx(kept[1]["test"])


def test_a_recipe_without_a_test_part_is_judged_by_its_validation_part(tmp_path, monkeypatch, capsys):
    measure_text("char-rnn", "tinyshakespeare.txt", tmp_path, monkeypatch)
    *_, row = (line.split(" | ") for line in capsys.readouterr().out.splitlines())
    assert row[:2] == ["| char-rnn", "1"]
    assert float(row[2]) > 0
    assert row[3:5] == ["", ""]


def test_a_text_that_is_not_there_is_a_clear_line(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["measure.py", "warpeace", "--data", str(tmp_path), "--scratch", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"warpeace_input\.txt is not there; say where the data are: --data DIR"):
        measure.main()
