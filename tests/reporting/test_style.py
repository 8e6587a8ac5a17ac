"""How the text of a person or a model is shown on a page: nothing in it moves or hides anything else."""

from __future__ import annotations

import pytest

from charrnn.pages.style import line, lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\n\tb c", "a\n\tb c"),
        ("a\r\nb\rc", "a\nb\u240dc"),  # line ends of two characters are line ends; a lone CR would be seen by nobody
        ("<b>&", "&lt;b&gt;&amp;"),
        ("\u202eabc\x00", "U+202EabcU+0000"),
    ],
)
def test_a_text_keeps_its_line_ends_and_nothing_else_that_moves(text: str, shown: str) -> None:
    assert lines(text) == shown


def test_a_line_stays_one() -> None:
    assert line("a\r\nb\tc") == "a\u240d\u21b5b\u21e5c"
