"""`charrnn eval --lines`, `--surprising` and `--heat -`: what each line and character added to the loss."""

from __future__ import annotations

import html
import math
import re

import pytest
from test_cli_eval import body_of

from charrnn.cli.common import library
from charrnn.cli.heat_terminal import COLOURS
from charrnn.runs.checkpoint import load
from charrnn.runs.judgement import judge
from charrnn.text.pairs import unescape


def rows(result):
    """The cells of each line that was listed."""
    return [line.split("\t") for line in result.ok().text.splitlines()]


def total_nats(report):
    return report["nats_per_char"] * report["chars"]


@pytest.fixture
def named(charrnn, tmp_path):
    """A run over documents, one a line, two of them empty, and its file."""
    names = [f"{'abcde'[n % 5]}{'fgh'[n % 3] * (n % 4 + 1)}" for n in range(60)]
    names[7] = names[20] = ""
    (tmp_path / "names.txt").write_text("\n".join(names))
    small = ["model.hidden_size=8", "train.iterations=30", "train.batch_size=8", "train.seq_length=8", "train.seed=1"]
    sets = [word for option in [*small, "data.documents=lines"] for word in ("--set", option)]
    charrnn("train", "names.txt", "-q", "-o", "names", *sets).ok()
    return names


# --- lines ---


def test_the_lines_of_a_text_add_up_to_the_whole(charrnn, trained, text):
    report = charrnn("eval", trained, text, "--json").ok().json
    listed = rows(charrnn("eval", trained, text, "--lines"))
    assert [cells[3] for cells in listed] == text.read_text("utf-8").splitlines()
    assert [int(cells[2]) for cells in listed] == [*range(1, 46)]
    assert math.fsum(float(cells[0]) for cells in listed) == pytest.approx(total_nats(report), abs=45 * 5e-5)
    lengths = [len(line) + 1 for line in text.read_text("utf-8").splitlines()]
    lengths[0] -= 1  # the first character is not scored
    for cells, length in zip(listed, lengths, strict=True):
        assert float(cells[0]) == pytest.approx(float(cells[1]) * length, abs=0.01)


def test_the_lines_in_json_are_exact(charrnn, trained, text):
    report = charrnn("eval", trained, text, "--lines", "--json").ok().json
    assert list(report["lines"][0]) == ["line", "nats", "nats_per_char", "chars", "text"]
    assert sum(line["chars"] for line in report["lines"]) == report["chars"]
    assert math.fsum(line["nats"] for line in report["lines"]) == pytest.approx(total_nats(report), rel=1e-12)
    assert all(line["nats"] == pytest.approx(line["nats_per_char"] * line["chars"]) for line in report["lines"])


def test_the_odd_line_is_first_when_sorted(charrnn, trained, text, tmp_path):
    lines = text.read_text("utf-8").splitlines()
    lines[12] = "sing xof &<row> ydob lazy"
    (tmp_path / "odd.txt").write_text("\n".join(lines) + "\n")
    listed = rows(charrnn("eval", trained, "odd.txt", "--lines"))
    assert max(listed, key=lambda cells: float(cells[1]))[2:] == ["13", lines[12]]


def test_a_tab_in_a_line_is_escaped_and_a_carriage_return_is_none(charrnn, train, tmp_path):
    (tmp_path / "tabs.txt").write_bytes(b"a\tb\\c\r\n" * 100)
    train("-o", "run", source="tabs.txt").ok()
    listed = rows(charrnn("eval", "run", "tabs.txt", "--lines"))
    assert {unescape(cells[3]) for cells in listed} == {"a\tb\\c"}
    assert all(len(cells) == 4 for cells in listed)


@pytest.mark.parametrize("split_by", ["tail", "columns"])
@pytest.mark.parametrize("part", ["train", "validation"])
def test_the_lines_of_a_part_stand_where_they_stand_in_the_text(charrnn, train, text, split_by, part):
    keys = ["data.split=[0.6,0.4,0]", f"data.split_by={split_by}"]
    train("-o", "run", *(word for key in keys for word in ("--set", key))).ok()
    report = charrnn("eval", "run", text, "--split", part, "--lines", "--json").ok().json
    lines = text.read_text("utf-8").splitlines()
    assert math.fsum(line["nats"] for line in report["lines"]) == pytest.approx(total_nats(report), rel=1e-9)
    assert all(lines[line["line"] - 1].startswith(line["text"]) for line in report["lines"])
    assert len(report["lines"]) < 45 or split_by == "columns"


def test_the_lines_of_documents_are_whole_and_in_the_order_of_the_file(charrnn, named):
    report = charrnn("eval", "names", "names.txt", "--lines", "--json").ok().json
    assert [(line["line"], line["text"]) for line in report["lines"]] == [
        (number, name) for number, name in enumerate(named, 1) if name
    ]
    assert all(line["chars"] == len(line["text"]) + 1 for line in report["lines"])
    assert math.fsum(line["nats"] for line in report["lines"]) == pytest.approx(total_nats(report), rel=1e-9)
    alike = {}
    for line in report["lines"]:  # documents have nothing to do with each other
        assert line["nats"] == pytest.approx(alike.setdefault(line["text"], line["nats"]), rel=1e-4)


def test_documents_of_a_part_have_the_numbers_of_their_lines(charrnn, named):
    report = charrnn("eval", "names", "names.txt", "--split", "validation", "--lines", "--json").ok().json
    numbers = [line["line"] for line in report["lines"]]
    assert numbers == sorted(numbers)
    assert [named[number - 1] for number in numbers] == [line["text"] for line in report["lines"]]


@pytest.mark.parametrize("task", ["classify", "tag", "transduce", "generate"])
def test_the_lines_of_pairs_are_rows_of_their_table(charrnn, taught, pairs, task):
    shown = charrnn("eval", taught(task), pairs(task), "--lines").ok().text.splitlines()
    table = [line.split("\t", 3)[3] for line in shown]
    assert table == pairs(task).read_text("utf-8").splitlines()
    report = charrnn("eval", taught(task), pairs(task), "--lines", "--json").ok().json
    mean = report["nats" if task in ("classify", "tag") else "nats_per_char"]
    chars = sum(line["chars"] for line in report["lines"])
    assert math.fsum(line["nats"] for line in report["lines"]) == pytest.approx(mean * chars, rel=1e-5)
    assert chars == report.get({"classify": "items", "tag": "characters"}.get(task, "chars"), chars)


def test_a_label_never_learnt_is_not_scored_in_its_line(charrnn, taught, tmp_path):
    (tmp_path / "new.tsv").write_text("vowels\taei\nemoji\taei\n")
    known, new = charrnn("eval", taught("classify"), "new.tsv", "--lines", "--json").ok().json["lines"]
    assert (known["chars"], new["chars"], new["nats_per_char"]) == (1, 0, None)


def test_bytes_are_listed_as_they_are(charrnn, train, tmp_path):
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n" * 200)
    train("-o", "run", "--set", "data.encoding=bytes", source="latin.txt").ok()
    assert charrnn("eval", "run", "latin.txt", "--lines").ok().out.count(b"\tcaf\xe9\n") == 200


# --- the most surprising places ---


def test_the_places_are_those_of_the_greatest_loss(charrnn, trained, text):
    found = charrnn("eval", trained, text, "--surprising", 5, "--json").ok().json["surprising"]
    run = load(trained)
    (passage,) = judge(run, library(), [str(text)]).passages
    assert [place["nats"] for place in found] == sorted(passage.guesses.nats, reverse=True)[:5]
    written = text.read_text("utf-8")
    for place in found:
        assert written[place["offset"]] == place["character"]
        line = written.splitlines(keepends=True)[place["line"] - 1]
        assert line[place["column"] - 1] == place["character"]
        assert written[: place["offset"]].endswith(place["before"])
        assert written[place["offset"] + 1 :].startswith(place["after"])
        assert 1 / 60 < place["probability"] <= 1


def test_what_was_expected_is_the_likeliest(charrnn, trained, text, tmp_path):
    changed = text.read_text("utf-8").replace("quick <brown>", "quick xbrown>", 1)
    (tmp_path / "changed.txt").write_text(changed)
    (place,) = charrnn("eval", trained, "changed.txt", "--surprising", 1, "--json").ok().json["surprising"]
    assert (place["character"], place["expected"]) == ("x", "<")
    assert (place["line"], place["column"]) == (1, changed.index("xbrown") + 1)
    assert math.exp(-place["nats"]) < place["probability"]
    shown = charrnn("eval", trained, "changed.txt", "--surprising", 1).ok().text.splitlines()
    assert shown[-1].split()[1] == f"1:{place['column']}"
    assert "»x«brown>" in shown[-1]
    assert shown[-1].endswith("'<'")


def test_the_end_of_a_document_may_surprise(charrnn, named, tmp_path):
    (tmp_path / "short.txt").write_text("afgh\na\n")
    found = charrnn("eval", "names", "short.txt", "--surprising", 100, "--json").ok().json["surprising"]
    assert len(found) == 7
    ends = [place for place in found if place["character"] is None]
    assert sorted((place["line"], place["column"], place["before"]) for place in ends) == [(1, 5, "afgh"), (2, 2, "a")]


# --- heat ---


def plain(shown):
    return re.sub(r"\x1b\[[\d;]*m", "", shown)


def test_the_terminal_shows_the_text_and_nothing_else(charrnn, trained, text, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    shown = charrnn("eval", trained, text, "--heat", "-").ok().text
    legend, empty, *lines = plain(shown).splitlines()
    assert "bits per character over" in legend
    assert not empty
    assert [line.replace("↵", "") for line in lines] == text.read_text("utf-8").splitlines()


def test_the_colours_of_the_terminal_are_those_of_the_page(charrnn, trained, text, tmp_path, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    shown = charrnn("eval", trained, text, "--heat", "-").ok().text.split("\n", 2)[2]
    painted = re.findall(r"\x1b\[38;5;16;48;5;(\d+)m(.*?)\x1b\[0m", shown)
    levels = [(COLOURS.index(int(colour)), c) for colour, run in painted for c in run]
    charrnn("eval", trained, text, "--heat", "page.html").ok()
    page = body_of((tmp_path / "page.html").read_text("utf-8"))
    spans = [(int(level), c) for level, run in re.findall(r'"b(\d)">([^<]*)<', page) for c in html.unescape(run)]
    assert levels == [(level, c.replace("\n", "↵")) for level, c in spans]


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_without_colours_digits_stand_under_the_text(charrnn, trained, text, monkeypatch, variable, value):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv(variable, value)
    monkeypatch.setenv("COLUMNS", "200")
    shown = charrnn("eval", trained, text, "--heat", "-").ok().text
    assert "\x1b" not in shown
    lines = shown.splitlines()[2:]
    written = text.read_text("utf-8").splitlines()
    assert lines[0].rstrip("↵") == written[0]
    (passage,) = judge(load(trained), library(), [str(text)]).passages
    bits = [min(int(nats / math.log(2)), 7) for nats in passage.guesses.nats[: len(written[0]) - 1]]
    assert lines[1].ljust(len(written[0]))[: len(written[0])] == " " + "".join(str(b) if b else " " for b in bits)


def test_a_control_character_never_reaches_the_terminal(charrnn, train, tmp_path, monkeypatch):
    (tmp_path / "odd.txt").write_bytes(b"red \x1b[31m and \x07 \xe2\x80\xae\n" * 60)
    train("-o", "run", source="odd.txt").ok()
    monkeypatch.setenv("NO_COLOR", "1")
    shown = charrnn("eval", "run", "odd.txt", "--heat", "-").ok().text
    assert "\\x1b" in shown
    assert not set("\x1b\x07\u202e") & set(shown)
    table = charrnn("eval", "run", "odd.txt", "--surprising", 3).ok().text
    assert not set("\x1b\x07\u202e") & set(table)


def test_the_page_of_documents_shows_where_they_end(charrnn, named, tmp_path):
    charrnn("eval", "names", "names.txt", "--heat", "page.html").ok()
    body = body_of((tmp_path / "page.html").read_text("utf-8"))
    assert html.unescape(re.sub(r"</?span[^>]*>", "", body)) == "".join(f"{name}∎\n" for name in named if name)


def test_the_page_of_labelled_texts_tells_their_labels(charrnn, taught, pairs, tmp_path):
    charrnn("eval", taught("generate"), pairs("generate"), "--heat", "page.html").ok()
    body = html.unescape(re.sub(r"</?\w[^>]*>", "", body_of((tmp_path / "page.html").read_text("utf-8"))))
    assert body == "".join(line.replace("\t", " ") + "∎\n" for line in pairs("generate").read_text().splitlines())


# --- two things that would share stdout ---


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--lines", "--heat", "-"], "--lines and --heat - would both be on stdout"),
        (["--json", "--heat", "-"], "--json and --heat -"),
        (["--lines", "--surprising", "3"], "--lines and --surprising would both be on stdout"),
        (["--heat", "-", "--surprising", "3"], "--heat - and --surprising"),
    ],
    ids=" ".join,
)
def test_stdout_has_room_for_one(charrnn, trained, text, words, said):
    charrnn("eval", trained, text, *words).fails(2, said)


@pytest.mark.parametrize("option", ["--surprising=3", "--heat=-"])
def test_places_and_colours_are_for_language_models(charrnn, taught, pairs, option):
    result = charrnn("eval", taught("tag"), pairs("tag"), option)
    result.fails(2, f"{option.partition('=')[0]} is not for a run of the task tag")
