"""Pages of tables, read by a parser of HTML as a browser would: their cells, their shades, and that nothing escapes."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from charrnn.pages import grids
from charrnn.pages.grids import attention_page, confusion_page

LABELS = ["ham", "<b>spam</b>", "a & b"]
CONFUSION = np.array([[1500, 0, 1], [1, 1, 2], [0, 0, 0]])


class Reader(HTMLParser):
    """The tables of a page: rows of (text, classes) of each cell; and the tags that are open."""

    VOID = ("meta", "br")

    def __init__(self, page):
        super().__init__()
        self.tables, self.open, self.text = [], [], ""
        self.feed(page)
        self.close()
        assert self.open == ["html"] or not self.open, "a tag was not closed"

    def handle_starttag(self, tag, attributes):
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append(["", dict(attributes)])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if "td" in self.open or "th" in self.open:
            self.tables[-1][-1][-1][0] += data


def texts(table):
    return [[text for text, _ in row] for row in table]


def shade(cell):
    found = re.search(r"\bs(\d+)\b", cell[1].get("class", ""))
    return int(found[1]) if found else 0


def needs_nothing_else(page):
    return not re.search(r"https?:|src=|href=|url\(|<script|<link|@import", page)


def test_the_page_of_a_confusion_has_every_count_with_totals():
    page = confusion_page("run", LABELS, CONFUSION)
    (table,) = Reader(page).tables
    assert texts(table) == [
        ["", *LABELS, "items", "found"],
        ["ham", "1,500", "", "1", "1,501", "99.9%"],
        ["<b>spam</b>", "1", "1", "2", "4", "25.0%"],
        ["a & b", "", "", "", "0", ""],
        ["answered", "1,501", "1", "3", "1,505", ""],
        ["of these right", "100%", "100%", "0%", "", "99.7%"],
    ]
    assert "1,501 of 1,505 items are right (99.7%)" in page
    assert needs_nothing_else(page)


def test_a_count_is_shaded_by_its_share_of_the_row_and_never_invisible():
    (table,) = Reader(confusion_page("run", LABELS, CONFUSION)).tables
    assert [[shade(cell) for cell in row[1:4]] for row in table[1:4]] == [[10, 0, 1], [2, 2, 5], [0, 0, 0]]


def test_the_diagonal_of_a_confusion_is_marked():
    (table,) = Reader(confusion_page("run", LABELS, CONFUSION)).tables
    marked = [
        (i, j) for i, row in enumerate(table) for j, cell in enumerate(row) if "right" in cell[1].get("class", "")
    ]
    assert marked == [(1, 1), (2, 2), (3, 3)]


@pytest.mark.parametrize("count", [1, 2, 18, 300])
def test_any_number_of_labels_makes_rows_of_equal_length(count):
    (table,) = Reader(confusion_page("run", [f"label {k}" for k in range(count)], np.eye(count, dtype=int))).tables
    assert {len(row) for row in table} == {count + 3}
    assert len(table) == count + 3


def test_a_confusion_of_nothing_is_a_page_too():
    assert "0 of 0 items are right ()" in Reader(confusion_page("run", ["a"], np.zeros((1, 1), int))).text


def test_the_name_of_a_page_is_escaped():
    page = confusion_page("<i>&", ["a"], np.ones((1, 1), int))
    assert "<h1>&lt;i&gt;&amp;</h1>" in page
    assert "<title>&lt;i&gt;&amp;: confusion</title>" in page


WEIGHTS = np.array([[0.9, 0.1, 0.0], [0.004, 0.006, 0.99], [0.25, 0.5, 0.25]])


def test_attention_is_a_grid_with_the_input_across_and_the_answer_down():
    page = attention_page("run", [("3 <", "&y", WEIGHTS)])
    (table,) = Reader(page).tables
    assert texts(table) == [["", "3", "␣", "<"], ["&", "", "", ""], ["y", "", "", ""], ["end", "", "", ""]]
    assert [[shade(cell) for cell in row[1:]] for row in table[1:]] == [[9, 1, 0], [0, 1, 10], [2, 5, 2]]
    assert table[1][1][1]["title"] == "& from 3: 0.90"
    assert needs_nothing_else(page)


def test_every_item_has_a_grid_of_its_own_below_its_text():
    read = Reader(attention_page("run", [("ab", "c", np.eye(2)), ("d", "e", np.ones((1, 1)))]))
    assert [len(table) for table in read.tables] == [3, 2]
    assert "ab → c" in read.text
    assert "d → e" in read.text


@pytest.mark.parametrize(
    ("character", "shown"),
    [
        ("\t", "⇥"),
        ("\n", "↵"),
        ("\xa0", "U+00A0"),
        ("\u200d", "U+200D"),
        ("\u202e", "U+202E"),
        ("\x1b", "U+001B"),
        ("\ud800", "U+D800"),
        ("\u0301", "◌\u0301"),
        ("ש", "ש"),
        ("語", "語"),
        ('"', '"'),
    ],
    ids=ascii,
)
def test_what_would_not_be_seen_or_turns_text_around_is_shown(character, shown):
    read = Reader(attention_page("run", [(character, character, np.ones((1, 1)))]))
    assert texts(read.tables[0]) == [["", shown], [shown, ""]]
    assert read.text.encode("utf-8")
    assert read.tables[0][1][1][1]["title"] == f"{shown} from {shown}: 1.00"


def test_empty_sources_and_answers_and_weights_that_are_no_numbers_have_a_grid():
    items = [("", "ab", np.zeros((2, 0))), ("ab", "", np.full((1, 2), np.nan)), ("", "", np.zeros((0, 0)))]
    assert texts(Reader(attention_page("run", items)).tables[1]) == [["", "a", "b"], ["end", "", ""]]


def test_a_page_too_large_for_a_browser_says_what_it_leaves_out(monkeypatch):
    monkeypatch.setattr(grids, "MOST_CELLS", 20)
    items = [("abcd", "efgh", np.full((4, 4), 0.25))] * 3
    read = Reader(attention_page("run", items))
    assert len(read.tables) == 1
    assert "2 more items are not shown" in read.text
