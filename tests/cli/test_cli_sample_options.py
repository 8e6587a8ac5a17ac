"""`charrnn sample`, what steers it and what it tells: JSON, many prompts, escapes, seeds, copies, states."""

from __future__ import annotations

import json
import os
import re
import signal

import pytest
from driving import strict_json

from charrnn.cli.escapes import range_of
from charrnn.runs.checkpoint import load


@pytest.fixture
def sample(charrnn, trained):
    """What the shared model writes, as text."""
    return lambda *words, **more: charrnn("sample", trained, *words, **more).ok().text


@pytest.fixture
def objects(sample):
    """The same as objects, one a line."""
    return lambda *words, **more: [strict_json(line) for line in sample("--json", *words, **more).splitlines()]


KEYS = ["number", "prompt", "text", "log_probability", "mean_log_probability", "seed", "ended", "label"]


def test_json_is_one_object_a_line_with_what_is_known_of_a_sample(objects, sample):
    found = objects("-n", 30, "--samples", 3, "--seed", 4, "--prompt", "Verse")
    assert [list(one) for one in found] == [KEYS] * 3
    assert [one["number"] for one in found] == [1, 2, 3]
    assert {(one["prompt"], one["seed"], one["ended"], one["label"]) for one in found} == {("Verse", 4, "length", None)}
    assert all(one["log_probability"] < 0 and len(one["text"]) == 30 for one in found)
    assert found[0]["text"] in sample("-n", 30, "--samples", 3, "--seed", 4, "--prompt", "Verse")
    assert objects("-n", 30, "--seed", 4)[0]["text"] == sample("-n", 30, "--seed", 4)


def test_json_says_why_a_text_ended(objects):
    assert {one["ended"] for one in objects("-n", 400, "--samples", 5, "--stop", "\\n", "--seed", 1)} == {"stop"}


def test_the_seed_that_was_drawn_is_told_and_gives_the_same_again(charrnn, trained):
    result = charrnn("sample", trained, "-n", 80).ok()
    (seed,) = re.fullmatch(r"seed (\d+) was drawn; to have the same again: --seed \1\n", result.err).groups()
    assert charrnn("sample", trained, "-n", 80, "--seed", seed).ok().out == result.out
    (line,) = charrnn("sample", trained, "-n", 8, "--json").ok().text.splitlines()
    assert charrnn("sample", trained, "-n", 8, "--seed", json.loads(line)["seed"]).ok().text == json.loads(line)["text"]


@pytest.mark.parametrize("words", [["--seed", 1], ["--temperature", 0], ["--top-k", 1], ["-n", 0]], ids=str)
def test_no_seed_is_told_where_it_was_given_or_nothing_is_left_to_chance(charrnn, trained, words):
    assert not charrnn("sample", trained, "-n", 9, *words).ok().err


def test_several_stop_texts(sample):
    whole = sample("-n", 200, "--seed", 4)
    stops = [whole[90:94], whole[40:43], whole[150:152]]
    end = min(whole.index(stop) for stop in stops)
    assert sample("-n", 200, "--seed", 4, *(word for stop in stops for word in ("--stop", stop))) == whole[:end]


# --- escapes ---


@pytest.mark.parametrize(("typed", "meant"), [(r"\n", "\n"), (r"\x0a", "\n"), (r"\u000A", "\n"), (r"\U0000000a", "\n")])
def test_escapes_are_read_in_stop_texts(sample, typed, meant):
    whole = sample("-n", 300, "--seed", 4)
    assert sample("-n", 300, "--seed", 4, "--stop", typed) == whole[: whole.index(meant)]


def test_escapes_are_read_in_every_option_that_takes_a_text(sample):
    words = ["-n", 60, "--seed", 4]
    assert sample(*words, "--prompt", r"Verse 1\x3a\nVerse") == sample(*words, "--prompt", "Verse 1:\nVerse")
    assert "\n" not in sample(*words, "--ban", r"\n")
    assert set(sample(*words, "--allow", r"\n\x65")) == {"\n", "e"}
    parts = sample(*words, "--samples", 3, "--separator", r"\t\\\u00e9").split("\t\\é")
    assert [len(part) for part in parts] == [60, 60, 60]


@pytest.mark.parametrize("option", ["--stop", "--prompt", "--separator", "--allow", "--ban"])
@pytest.mark.parametrize("typed", [r"a\q", "a\\", r"\x1", r"\u12", r"\U00110000"])
def test_an_escape_that_there_is_not_is_an_error(charrnn, trained, option, typed):
    charrnn("sample", trained, option, typed).fails(2, f"{option}: \\")


def test_files_are_read_as_they_are(charrnn, trained, tmp_path):
    (tmp_path / "prompt").write_text("row\\n", "utf-8")
    charrnn("sample", trained, "--prompt-file", "prompt").fails(2, "'\\\\' (U+005C)")


def test_an_escape_of_a_byte_is_that_byte_for_a_model_of_bytes(charrnn, train, tmp_path):
    (tmp_path / "latin.txt").write_bytes(b"\xff\x00caf\xe9\r\n" * 200)
    train("-o", "run", "--set", "data.encoding=bytes", source="latin.txt").ok()
    assert charrnn("sample", "run", "--prompt", r"\xe9\xff\r\n", "-n", 0).ok().out == b"\xe9\xff\r\n"


def test_json_tells_what_bytes_mean(charrnn, train, tmp_path):
    (tmp_path / "mixed.txt").write_bytes("café\n".encode() * 200 + b"\xff\n" * 200)
    train("-o", "run", "--set", "data.encoding=bytes", source="mixed.txt").ok()
    words = ["sample", "run", "--prompt", r"café\xff", "-n", 0, "--json"]
    assert charrnn(*words).ok().json["prompt"] == "café\\xff"


# --- several samples ---


def test_a_separator_stands_between_samples_and_nowhere_else(sample, objects):
    texts = [one["text"] for one in objects("-n", 20, "--samples", 4, "--seed", 2)]
    assert sample("-n", 20, "--samples", 4, "--seed", 2, "--separator", "##") == "##".join(texts)
    assert sample("-n", 20, "--seed", 2, "--separator", "##") == sample("-n", 20, "--seed", 2)


def test_many_prompts_come_from_a_file_one_a_line(charrnn, trained, objects, sample, tmp_path):
    prompts = ["Verse 1", "the quick", "", "q"]
    (tmp_path / "prompts").write_bytes("\r\n".join([*prompts, ""]).encode())
    words = ["-n", 20, "--temperature", 0, "--seed", 1]
    found = objects(*words, "--prompts", "prompts")
    assert [one["prompt"] for one in found] == prompts
    for one in found:
        assert one["prompt"] + one["text"] == sample(*words, "--prompt", one["prompt"])
    assert objects(*words, "--prompts", "-", stdin=(tmp_path / "prompts").read_bytes()) == found
    twice = objects(*words, "--prompts", "prompts", "--samples", 2)
    assert [one["prompt"] for one in twice] == [prompt for prompt in prompts for _ in range(2)]
    assert re.findall(r"--- (\d) of 4 ---\n", sample(*words, "--prompts", "prompts")) == ["1", "2", "3", "4"]
    (tmp_path / "empty").touch()
    charrnn("sample", trained, "--prompts", "empty").fails(2, "--prompts empty is empty")
    charrnn("sample", trained, "--prompts", "empty", "--prompt", "a").fails(2, "--prompt and --prompts")


def test_best_of_shows_the_likeliest(objects):
    tried = objects("-n", 30, "--seed", 3, "--samples", 6)
    best = objects("-n", 30, "--seed", 3, "--samples", 2, "--best-of", 3)
    assert [one["text"] for one in best] == [
        max(tried[k : k + 3], key=lambda one: one["mean_log_probability"])["text"] for k in (0, 3)
    ]


def test_the_best_of_several_is_shown_as_a_single_text_is(sample, objects, charrnn, labelled):
    words = ["-n", 20, "--seed", 3, "--best-of", 4]
    assert sample(*words) == objects(*words)[0]["text"]
    (line,) = charrnn("sample", "run", *words).ok().text.splitlines()
    assert line == strict_json(charrnn("sample", "run", *words, "--json").ok().out)["text"]


@pytest.mark.parametrize("words", [["--encoding", "latin-1"], ["--encoding", "none", "--prompt", "a"]])
def test_an_encoding_is_that_of_a_file(charrnn, trained, words):
    charrnn("sample", trained, *words).fails(2, "--encoding", "--prompt-file")


def test_nothing_separates_objects(charrnn, trained):
    charrnn("sample", trained, "--json", "--separator", "|").fails(2, "--separator and --json")


def test_a_penalty_changes_what_is_written(sample):
    words = ["-n", 60, "--seed", 3, "--temperature", 1.5]
    assert sample(*words, "--repetition-penalty", 3) != sample(*words)
    assert sample(*words, "--repetition-penalty", 3) != sample(
        *words, "--repetition-penalty", 3, "--repetition-window", 4
    )


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--repetition-penalty", "0"),
        ("--repetition-penalty", "nan"),
        ("--repetition-window", "0"),
        ("--best-of", "0"),
        ("--max-copy", "0"),
        ("--allow", ""),
        ("--allow", "é"),
        ("--ban", "é"),
        ("--stop", "é"),
        ("--stop", ""),
    ],
)
def test_what_means_nothing_or_can_have_no_effect_is_an_error(charrnn, trained, option, value):
    charrnn("sample", trained, option, value).fails(2, option, "see: charrnn sample --help")


# --- copies ---


def test_no_more_is_copied_than_is_allowed_and_the_longest_copy_is_told(charrnn, trained, text):
    learnt = text.read_text("utf-8")
    for n in (3, 6):
        result = charrnn("sample", trained, "-n", 200, "--samples", 2, "--seed", 1, "--max-copy", n, "--json").ok()
        for line in result.text.splitlines():
            written = json.loads(line)["text"]
            assert not any(written[k : k + n + 1] in learnt for k in range(len(written) - n))
        told = re.fullmatch(
            r"longest copy of text [12]: (\d+) characters, ('.*'|\".*\"); in .*: line (\d+), character (\d+)\n",
            result.err,
        )
        length, line, place = int(told[1]), int(told[3]), int(told[4])
        assert length == n
        passage = learnt[place - 1 : place - 1 + length]
        assert repr(passage) == told[2]
        assert line == learnt[: place - 1].count("\n") + 1


def test_the_text_can_be_named_if_it_is_elsewhere(charrnn, train, text, tmp_path):
    (tmp_path / "here.txt").write_bytes(text.read_bytes())
    train("-o", "run", source="here.txt").ok()
    os.rename(tmp_path / "here.txt", tmp_path / "there.txt")
    words = ["sample", "run", "--max-copy", 5, "--seed", 1, "-n", 50]
    charrnn(*words).fails(3, "the run learnt from here.txt, which is not there", "give it: --text FILE")
    assert charrnn(*words, "--text", "there.txt").ok().text
    charrnn("sample", "run", "--text", "there.txt").fails(2, "--text", "--max-copy")


# --- states ---


def test_a_state_is_gone_on_with_in_another_process(charrnn, process, trained):
    whole = charrnn("sample", trained, "-n", 60, "--seed", 3, "--prompt", "Verse").ok().text
    first = charrnn("sample", trained, "-n", 25, "--seed", 3, "--prompt", "Verse", "--save-state", "s.npz").ok().text
    rest = process("sample", trained, "-n", 35, "--load-state", "s.npz").ok()
    assert first + rest.text == whole
    assert not rest.err
    found = charrnn("sample", trained, "--load-state", "s.npz", "--samples", 3, "--seed", 1, "--json").ok()
    assert len({json.loads(line)["text"] for line in found.text.splitlines()}) == 3


def test_a_state_takes_the_place_of_a_state_and_of_nothing_else(charrnn, shelf, trained):
    places = {shelf / "novel.txt": b"a novel", trained / "best.npz": (trained / "best.npz").read_bytes()}
    (shelf / "novel.txt").write_bytes(b"a novel")
    for place, contents in places.items():
        result = charrnn("sample", trained, "-n", 5, "--save-state", place)
        result.fails(2, "is there already, and is not the state of a text; nothing was written")
        assert not result.out
        assert place.read_bytes() == contents
    charrnn("sample", trained, "-n", 5, "--save-state", shelf).fails(2, "is there already")
    (shelf / "empty.npz").touch()
    for length in (5, 6):
        charrnn("sample", trained, "-n", length, "--save-state", "empty.npz").ok()
    charrnn("sample", trained, "-n", 5, "--load-state", "empty.npz").ok()


def test_a_state_that_is_none_is_one_line(charrnn, trained, tmp_path):
    charrnn("sample", trained, "--load-state", trained / "last.npz").fails(4, "is not the state of a text")
    charrnn("sample", trained, "--load-state", "nowhere").fails(4, "nowhere: no such file")
    charrnn("sample", trained, "-n", 5, "--seed", 1, "--save-state", "s.npz").ok()
    charrnn("sample", trained, "--load-state", "s.npz", "--best-of", 2).fails(2, "--best-of and --load-state")
    charrnn("sample", trained, "--save-state", "s.npz", "--best-of", 2).fails(2, "--best-of and --save-state")
    (tmp_path / "s.npz").write_bytes((tmp_path / "s.npz").read_bytes()[:-9])
    charrnn("sample", trained, "--load-state", "s.npz").fails(4, "s.npz is not the state of a text")


# --- what looks like a range ---


@pytest.mark.parametrize(
    ("option", "characters", "range"),
    [("--allow", "a-z", "a-z"), ("--allow", ".0-9", "0-9"), ("--ban", "xA-Q", "A-Q"), ("--allow", "z-ac-g", "c-g")],
)
def test_what_other_programs_take_for_a_range_is_said_to_be_none(charrnn, tiny, tmp_path, option, characters, range):
    (tmp_path / "t.txt").write_text("acegz.-09 xAQ\n" * 40, "utf-8")
    charrnn("train", "t.txt", "-c", tiny, "-o", "run", "--set", "train.iterations=1").ok()
    said = charrnn("sample", "run", "-n", 4, "--seed", 1, option, characters).ok().err
    assert said == f"{option}: {range} is three characters, and no range; type each character that is meant\n"


@pytest.mark.parametrize("characters", ["z-a", "a-", "-z", "a-a", "a.-z", "9-a", "A-z"])
def test_other_dashes_are_dashes(characters):
    assert range_of(characters) is None


# --- what a run of documents shows ---


@pytest.fixture
def labelled(train, tmp_path):
    rows = [f"{label}\t{word}{k % 7}\n" for k in range(60) for label, word in (("up", "abc"), ("down", "xyz"))]
    (tmp_path / "pairs.tsv").write_text("".join(rows), "utf-8")
    train("-o", "run", "--set", "task.name=generate", source="pairs.tsv").ok()


def test_a_label_that_was_drawn_is_told(charrnn, labelled):
    lines = [json.loads(line) for line in charrnn("sample", "run", "--samples", 20, "--json").ok().text.splitlines()]
    assert {one["label"] for one in lines} == {"up", "down"}
    lines = charrnn("sample", "run", "--samples", 2, "--json", "--label", "up").ok().text.splitlines()
    assert {json.loads(line)["label"] for line in lines} == {"up"}


def test_documents_are_a_line_each_or_what_the_separator_says(charrnn, labelled):
    words = ["sample", "run", "--samples", 5, "--seed", 1, "-n", 6]
    lines = charrnn(*words).ok().text
    assert lines.count("\n") == 5
    assert charrnn(*words, "--separator", " | ").ok().text == " | ".join(lines.splitlines())


# --- signals ---


@pytest.mark.skipif(os.name == "nt", reason="signals are others there")
def test_a_text_that_is_interrupted_ends_its_line_before_the_message(start, trained):
    with start("sample", trained, "-n", 10**9, "--seed", 1, "--ban", r"\n") as process:
        assert process.stdout.read(200)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out.endswith(b"\n")
    assert err.startswith(b"charrnn: error: stopped by SIGINT")


def test_a_seed_is_told_before_the_text_and_not_after_an_error(charrnn, trained):
    assert not charrnn("sample", trained, "--prompt", "Verse €").fails(2).out
    assert charrnn("sample", trained, "--label", "up").fails(2, "--label 'up'")


def test_a_run_that_was_begun_keeps_its_openings(trained):
    run = load(trained)
    assert {run.task.vocabulary.symbols[ids[-1]] for ids in run.openings} == {"\n"}
