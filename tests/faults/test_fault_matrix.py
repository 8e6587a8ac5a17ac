"""The table of faults in docs/reliability.md and the tests here are of the same rows."""

from __future__ import annotations

import ast
import re
from pathlib import Path

FOLDER = Path(__file__).parent
ROWS = {*range(1, 53), 55}


def rows_of_tests():
    """The row of each test, by name."""
    for path in sorted(FOLDER.glob("test_fault_*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and path != Path(__file__):
                match = re.match(r"test_row_(\d\d)_", node.name)
                assert match, f"{path.name}: {node.name} names no row"
                yield int(match[1])


def test_every_row_of_the_matrix_has_a_test_and_every_test_a_row():
    assert set(rows_of_tests()) == ROWS


def test_every_row_of_the_matrix_is_in_the_document_once():
    text = (FOLDER.parents[1] / "docs" / "reliability.md").read_text("utf-8")
    listed = [int(row) for row in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)]
    assert listed == sorted(ROWS)
