"""docs/architecture.md against the code: its picture, and the way of a character through the files."""

from __future__ import annotations

import ast
import importlib.util
import itertools
import re
import sys
from pathlib import Path

import pytest

import charrnn

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = Path(charrnn.__file__).parent
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")


@pytest.fixture(scope="module")
def drawing():
    """The script that draws the picture."""
    path = ROOT / "tools" / "pictures" / "architecture.py"
    spec = importlib.util.spec_from_file_location("drawing", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["drawing"] = module
    spec.loader.exec_module(module)
    return module


def test_the_picture_is_that_of_the_imports_of_today(drawing):
    now = drawing.draw(drawing.read_wings())
    assert drawing.PICTURE.read_text("utf-8") == now, "run: python tools/pictures/architecture.py"


def test_every_wing_of_the_package_is_in_the_picture_and_on_the_page(drawing):
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    wings = set(drawing.read_wings())
    assert wings == set(drawing.PURPOSES) == folders | {"foundation"}
    listed = re.findall(r"^\| (?:\[(\w+)(?:\.py)?\]\(\.\./charrnn/|(foundation))", PAGE, re.MULTILINE)
    assert {folder or base for folder, base in listed} == wings


def test_no_rooms_of_the_picture_overlap_or_leave_it(drawing):
    rooms = sorted(drawing.place(drawing.read_wings()).values(), key=lambda room: (room.top, room.x))
    for room in rooms:
        assert room.x - room.width / 2 >= 0
        assert room.x + room.width / 2 <= drawing.WIDTH
    for one, other in itertools.pairwise(rooms):
        beside = one.top == other.top and one.x + one.width / 2 < other.x - other.width / 2
        assert beside or one.top + drawing.HEIGHT < other.top


def test_a_circle_of_imports_is_refused_by_name(drawing):
    with pytest.raises(ValueError, match="a -> b -> a"):
        drawing.floors({"a": {"b"}, "b": {"a"}})


def test_an_arrow_is_left_out_where_another_way_leads_there(drawing):
    wings = {"top": {"middle", "low"}, "middle": {"low"}, "low": set()}
    assert drawing.arrows(wings) == {"top": {"middle"}, "middle": {"low"}, "low": set()}
    assert drawing.floors(wings) == {"top": 2, "middle": 1, "low": 0}


STATION = re.compile(r"^\| (\d+) \| .+ \| \[(\S+)\]\(\S+\): `(\S+)` \| (?:\[(\S+)\]\(\S+\))? ?\|$", re.MULTILINE)
STATIONS = STATION.findall(PAGE)


def test_the_stations_are_numbered_without_a_gap():
    assert [int(number) for number, *_ in STATIONS] == list(range(1, len(STATIONS) + 1))
    assert len(STATIONS) == len(re.findall(r"^\| \d+ \|", PAGE, re.MULTILINE)) > 20


def functions(tree: ast.AST, prefix: str = "") -> set[str]:
    """Every function and method of a file, as `name` or `Class.name`."""
    found = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef):
            found.add(prefix + node.name)
        elif isinstance(node, ast.ClassDef):
            found |= functions(node, f"{node.name}.")
    return found


def names_called(tree: ast.AST) -> set[str]:
    """The last word of all that a file calls."""
    called = {node.func for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return {
        f.attr if isinstance(f, ast.Attribute) else f.id for f in called if isinstance(f, (ast.Attribute, ast.Name))
    }


@pytest.mark.parametrize(("number", "file", "function", "caller"), STATIONS, ids=[s[0] for s in STATIONS])
def test_a_station_is_where_the_page_says_and_called_from_there(number, file, function, caller):
    assert function in functions(ast.parse((PACKAGE / file).read_text("utf-8")))
    if caller:
        assert function.rpartition(".")[2] in names_called(ast.parse((PACKAGE / caller).read_text("utf-8")))
    else:
        assert number == "1"


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\[([\w/.\\]+\.py)\]\(\.\./charrnn", PAGE))))
def test_a_link_to_a_file_has_its_name(name):
    plain = name.replace("\\", "")
    assert (PACKAGE / plain).exists()
    assert f"[{name}](../charrnn/{plain})" in PAGE
