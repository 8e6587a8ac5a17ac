"""Tables that were made for another program: what they have in the place of tabs, and what a person is told of them."""

from __future__ import annotations

import re
import subprocess

import pytest

from charrnn.text.tables import conversion, remarks

TABLES = {
    "commas in texts": ("a,one, and more\nb,two\n", "a\tone, and more\nb\ttwo\n"),
    "quotes": ('a,"one, and\tmore"\nb,"two ""2"" \\\\"\n', 'a\tone, and\\tmore\nb\ttwo "2" \\\\\\\\\n'),
    "semicolons": ("a;one, two\nb;three, four, five\n", "a\tone, two\nb\tthree, four, five\n"),
    "bars": ("a|one\nb|two\n", "a\tone\nb\ttwo\n"),
}


@pytest.mark.parametrize("name", ["my table (1).csv", "pay$HOME.txt", "-dash.csv", "x.tsv"])
@pytest.mark.parametrize("table", TABLES)
def test_another_separator_is_named_with_the_command_that_makes_it_a_tab(tmp_path, monkeypatch, name, table):
    monkeypatch.chdir(tmp_path)
    before, after = TABLES[table]
    (tmp_path / name).write_text(before)
    said = conversion(before.splitlines(), name)
    made = re.search(r" stand there in each line: (.*)$", said)
    subprocess.run(["bash", "-c", made[1]], check=True)
    (new,) = [path for path in tmp_path.iterdir() if path.name != name]
    assert new.suffix == ".tsv"
    assert new.read_text() == after
    assert (tmp_path / name).read_text() == before


def test_of_a_text_nothing_is_said():
    assert conversion(["To be, or not", "to be"], "x.txt") == ""
    assert conversion([], "x.txt") == ""


def test_what_was_piped_in_has_no_command():
    assert conversion(["a,b", "c,d"], "standard input") == "; commas stand there in each line"


@pytest.mark.parametrize(
    ("pairs", "labelled", "said"),
    [
        ([("category", "Text"), ("a", "b"), ("a", "c")], True, "looks like the names of columns"),
        ([("nationality", "Kowalski"), ("a", "b"), ("a", "c")], True, "looks like the names of columns"),
        ([("name", "b"), ("name", "c")], True, None),
        ([("source", "target"), ("a", "b")], False, "looks like the names of columns"),
        ([("word", "b"), ("a", "c")], False, None),
        ([('"a"', "b"), ('"c"', "d"), ("e", "f")], False, "most of the first column is in quotes"),
        ([("a", '"b"'), ("c", '"d"')], True, "most of the second column is in quotes"),
        ([("a", '"b" c'), ("c", '"')], True, None),
        ([("a ", "b"), ("a", "c"), ("b", "d")], True, "'a' and 'a ' are learnt as 2 labels"),
        ([("A", "b"), ("a", "c"), ("B", "d"), ("b", "d")], True, "'A' and 'a' are learnt as 2 labels, though only"),
        ([("a ", "b"), ("b ", "d")], True, "labels have blanks around them, such as 'a '"),
        ([("a ", "b"), ("a", "c")], False, None),
    ],
)
def test_signs_that_pairs_are_not_what_they_should_be_are_told(pairs, labelled, said):
    found = list(remarks(*zip(*pairs, strict=True), labelled))
    assert [said in line for line in found] == [True] if said else not found
