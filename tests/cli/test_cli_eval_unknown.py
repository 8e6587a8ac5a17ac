"""`charrnn eval --unknown skip`, and several texts at once."""

from __future__ import annotations

import html
import math
import re
import shlex

import pytest
from task_runs import ITEMS, words, written
from test_cli_eval import KEYS, body_of

ODD = "Verse 1: the quic\u00e9k \u20ac\u20ac brown fox~\n\u00e9\n& 7 lazy do\u20acgs sing, 'row'!\u00e9\n"
PLAIN = re.sub("[\u00e9\u20ac~]", "", ODD)


@pytest.fixture
def odd(tmp_path):
    """A text with seven characters that the model never saw, and the same without them."""
    (tmp_path / "odd.txt").write_text(ODD, "utf-8")
    (tmp_path / "plain.txt").write_text(PLAIN, "utf-8")


@pytest.fixture
def named(charrnn, tmp_path):
    (tmp_path / "names.txt").write_text("".join(f"{'abc'[n % 3] * (n % 5 + 1)}d\n" for n in range(60)))
    small = ["model.hidden_size=8", "train.iterations=20", "train.batch_size=8", "train.seq_length=8", "train.seed=1"]
    sets = [word for option in [*small, "data.documents=lines"] for word in ("--set", option)]
    charrnn("train", "names.txt", "-q", "-o", "names", *sets).ok()


# --- unknown characters ---


def test_skipping_scores_the_text_without_them_to_the_last_bit(charrnn, trained, odd):
    skipped = charrnn("eval", trained, "odd.txt", "--unknown", "skip", "--json").ok()
    plain = charrnn("eval", trained, "plain.txt", "--json").ok().json
    assert skipped.json == plain | {"skipped": len(ODD) - len(PLAIN)}
    assert list(skipped.json) == [*KEYS, "skipped"]
    assert skipped.err == (
        "odd.txt: skipped 7 characters that the model never saw: 'é' (U+00E9), '€' (U+20AC), '~' (U+007E)\n"
    )


@pytest.mark.parametrize("place", ["\u00e9{}", "{}\u00e9\u00e9", "\u20ac{}\u00e9", "{}"])
def test_unknown_characters_at_the_ends_are_skipped_too(charrnn, trained, tmp_path, place):
    (tmp_path / "odd.txt").write_text(place.format(PLAIN), "utf-8")
    (tmp_path / "plain.txt").write_text(PLAIN)
    skipped = charrnn("eval", trained, "odd.txt", "--unknown", "skip", "--json", "--lines").ok().json
    plain = charrnn("eval", trained, "plain.txt", "--json", "--lines").ok().json
    assert skipped["skipped"] == len(place) - 2
    assert [line["nats"] for line in skipped["lines"]] == [line["nats"] for line in plain["lines"]]
    assert skipped["nats_per_char"] == plain["nats_per_char"]


def test_a_text_that_the_model_knows_is_scored_as_ever(charrnn, trained, text):
    result = charrnn("eval", trained, text, "--unknown", "skip", "--json").ok()
    assert result.json == charrnn("eval", trained, text, "--json").ok().json | {"skipped": 0}
    assert not result.err


def test_the_error_names_a_command_that_works(charrnn, trained, odd, tmp_path):
    (tmp_path / "odd.txt").rename(tmp_path / "my $odd text.txt")
    failed = charrnn("eval", trained, "my $odd text.txt")
    failed.fails(3, "my $odd text.txt: the model never saw 'é' (U+00E9)", "--unknown skip")
    typed = shlex.split(failed.err.rpartition("to score the rest: ")[2])
    assert charrnn(*typed[1:], "--json").ok().json["skipped"] == 7


def test_the_command_that_is_named_has_all_that_was_typed(charrnn, trained, odd):
    typed = ["odd.txt", "--encoding", "utf-8", "--surprising", "2", "--heat", "a b.html", "--lines", "--json"]
    said = charrnn("eval", trained, *typed).fails(3, "--unknown skip").err
    told = charrnn(*shlex.split(said.partition("to score the rest: charrnn ")[2])).ok()
    assert {"lines", "surprising", "skipped"} <= told.json.keys()
    assert "U+00E9" in told.err
    on_stdout = charrnn("eval", trained, "odd.txt", "--heat", "-").fails(3, "--heat - --unknown skip").err
    assert charrnn(*shlex.split(on_stdout.partition("to score the rest: charrnn ")[2])).ok().text


def test_lines_and_places_are_those_of_the_text_as_it_is(charrnn, trained, odd):
    report = charrnn("eval", trained, "odd.txt", "--unknown", "skip", "--json", "--lines", "--surprising", 99).ok().json
    assert [line["text"] for line in report["lines"]] == ODD.splitlines()
    first, second, third = map(len, PLAIN.splitlines())
    assert [line["chars"] for line in report["lines"]] == [first, second + 1, third + 1]  # of the first, one less
    assert math.fsum(line["nats"] for line in report["lines"]) == pytest.approx(
        report["nats_per_char"] * report["chars"], rel=1e-12
    )
    assert len(report["surprising"]) == report["chars"]
    for place in report["surprising"]:
        assert ODD[place["offset"]] == place["character"]
        assert ODD.splitlines(keepends=True)[place["line"] - 1][place["column"] - 1] == place["character"]
        assert place["character"] not in "é€~"


def test_what_was_skipped_is_on_the_page_and_marked(charrnn, trained, odd, tmp_path, monkeypatch):
    charrnn("eval", trained, "odd.txt", "--unknown", "skip", "--heat", "page.html").ok()
    page = (tmp_path / "page.html").read_text("utf-8")
    assert html.unescape(re.sub(r"</?span[^>]*>", "", body_of(page))) == ODD[1:]
    marked = "".join(re.findall(r'<span class="skipped">([^<]*)</span>', body_of(page)))
    assert marked == "".join(character for character in ODD if character in "é€~")
    monkeypatch.setenv("NO_COLOR", "1")
    shown = charrnn("eval", trained, "odd.txt", "--unknown", "skip", "--heat", "-").ok().text
    assert sum(line.count("?") for line in shown.splitlines()[2:]) == 7


def test_a_text_of_which_nothing_is_known_is_refused(charrnn, trained, tmp_path):
    (tmp_path / "odd.txt").write_text("\u20ac\u20ac\u20acV\u20ac", "utf-8")
    charrnn("eval", trained, "odd.txt", "--unknown", "skip").fails(3, "odd.txt has one character that the model knows")


def test_a_part_of_another_text_counts_what_was_skipped_in_it(charrnn, train, text, tmp_path):
    train("-o", "run", "--set", "data.split=[0.5,0.5,0]").ok()
    plain = text.read_text("utf-8")
    half = len(plain) // 2
    (tmp_path / "odd.txt").write_text(plain[: half + 9] + "\u20ac" * 5 + plain[half + 9 :], "utf-8")
    options = ["--unknown", "skip", "--json", "--split"]
    counts = {part: charrnn("eval", "run", "odd.txt", *options, part).ok().json for part in ("train", "validation")}
    assert counts["validation"]["skipped"] == 5
    assert counts["train"]["skipped"] == 0
    whole = charrnn("eval", "run", text, "--json", "--split", "validation").ok().json
    assert counts["validation"]["nats_per_char"] == whole["nats_per_char"]


def test_documents_are_scored_without_them_too(charrnn, named, tmp_path):
    (tmp_path / "odd.txt").write_text("aa\u00e9d\n\u20ac\nbd\u00e9\nd\n", "utf-8")
    (tmp_path / "plain.txt").write_text("aad\nbd\nd\n")
    charrnn("eval", "names", "odd.txt").fails(3, "odd.txt: the model never saw 'é' (U+00E9), '€' (U+20AC)")
    skipped = charrnn("eval", "names", "odd.txt", "--unknown", "skip", "--json").ok().json
    assert skipped == charrnn("eval", "names", "plain.txt", "--json").ok().json | {"skipped": 3}
    lines = charrnn("eval", "names", "odd.txt", "--unknown", "skip", "--json", "--lines").ok().json["lines"]
    assert [(line["line"], line["text"], line["chars"]) for line in lines] == [
        (1, "aaéd", 4),
        (3, "bdé", 3),
        (4, "d", 2),
    ]


def test_labelled_texts_are_scored_without_them_too(charrnn, taught, tmp_path):
    (tmp_path / "odd.tsv").write_text("vowels\ta\u20acei\ndigits\t01\n", "utf-8")
    (tmp_path / "plain.tsv").write_text("vowels\taei\ndigits\t01\n")
    skipped = charrnn("eval", taught("generate"), "odd.tsv", "--unknown", "skip", "--json").ok().json
    assert skipped == charrnn("eval", taught("generate"), "plain.tsv", "--json").ok().json | {"skipped": 1}


@pytest.mark.parametrize("task", ["classify", "tag", "transduce"])
def test_tasks_that_know_unknown_characters_skip_none(charrnn, taught, pairs, task):
    refused = charrnn("eval", taught(task), pairs(task), "--unknown", "skip")
    refused.fails(2, f"--unknown skip: a run of the task {task} reads what it never saw as unknown", "leave it out")
    charrnn("eval", taught(task), pairs(task), "--unknown", "error").ok()


# --- several texts ---


def test_several_texts_are_measured_and_then_all(charrnn, trained, text, odd):
    sources = [text, "plain.txt"]
    alone = [charrnn("eval", trained, source, "--json").ok().json for source in sources]
    report = charrnn("eval", trained, *sources, "--json").ok().json
    assert list(report) == [*KEYS, "texts"]
    assert report["texts"] == [{"name": str(s), **r} for s, r in zip(sources, alone, strict=True)]
    assert report["chars"] == sum(one["chars"] for one in alone)
    assert report["bytes"] == sum(one["bytes"] for one in alone)
    nats = sum(one["nats_per_char"] * one["chars"] for one in alone)
    assert report["nats_per_char"] == pytest.approx(nats / report["chars"], rel=1e-12)
    assert report["perplexity"] == pytest.approx(math.exp(report["nats_per_char"]))


def test_the_table_of_several_texts_has_a_line_for_each(charrnn, trained, text, odd):
    heading, *lines = charrnn("eval", trained, text, "plain.txt").ok().text.splitlines()
    assert heading.split() == [*KEYS, "text"]
    assert [line.split()[-1] for line in lines] == [str(text), "plain.txt", "all"]
    report = charrnn("eval", trained, text, "plain.txt", "--json").ok().json
    for line, told in zip(lines, [*report["texts"], report], strict=True):
        assert line.split()[0] == f"{told['nats_per_char']:.4f}"
        assert line.split()[4] == f"{told['chars']:,}"


@pytest.mark.parametrize("task", ["classify", "tag", "transduce"])
def test_several_files_of_pairs_are_together_what_one_file_is(charrnn, taught, pairs, task, tmp_path):
    for name, items in (("one.tsv", ITEMS[task][:40]), ("two.tsv", ITEMS[task][40:])):
        (tmp_path / name).write_text(written(items))
    whole = charrnn("eval", taught(task), pairs(task), "--json").ok().json
    several = charrnn("eval", taught(task), "one.tsv", "two.tsv", "--json").ok().json
    assert [list(one) for one in several.pop("texts")] == [["name", *whole]] * 2
    nats = "nats_per_char" if task == "transduce" else "nats"
    assert several.pop(nats) == pytest.approx(whole.pop(nats), rel=1e-5)
    assert several == whole


def test_lines_and_places_of_several_texts_tell_theirs(charrnn, trained, text, odd):
    shown = charrnn("eval", trained, text, "plain.txt", "--lines").ok().text.splitlines()
    assert [line.split("\t")[2] for line in shown] == [
        *(f"{text}:{n}" for n in range(1, 46)),
        *(f"plain.txt:{n}" for n in range(1, 4)),
    ]
    report = charrnn("eval", trained, text, "plain.txt", "--surprising", 4, "--json").ok().json
    places = [place["nats"] for place in report["surprising"]]
    assert places == sorted(places, reverse=True)
    assert {place["file"] for place in report["surprising"]} <= {str(text), "plain.txt"}


def test_the_page_of_several_texts_has_a_heading_for_each(charrnn, trained, text, odd, tmp_path):
    charrnn("eval", trained, text, "plain.txt", "--heat", "page.html").ok()
    page = (tmp_path / "page.html").read_text("utf-8")
    assert re.findall("<h2>(.*?)</h2>", page) == [str(text), "plain.txt"]


def test_stdin_is_read_once(charrnn, trained):
    charrnn("eval", trained, "-", "-", stdin=b"Verse").fails(2, "'-' is given twice")


def test_a_part_of_several_files_is_that_of_all_together(charrnn, train, text, tmp_path):
    train("-o", "run", "--set", "data.split=[0.5,0.5,0]").ok()
    whole = text.read_text("utf-8")
    (tmp_path / "one.txt").write_text(whole[:1000])
    (tmp_path / "two.txt").write_text(whole[1000:])
    parts = charrnn("eval", "run", "one.txt", "two.txt", "--split", "validation", "--json").ok().json
    assert parts == charrnn("eval", "run", text, "--split", "validation", "--json").ok().json


# --- what a person may do by mistake ---


def test_an_empty_text_is_not_for_learning(charrnn, trained, tmp_path):
    (tmp_path / "empty.txt").write_text("")
    failed = charrnn("eval", trained, "empty.txt").fails(3, "empty.txt is empty")
    assert "learn" not in failed.err


@pytest.mark.parametrize("task", ["classify", "generate"])
def test_too_few_items_for_a_part_advise_to_leave_it_out(charrnn, tmp_path, task):
    (tmp_path / "few.tsv").write_text("a\tx\nb\ty\n")
    changes = {"data__split": [1, 0, 0], "train__iterations": 2}
    charrnn("train", "few.tsv", "-q", "-o", "run", *words(task, **changes)).ok()
    failed = charrnn("eval", "run", "few.tsv", "--split", "test")
    failed.fails(3, "leave out --split")
    assert "--set" not in failed.err
