"""`charrnn eval`: the numbers, the parts of a text, and the page that shows them."""

from __future__ import annotations

import html
import math
import os
import re

import pytest

from charrnn.judging.evaluation import nats_of_characters
from charrnn.runs.checkpoint import load
from charrnn.text.streams import side_by_side

KEYS = ["nats_per_char", "bits_per_char", "bits_per_byte", "perplexity", "chars", "bytes"]


def test_json_has_the_promised_keys(charrnn, trained, text):
    result = charrnn("eval", trained, text, "--json").ok()
    assert list(result.json) == KEYS
    assert not result.err


@pytest.mark.parametrize("which", ["trained", "learned_unicode"])
def test_the_numbers_are_one_number_in_several_units(charrnn, request, which):
    run = request.getfixturevalue(which)
    text = next(run.parent / name for name in (f"{run.name}.txt", "foxes.txt") if (run.parent / name).exists())
    score = charrnn("eval", run, text, "--json").ok().json
    scored = text.read_bytes().decode("utf-8-sig")[1:]
    assert (score["chars"], score["bytes"]) == (len(scored), len(scored.encode()))
    nats = score["nats_per_char"]
    assert 0 < nats < 4
    assert score["bits_per_char"] == pytest.approx(nats / math.log(2), rel=1e-12)
    assert score["perplexity"] == pytest.approx(math.exp(nats), rel=1e-12)
    assert score["bits_per_byte"] == pytest.approx(score["bits_per_char"] * score["chars"] / score["bytes"], rel=1e-12)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "latin-1"])
def test_bytes_are_those_of_the_scored_characters_alone(charrnn, train, text, tmp_path, encoding):
    (tmp_path / "t.txt").write_bytes(text.read_text("utf-8").encode(encoding))
    train("-o", "run", "--set", f"data.encoding={encoding}", source="t.txt").ok()
    score = charrnn("eval", "run", "t.txt", "--json").ok().json
    assert score["bytes"] == score["chars"] * (2 if encoding == "utf-16" else 1)


def test_the_table_shows_the_same_numbers(charrnn, trained, text):
    score = charrnn("eval", trained, text, "--json").ok().json
    lines = charrnn("eval", trained, text).ok().text.splitlines()
    assert [line.split()[0] for line in lines[:4]] == [f"{score[key]:.4f}" for key in KEYS[:4]]
    assert f"{score['chars']:,} characters" in lines[4]


def test_a_trained_model_knows_its_text_better_than_chance(charrnn, trained, text):
    symbols = charrnn("info", trained, "--json").ok().json["vocabulary"]
    assert charrnn("eval", trained, text, "--json").ok().json["perplexity"] < symbols / 3


def test_the_validation_part_scores_what_training_said(charrnn, trained, text, metrics, tmp_path):
    best = min(line["val_nats"] for line in metrics(trained) if "val_nats" in line)
    score = charrnn("eval", trained, text, "--split", "validation", "--json").ok().json
    assert score["nats_per_char"] == pytest.approx(best, rel=1e-6)


def test_the_last_checkpoint_scores_what_the_last_evaluation_said(charrnn, trained, text, metrics):
    score = charrnn("eval", trained / "last.npz", text, "--split", "validation", "--json").ok().json
    assert score["nats_per_char"] == pytest.approx(metrics(trained)[-1]["val_nats"], rel=1e-6)


@pytest.mark.parametrize("split_by", ["tail", "columns"])
def test_the_parts_of_a_text_are_disjoint_and_make_up_the_whole(charrnn, train, text, split_by):
    keys = ["data.split=[0.6,0.2,0.2]", f"data.split_by={split_by}"]
    train("-o", "run", *(word for key in keys for word in ("--set", key))).ok()
    counts = [
        charrnn("eval", "run", text, "--split", part, "--json").ok().json["chars"]
        for part in ("train", "validation", "test")
    ]
    whole = len(text.read_text("utf-8"))
    assert whole - 4 * 8 * 2 <= sum(counts) < whole
    assert counts[0] == pytest.approx(0.6 * whole, rel=0.03)


def test_a_part_that_the_run_left_empty_cannot_be_scored(charrnn, learned_unicode):
    source = learned_unicode.parent / "unicode.txt"
    charrnn("eval", learned_unicode, source, "--split", "test").fails(3, "test", "--split")


def test_a_text_comes_from_stdin_or_by_the_name_of_a_corpus(charrnn, trained, text, train):
    named, piped = (
        charrnn("eval", trained, source, "--json", stdin=text.read_bytes()).ok().json for source in (text, "-")
    )
    assert named == piped
    train("-o", "run", source="harbour").ok()
    assert charrnn("eval", "run", "harbour", "--json").ok().json["chars"] > 100_000


def test_characters_that_the_model_never_saw_are_a_data_error(charrnn, trained, tmp_path):
    (tmp_path / "other.txt").write_text("Verse 1: \u20ac and \u00fc", "utf-8")
    charrnn("eval", trained, "other.txt").fails(3, "other.txt", "'€' (U+20AC)", "'ü' (U+00FC)")


def test_a_text_of_one_character_is_too_short(charrnn, trained, tmp_path):
    (tmp_path / "v.txt").write_text("V")
    charrnn("eval", trained, "v.txt").fails(3, "one character")


def test_a_text_of_two_characters_will_do(charrnn, trained, tmp_path):
    (tmp_path / "ve.txt").write_text("Ve")
    assert charrnn("eval", trained, "ve.txt", "--json").ok().json["chars"] == 1


def body_of(page):
    return page.partition("<pre>")[2].partition("</pre>")[0]


def test_the_page_shows_the_escaped_text_and_needs_nothing_else(charrnn, trained, text, tmp_path):
    charrnn("eval", trained, text, "--heat", "page.html").ok()
    page = (tmp_path / "page.html").read_text("utf-8")
    assert html.unescape(re.sub(r"</?span[^>]*>", "", body_of(page))) == text.read_text("utf-8")[1:]
    assert "&lt;" in page
    assert "<brown>" not in page
    assert "&amp;" in page
    assert not re.search(r"https?:|src=|href=|url\(|<script|<link|@import", page)


def test_the_colours_of_the_page_are_whole_bits_of_surprise(charrnn, trained, text, tmp_path):
    charrnn("eval", trained, text, "--heat", "page.html").ok()
    pieces = re.findall(
        r'<span class="b(\d)">([^<]*)</span>|([^<]+)', body_of((tmp_path / "page.html").read_text("utf-8"))
    )
    levels = [int(level or 0) for level, coloured, plain in pieces for _ in html.unescape(coloured or plain)]
    run = load(trained)
    ids = run.task.vocabulary.encode(text.read_text("utf-8"))
    nats = nats_of_characters(run.model, run.params, side_by_side(ids, 0, len(ids)))
    assert levels == [min(int(n / math.log(2)), 7) for n in nats]
    assert len(set(levels)) > 3


def test_the_page_of_a_model_of_bytes_is_valid_utf_8(charrnn, train, tmp_path):
    (tmp_path / "latin.txt").write_bytes(b"\xff<caf\xe9>\r\n" * 200)
    train("-o", "run", "--set", "data.encoding=bytes", source="latin.txt").ok()
    charrnn("eval", "run", "latin.txt", "--heat", "page.html").ok()
    assert "caf\u00e9" in re.sub(r"</?span[^>]*>", "", body_of((tmp_path / "page.html").read_text("utf-8")))


@pytest.mark.parametrize("place", ["notes.txt/page.html", "nowhere/page.html"])
def test_a_page_that_cannot_be_written_is_an_output_error(charrnn, trained, text, tmp_path, place):
    (tmp_path / "notes.txt").write_text("not a directory")
    charrnn("eval", trained, text, "--heat", place).fails(6, place)


@pytest.mark.skipif(os.name == "nt" or os.uname().sysname == "Darwin", reason="file names there are text")
@pytest.mark.parametrize("words", [["--json"], [], ["--heat", "page.html"]], ids=str)
def test_a_file_may_have_a_name_that_is_not_text(charrnn, trained, text, tmp_path, words):
    name = os.fsdecode(b"caf\xe9.txt")
    (tmp_path / name).write_bytes(text.read_bytes())
    charrnn("eval", trained, name, *words).ok()
