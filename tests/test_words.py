"""The words of the package: a docstring says something to who does not know it yet, and a name is of one thing."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

import charrnn

PACKAGE = Path(charrnn.__file__).parent

FRAGMENT = re.compile(r"(Of|Those|That of|The same (for|as|in|of|but|without|since)|As ever|As in)\b")
"""How docstrings begin that only make sense with what stands above them, or in the head of who wrote them."""


def docstrings(source):
    """The docstrings of modules, classes and functions, and the strings under variables, each with its line."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value


def riddles(source):
    """Where a docstring is a word, or begins as a fragment."""
    return [f"line {line}: {text}" for line, text in docstrings(source) if " " not in text or FRAGMENT.match(text)]


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_docstring_is_a_riddle(path):
    assert riddles(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "docstring", ["B.", "1.", "Of all recipes.", "The same for a step.", "As in SIGINT.", "As ever, with one row."]
)
@pytest.mark.parametrize("place", ["def f():\n    {}", "class C:\n    {}", "x = 1\n{}", "class C:\n    x: int\n    {}"])
def test_a_riddle_is_found(docstring, place):
    assert len(riddles(place.format(f'"""{docstring}"""'))) == 1


def test_a_class_has_a_name_of_its_own():
    """But for the textbook, whose cells are those of `nn` as books write them, and what each command is asked for."""
    paths = [path for path in PACKAGE.rglob("*.py") if "textbook" not in path.relative_to(PACKAGE).parts]
    names = Counter(
        node.name
        for path in paths
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.ClassDef)
    )
    assert {name for name, count in names.items() if count > 1} == {"Options"}
