"""Draws the wings of charrnn as rooms of a house, from the imports in its files.

    python tools/pictures/architecture.py

It writes `docs/images/architecture.svg`. A wing is a folder of `charrnn/`, or one of the files beside them; those that
all share are the foundation. It stands on the lowest floor that is above all it imports from. An arrow leads down to a
wing that it imports from, unless that one is reached through another; the others are written in the room.
"""

from __future__ import annotations

import ast
import html
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "charrnn"
PICTURE = ROOT / "docs" / "images" / "architecture.svg"

BASE, ROOF = "foundation", "cli"
PURPOSES = {
    ROOF: "what people type: the only wing that prints, reads the environment and exits",
    "interface": "what Python programs call",
    "planning": "what a run will be",
    "recipes": "a recipe for a text",
    "compressing": "files made small",
    "sweeping": "many runs, one table",
    "pages": "what is shown in a browser",
    "reporting": "what is known of runs",
    "sampling": "text from a model",
    "training": "how it learns, whatever is learnt",
    "runs": "what is kept of training",
    "config": "what can be chosen",
    "tasks": "what is learnt",
    "judging": "what a model is worth",
    "nn": "what the network is",
    "text": "where text comes from",
    "textbook": "the network as books write it",
    "optim": "how gradients become updates",
    BASE: "what all wings may use",
}
ONE_FILE = {"__main__": ROOF}
"""Modules that stand beside the folders and are no part of the foundation."""

Imports = dict[str, set[str]]
"""By wing, the wings that it imports from."""

WIDTH, MARGIN, GAP = 1420, 40, 26
HEIGHT, STOREY = 66, 104
"""Of a room, and from one floor to the next."""
TINTS = ("#e7e2d8", "#d3e4f3", "#d5eadb", "#e6efd0", "#f6efc8", "#fae3c4", "#f9d9cb", "#f2cfd6", "#e6d3ec", "#d9d6f0")
"""Of the floors, from the foundation up."""
INK, SOFT, LINE = "#26323c", "#5d6b76", "#7d8a94"


def wing_of(module: str) -> str | None:
    """The wing of a module; None for the package itself, which only names what is in it."""
    _, _, inner = module.partition(".")
    if not inner:
        return None
    folder = inner.split(".")[0]
    return folder if (PACKAGE / folder).is_dir() else ONE_FILE.get(folder, BASE)


def imports(tree: ast.AST) -> Iterator[str]:
    """What a file imports when it runs: not what it needs for types alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        else:
            yield from imports(node)


def read_wings() -> Imports:
    """Reads every file of the package."""
    found: Imports = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if (wing := wing_of(module)) is None:
            continue
        inner = {wing_of(name) for name in imports(ast.parse(path.read_text("utf-8"))) if name.startswith("charrnn.")}
        found.setdefault(wing, set()).update(inner - {wing, None})
    return found


def floors(wings: Imports) -> dict[str, int]:
    """The floor of each wing. Raises ValueError where wings import from each other in a circle."""
    found: dict[str, int] = {}

    def visit(wing: str, above: tuple[str, ...]) -> int:
        if wing in above:
            raise ValueError(f"a circle of imports: {' -> '.join([*above, wing])}")
        if wing not in found:
            found[wing] = 1 + max((visit(other, (*above, wing)) for other in sorted(wings[wing])), default=-1)
        return found[wing]

    for wing in sorted(wings):
        visit(wing, ())
    return found


def arrows(wings: Imports) -> Imports:
    """Of the imports, those that lead to a wing which no other of them leads to."""
    below: Imports = {}

    def reach(wing: str) -> set[str]:
        if wing not in below:
            below[wing] = wings[wing].union(*(reach(other) for other in wings[wing]))
        return below[wing]

    return {
        wing: {one for one in direct if not any(one in reach(other) for other in direct)}
        for wing, direct in wings.items()
    }


class Room(NamedTuple):
    """A rectangle around the middle `x`, from `top` down."""

    x: float
    top: float
    width: float


def room_width(wing: str, wings: Imports) -> float:
    """As wide as its longest line is in a wide font."""
    if wing in (ROOF, BASE):
        return WIDTH - 2 * MARGIN
    return max(150, 26 + 7.2 * len(PURPOSES[wing]), 26 + 6.6 * len(uses(wing, wings)))


def uses(wing: str, wings: Imports) -> str:
    """What is written below: the wings that it imports from, but for the foundation; and what that consists of."""
    if wing == BASE:
        files = sorted(path.stem for path in PACKAGE.glob("*.py") if path.stem != "__init__")
        return " · ".join(name for name in files if wing_of(f"charrnn.{name}") == BASE)
    if wing == ROOF:
        return "uses all that is below"
    others = sorted(wings[wing] - {BASE})
    return f"uses {' · '.join(others)}" if others else ""


def place(wings: Imports) -> dict[str, Room]:
    """Where each room is: over the middle of those that its arrows lead to, and beside others of its floor."""
    floor, leads = floors(wings), arrows(wings)
    top_floor = max(floor.values())
    rooms: dict[str, Room] = {}
    users = {wing: min((floor[u] for u in wings if wing in leads[u]), default=0) for wing in wings}
    for level in range(top_floor + 1):
        here = [wing for wing in wings if floor[wing] == level]
        wanted = {}
        for wing in here:
            xs = [rooms[below].x for below in leads[wing] if below != BASE]
            wanted[wing] = sum(xs) / len(xs) if xs else WIDTH / 2
        here.sort(key=lambda wing: (wanted[wing], users[wing], wing))
        widths = [room_width(wing, wings) for wing in here]
        total = sum(widths) + GAP * (len(here) - 1)
        left = sum(wanted.values()) / len(here) - total / 2
        left = min(max(left, MARGIN), WIDTH - MARGIN - total)
        for wing, width in zip(here, widths, strict=True):
            rooms[wing] = Room(left + width / 2, 60 + STOREY * (top_floor - level), width)
            left += width + GAP
    return rooms


def draw(wings: Imports) -> str:
    """The picture, which needs nothing beside itself."""
    floor, rooms = floors(wings), place(wings)
    total = 60 + STOREY * max(floor.values()) + HEIGHT + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {total}" '
        f'font-family="Helvetica, Arial, sans-serif" text-anchor="middle">',
        "<title>The wings of charrnn, from what people type down to the foundation</title>",
        f'<rect width="{WIDTH}" height="{total}" fill="#ffffff"/>',
        f'<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0L10 5L0 10L2.5 5z" fill="{LINE}"/></marker></defs>',
    ]
    for wing, below in sorted(arrows(wings).items()):
        parts += [arrow(wing, other, rooms) for other in sorted(below)]
    for wing in sorted(wings, key=lambda wing: (-floor[wing], rooms[wing].x)):
        parts += draw_room(wing, rooms[wing], TINTS[floor[wing] % len(TINTS)], uses(wing, wings))
    return "\n".join([*parts, "</svg>"]) + "\n"


def arrow(wing: str, below: str, rooms: dict[str, Room]) -> str:
    """A curve from the lower edge of one room to the upper edge of another."""
    start, end = rooms[wing], rooms[below]
    x2 = start.x if below == BASE else end.x
    reach = 0.32 * start.width  # how far from the middle an arrow may begin; straight down where that is enough
    x1 = x2 if wing == ROOF else start.x + max(-reach, min(reach, x2 - start.x))
    y1, y2 = start.top + HEIGHT, end.top - 1
    bend = (y2 - y1) / 2
    return (
        f'<path d="M{x1:.1f} {y1:.1f}C{x1:.1f} {y1 + bend:.1f} {x2:.1f} {y2 - bend:.1f} {x2:.1f} {y2:.1f}" '
        f'fill="none" stroke="{LINE}" stroke-width="1.6" marker-end="url(#tip)"/>'
    )


def draw_room(wing: str, room: Room, tint: str, used: str) -> list[str]:
    """Its walls, or the roof; its name, what it is for, and what it uses."""
    left, right, top, bottom = room.x - room.width / 2, room.x + room.width / 2, room.top, room.top + HEIGHT
    if wing == ROOF:
        walls = f'<path d="M{left:.1f} {bottom}L{left + 130:.1f} {top - 22}H{right - 130:.1f}L{right:.1f} {bottom}z"'
    else:
        radius = 2 if wing == BASE else 9
        walls = f'<rect x="{left:.1f}" y="{top}" width="{room.width:.1f}" height="{HEIGHT}" rx="{radius}"'
    name = "the foundation" if wing == BASE else f"{wing}/" if (PACKAGE / wing).is_dir() else f"{wing}.py"
    lines = [(name, 17, INK, "bold"), (PURPOSES[wing], 12.5, INK, "normal"), (used, 11, SOFT, "normal")]
    y = top + (21 if used else 27)
    drawn = [f'{walls} fill="{tint}" stroke="{LINE}" stroke-width="1.2"/>']
    for (words, size, colour, weight), step in zip(lines, (0, 19, 17), strict=True):
        y += step
        if words:
            drawn.append(
                f'<text x="{room.x:.1f}" y="{y}" font-size="{size}" fill="{colour}" font-weight="{weight}">'
                f"{html.escape(words)}</text>"
            )
    return drawn


if __name__ == "__main__":
    PICTURE.write_text(draw(read_wings()), "utf-8")
    print(f"wrote {PICTURE.relative_to(ROOT)}")
