"""`--set data.min_count`: rare characters in bytes, from training to sampling, as a user meets them."""

from __future__ import annotations

import json
import math

import pytest

RARE = "".join(map(chr, range(0x4E00, 0x4F40)))
TEXT = "".join(f"{RARE[n % len(RARE)]}は the 🦊 {n % 7}。\n" for n in range(500))
SMALL = ["model.hidden_size=6", "train.iterations=4", "train.batch_size=2", "train.seq_length=8", "train.threads=1"]
WORDS = [word for key in [*SMALL, "train.seed=1", "train.eval_every=2"] for word in ("--set", key)]


@pytest.fixture
def rare(tmp_path):
    (tmp_path / "rare.txt").write_text(TEXT, "utf-8")
    return "rare.txt"


@pytest.fixture
def spelled(charrnn, rare):
    charrnn("train", rare, "-o", "run", *WORDS, "--set", "data.min_count=5").ok()
    return "run"


def test_many_rare_characters_are_told_with_words_that_work_when_pasted(charrnn, rare):
    said = charrnn("train", rare, "-o", "plain", *WORDS).ok().err
    line = next(line for line in said.splitlines() if "occur less than 5 times" in line)
    assert line.startswith("320 of ")
    words = line.split("bytes: ")[1].split()
    after = charrnn("train", rare, "-o", "run", *WORDS, *words).ok().err
    assert "occur less than" not in after
    assert any(line.startswith("320 of ") and line.endswith("are spelled in bytes") for line in after.splitlines())
    assert "15 characters with symbols of their own, and 256 bytes for all others" in after


def test_no_character_is_unknown_to_such_a_run(charrnn, spelled, tmp_path):
    (tmp_path / "other.txt").write_text("Ελληνικά は 🐙\n" * 30, "utf-8")
    report = json.loads(charrnn("eval", spelled, "other.txt", "--json").ok().out)
    text = "Ελληνικά は 🐙\n" * 30
    assert (report["chars"], report["bytes"]) == (len(text) - 1, len(text[1:].encode()))
    nats = report["nats_per_char"] * report["chars"]
    assert report["bits_per_byte"] == pytest.approx(nats / math.log(2) / report["bytes"])
    written = charrnn("sample", spelled, "-n", 40, "--prompt", "Ελ🐙", "--seed", 1).ok().out
    assert written.decode().startswith("Ελ🐙")
    assert len(written.decode()) == 3 + 40
    assert charrnn("sample", spelled, "-n", 40, "--prompt", "Ελ🐙", "--seed", 1, "--no-stream").ok().out == written


def test_the_last_evaluation_is_what_eval_finds(charrnn, spelled, rare, metrics, tmp_path):
    last = metrics(tmp_path / spelled)[-1]["val_nats"]
    found = json.loads(charrnn("eval", f"{spelled}/last.npz", rare, "--split", "validation", "--json").ok().out)
    assert found["nats_per_char"] == pytest.approx(last, rel=1e-6)


def test_a_page_shows_characters_and_not_bytes(charrnn, spelled, rare, tmp_path):
    charrnn("eval", spelled, rare, "--split", "validation", "--heat", "page.html").ok()
    page = (tmp_path / "page.html").read_text("utf-8")
    assert TEXT[-5] in page
    assert "\ufffd" not in page


def test_info_says_that_other_characters_are_bytes(charrnn, spelled):
    facts = json.loads(charrnn("info", spelled, "--json").ok().out)
    assert (facts["byte_fallback"], facts["vocabulary"]) == (256, 15 + 256)
    assert len(facts["symbols"]) == 15


def test_such_a_run_goes_on_exactly(charrnn, spelled, rare, contents, tmp_path):
    more = [*WORDS, "--set", "train.iterations=8", "--set", "data.min_count=5"]
    charrnn("train", rare, "-o", "whole", *more).ok()
    charrnn("train", "-o", spelled, "--resume", "--set", "train.iterations=8").ok()
    one, other = (contents(tmp_path / run / "last.npz")[0] for run in ("whole", spelled))
    assert one.keys() == other.keys()
    again = charrnn("train", "-o", spelled, "--resume", "--set", "data.min_count=3", "--set", "train.iterations=9")
    again.fails(2, "data.min_count was 5 and cannot become 3")


@pytest.mark.parametrize("task", ["classify", "tag", "transduce"])
def test_a_task_with_an_unknown_symbol_says_that_it_does_not_read_it(charrnn, pairs, task):
    done = charrnn("train", pairs(task), "--set", f"task.name={task}", "--set", "data.max_vocab=9")
    done.fails(2, f"data.max_vocab: the task {task} does not read it")


def test_texts_of_labels_are_spelled_too(charrnn, tmp_path):
    (tmp_path / "names.tsv").write_text("".join(f"{'ab'[n % 2]}\tx{RARE[n]}y\n" for n in range(60)), "utf-8")
    words = [*WORDS, "--set", "task.name=generate", "--set", "data.min_count=5", "--set", "data.split=[1,0,0]"]
    charrnn("train", "names.tsv", "-o", "run", *words).ok()
    out = charrnn("sample", "run", "--label", "a", "--samples", 3, "-n", 20, "--seed", 2).ok().out
    assert len(out.decode().split("\n")[:-1]) == 3


def test_lines_and_places_count_characters_and_their_nats_add_up(charrnn, spelled, tmp_path):
    (tmp_path / "other.txt").write_text("Ελ 🐙は\n" * 9, "utf-8")
    report = json.loads(charrnn("eval", spelled, "other.txt", "--json").ok().out)
    rows = json.loads(charrnn("eval", spelled, "other.txt", "--lines", "--json").ok().out)["lines"]
    assert sum(row["chars"] for row in rows) == report["chars"]
    assert sum(row["nats"] for row in rows) == pytest.approx(report["nats_per_char"] * report["chars"])
    assert {row["text"] for row in rows} == {"Ελ 🐙は"}


def test_lines_of_documents_count_characters_and_ends(charrnn, tmp_path):
    (tmp_path / "names.txt").write_text("".join(f"x{RARE[n]}y\n" for n in range(60)), "utf-8")
    words = [*WORDS, "--set", "data.documents=lines", "--set", "data.min_count=5", "--set", "data.split=[1,0,0]"]
    charrnn("train", "names.txt", "-o", "run", *words).ok()
    (tmp_path / "others.txt").write_text("🐙\nxΩ\ny\n", "utf-8")
    report = json.loads(charrnn("eval", "run", "others.txt", "--json").ok().out)
    rows = json.loads(charrnn("eval", "run", "others.txt", "--lines", "--json").ok().out)["lines"]
    assert sorted((row["text"], row["chars"]) for row in rows) == [("xΩ", 3), ("y", 2), ("🐙", 2)]
    assert sum(row["nats"] for row in rows) == pytest.approx(report["nats_per_char"] * report["chars"])


def test_what_programs_make_of_a_text_is_the_same_beside_any_vocabulary(charrnn, spelled, rare):
    charrnn("train", rare, "-o", "plain", *WORDS).ok()
    reports = [
        json.loads(charrnn("eval", run, rare, "--split", "test", "--json").ok().out) for run in (spelled, "plain")
    ]
    one, other = reports
    for name in ("gzip", "bz2", "xz"):
        assert one["baselines"][name] == other["baselines"][name]
    assert (one["chars"], one["bytes"]) == (other["chars"], other["bytes"])
    assert all(math.isfinite(scores["nats_per_char"]) for scores in one["baselines"].values())
