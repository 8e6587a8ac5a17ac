"""Lists of names, and texts with labels, on the command line: trained, described, and written line by line."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from charrnn.runs.checkpoint import load
from charrnn.tasks import documents

NAMES = Path(__file__).parents[3] / "shared" / "data" / "names.txt"

SMALL = {
    "model.hidden_size": 12,
    "train.batch_size": 8,
    "train.seq_length": 8,
    "train.iterations": 60,
    "train.seed": 1,
    "train.threads": 1,
    "optim.learning_rate": 0.02,
    "data.split": "[0.9,0.1,0]",
}


def words(source, **changes):
    settings = SMALL | {name.replace("__", "."): value for name, value in changes.items()}
    return ["train", source, "-o", "run", "-q", *(word for k, v in settings.items() for word in ("--set", f"{k}={v}"))]


@pytest.fixture
def texts(tmp_path):
    """`names.txt`, `pairs.tsv` with two labels, and `tunes.txt`, whose documents have two lines each."""
    draw = random.Random(0)
    names = ["".join(draw.choices("abcde", k=draw.randint(2, 9))) for _ in range(150)]
    (tmp_path / "names.txt").write_text("\n".join(names))
    (tmp_path / "pairs.tsv").write_text("".join(f"{'ab'[name[0] < 'c']}\t{name}\n" for name in names))
    (tmp_path / "tunes.txt").write_text("".join(f"{name}\n{name}\n\n" for name in names))


@pytest.fixture
def run(charrnn, texts):
    """Trains, and returns what samples from the run."""

    def run(source, **changes):
        charrnn(*words(source, **changes)).ok()
        return lambda *options: charrnn("sample", "run", "--seed", 4, *options).ok().text

    return run


def test_a_sample_of_documents_of_lines_is_a_line(run):
    sample = run("names.txt", data__documents="lines")
    lines = sample("--samples", 300).split("\n")
    assert lines.pop() == ""
    assert len(lines) == 300
    assert all(lines)
    assert set("".join(lines)) == set("abcde")
    assert sample() == sample("--no-stream") != sample("--seed", 5)
    assert sample().endswith("\n")
    assert sample().count("\n") == 1


def test_a_prompt_begins_each_line(run):
    sample = run("names.txt", data__documents="lines")
    assert all(line.startswith("ab") for line in sample("--samples", 20, "--prompt", "ab").splitlines())
    assert sample("--prompt", "ab", "-n", 0) == "ab\n"


def test_documents_of_several_lines_have_a_heading_each(run):
    sample = run("tunes.txt", data__documents='"\\n\\n"', train__seq_length=24)
    text = sample("--samples", 3)
    assert text.count("\n--- ") == 2
    assert text.startswith("--- 1 of 3 ---\n")


def test_what_was_read_is_said_and_kept(charrnn, texts, tmp_path):
    said = charrnn(*[word for word in words("names.txt", data__documents="lines") if word != "-q"]).ok().err
    assert "names.txt: 135 documents to learn from, 15 to validate on; 5 distinct characters\n" in said
    facts = charrnn("info", "run", "--json").ok().json
    assert (facts["task"], facts["vocabulary"], facts["symbols"]) == ("language_model", 5, "abcde")
    assert load(tmp_path / "run").model.vocab_size == 6


def test_a_label_chooses_what_is_written(run, charrnn):
    sample = run("pairs.tsv", task__name="generate", train__iterations=200)
    for label, first in (("a", "cde"), ("b", "ab")):
        lines = sample("--samples", 100, "--label", label, "--temperature", 0.5).splitlines()
        assert sum(line[0] in first for line in lines) > 90
    firsts = {line[0] for line in sample("--samples", 100).splitlines()}
    assert firsts == set("abcde")
    assert charrnn("info", "run", "--json").ok().json["labels"] == ["a", "b"]
    charrnn("sample", "run", "--label", "c").fails(2, "--label 'c': no text had it; the nearest is ")


def test_a_label_for_a_run_that_has_none_is_refused(run, charrnn):
    run("names.txt", data__documents="lines", train__iterations=2)
    charrnn("sample", "run", "--label", "a").fails(2, "--label 'a'", "had no labels", "task.name=generate")


def test_a_run_that_answers_is_not_asked_to_write(charrnn, texts):
    charrnn(*words("pairs.tsv", task__name="classify", train__iterations=2)).ok()
    charrnn("sample", "run").fails(2, "only language models can write", "charrnn predict")


@pytest.mark.parametrize(
    ("changes", "code", "wrong"),
    [
        (
            {"task__name": "generate", "data__documents": "lines"},
            2,
            "data.documents: the task generate does not",
        ),
        ({"data__documents": "lines", "train__gradient": "rtrl"}, 2, "rtrl is for one text"),
        ({"data__documents": "lines", "model__bidirectional": "true"}, 2, "model.bidirectional"),
        ({"data__documents": "files"}, 3, "names.txt"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_line(charrnn, texts, tmp_path, changes, code, wrong):
    charrnn(*words("names.txt", **changes)).fails(code, wrong)
    assert not (tmp_path / "run").exists()


def test_gradflow_is_for_one_text(run, charrnn):
    run("names.txt", data__documents="lines", train__iterations=2)
    charrnn("gradflow", "run").fails(2, "language models of one text")


def test_a_model_of_one_text_begins_one_of_documents(charrnn, texts, tmp_path):
    charrnn(*words("names.txt", train__iterations=5)).ok()
    (tmp_path / "run").rename(tmp_path / "old")
    changes = {"data__documents": "lines", "optim__learning_rate": 1e-12, "train__iterations": 1}
    charrnn(*words("names.txt", **changes), "--init-from", "old/last.npz").ok()
    old, new = load(tmp_path / "old" / "last.npz"), load(tmp_path / "run" / "last.npz")
    assert old.task.vocabulary.symbols == "\nabcde"
    assert abs(new.params["layers.0.W"][:17] - old.params["layers.0.W"][[*range(12), *range(13, 18)]]).max() < 1e-9


def test_a_run_of_documents_is_checked_on_windows_of_documents(run, charrnn, monkeypatch):
    run("names.txt", data__documents="lines", train__iterations=2)
    drawn, draw = [], documents.random_window
    monkeypatch.setattr(documents, "random_window", lambda *given: drawn.append(draw(*given)) or drawn[-1])
    charrnn("gradcheck", "run").ok()
    assert min(drawn[-1].lengths) < len(drawn[-1].x)


# --- what a list of names teaches ---


def broken(lines, grammar):
    return [line for line in lines if not re.fullmatch(grammar, line)]


def test_names_are_well_formed_from_the_first_character_to_the_last(run, tmp_path):
    """Syllables of a consonant and a vowel, two to four of them: nothing in a line alone tells where a name begins."""
    draw = random.Random(1)
    names = ["".join(draw.choice("bcd") + draw.choice("aeiou") for _ in range(draw.randint(2, 4))) for _ in range(300)]
    (tmp_path / "names.txt").write_text("\n".join(names))
    changes = {"model__hidden_size": 24, "train__seq_length": 16, "train__iterations": 500}
    sample = run("names.txt", data__documents="lines", **changes)
    assert len(broken(sample("--samples", 300).splitlines(), "([bcd][aeiou]){2,4}")) <= 30


@pytest.mark.long
@pytest.mark.skipif(not NAMES.exists(), reason="the list of names is not here")
def test_so_are_those_of_a_list_of_real_ones(run):
    changes = {"model__hidden_size": 64, "train__batch_size": 32, "train__seq_length": 32, "train__iterations": 2000}
    sample = run(NAMES, data__documents="lines", optim__learning_rate=0.005, **changes)
    lines = sample("--samples", 300).splitlines()
    assert len(lines) == 300
    assert len(broken(lines, "[a-z]{2,15}")) <= 6  # of windows cut from one text, every second is broken
