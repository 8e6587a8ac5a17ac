"""The architecture: a module imports only from floors below its own, and only the command line touches the terminal."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import charrnn

PACKAGE = Path(charrnn.__file__).parent

FLOORS = {
    # the foundation: words that all share, and what touches the system
    "charrnn": 0,  # names alone; loads everything lazily
    "charrnn.version": -1,
    "charrnn.errors": 0,
    "charrnn.advice": -1,
    "charrnn.nearness": 0,
    "charrnn.resources": 0,
    "charrnn.keys": 0,
    "charrnn.arrays": -1,
    "charrnn.files": 1,
    "charrnn.blas": -1,
    "charrnn.environment": 1,
    "charrnn.cgroups": -1,
    "charrnn.system": 0,
    "charrnn.background": -1,
    "charrnn.processor": -1,
    "charrnn.cores": 1,
    "charrnn.machine": 0,
    "charrnn.caches": 1,
    "charrnn.known_machine": 2,
    # where text comes from
    "charrnn.text": 0,
    "charrnn.text.options": 1,
    "charrnn.text.utf8": 0,
    "charrnn.text.vocabulary": 2,
    "charrnn.text.short": 2,
    "charrnn.text.origin": 2,
    "charrnn.text.streams": 3,
    "charrnn.text.codes": 2,
    "charrnn.text.spelled": 3,
    "charrnn.text.speller": 3,
    "charrnn.text.openings": 4,
    "charrnn.text.kinds": 1,
    "charrnn.text.compressed": 3,
    "charrnn.text.sources": 4,
    "charrnn.text.alphabets": 0,
    "charrnn.text.detecting": 3,
    "charrnn.text.numbering": 3,
    "charrnn.text.text": 4,
    "charrnn.text.encoding": 5,
    "charrnn.text.reading": 6,
    "charrnn.text.corpus": 7,
    "charrnn.text.items": 3,
    "charrnn.text.lines": 5,
    "charrnn.text.rows": 7,
    "charrnn.text.tables": 6,
    "charrnn.text.pairs": 8,
    "charrnn.text.inputs": 9,
    "charrnn.text.making": 8,
    "charrnn.text.documents": 9,
    # what the network is
    "charrnn.nn": 1,  # names alone
    "charrnn.nn.cells": 0,  # names alone, like the package itself
    "charrnn.nn.options": 2,
    "charrnn.nn.numerics": 0,
    "charrnn.nn.parameters": 1,
    "charrnn.nn.noise": 1,
    "charrnn.nn.initializers": 2,
    "charrnn.nn.head": 2,
    "charrnn.nn.layout": 0,
    "charrnn.nn.tiles": 0,
    "charrnn.nn.state_products": 1,
    "charrnn.nn.tape": 2,
    "charrnn.nn.layer_norm": 5,
    "charrnn.nn.cells.base": 3,
    "charrnn.nn.cells.gru_base": 4,
    "charrnn.nn.cells.*": 5,
    "charrnn.nn.unroll": 5,
    "charrnn.nn.stack": 6,
    "charrnn.nn.workspace": 7,
    "charrnn.nn.pooling": 2,
    "charrnn.nn.attention": 2,
    "charrnn.nn.network": 8,
    "charrnn.nn.costs": 3,
    "charrnn.nn.work": 9,
    "charrnn.nn.model": 9,
    "charrnn.nn.partner": 0,
    "charrnn.nn.tensor_parallel": 10,
    "charrnn.nn.classifier": 9,
    "charrnn.nn.encoder_decoder": 9,
    "charrnn.nn.build": 10,
    "charrnn.nn.stepper": 10,
    "charrnn.nn.rtrl": 10,
    "charrnn.nn.decoding": 11,
    # the same as books write it, which shares nothing with `charrnn.nn`
    "charrnn.textbook": 0,  # names alone
    "charrnn.textbook.functions": 2,
    "charrnn.textbook.base": 2,
    "charrnn.textbook.*": 3,
    "charrnn.textbook.lstm_without": 4,  # it is `lstm` with something taken away
    "charrnn.textbook.net": 4,
    "charrnn.textbook.packed": 5,
    "charrnn.textbook.train": 5,
    # how gradients become updates
    "charrnn.optim": 1,  # names alone
    "charrnn.optim.options": 2,
    "charrnn.optim.blocks": 2,
    "charrnn.optim.average": 3,
    "charrnn.optim.clipping": 3,
    "charrnn.optim.optimizers": 4,
    "charrnn.optim.schedules": 4,
    # what a model is worth
    "charrnn.judging": 0,
    "charrnn.judging.tallies": 0,
    "charrnn.judging.scores": 0,
    "charrnn.judging.baselines": 0,
    "charrnn.judging.ngrams": 3,
    "charrnn.judging.back_off": 3,
    "charrnn.judging.text_baselines": 4,
    "charrnn.judging.evaluation": 10,
    "charrnn.judging.surprise": 1,
    "charrnn.judging.dynamic": 11,
    "charrnn.judging.stretch": 12,
    "charrnn.judging.documents": 11,
    "charrnn.judging.gradflow": 10,
    "charrnn.judging.gradcheck": 0,
    "charrnn.judging.gradcheck.check": 9,
    "charrnn.judging.gradcheck.subject": 11,
    "charrnn.judging.gradcheck.*": 12,  # the oracles
    # what is learnt
    "charrnn.tasks": 0,  # names alone
    "charrnn.tasks.options": 1,
    "charrnn.tasks.base": 10,
    "charrnn.tasks.writer": 11,
    "charrnn.tasks.parts": 11,
    "charrnn.tasks.rare": 11,
    "charrnn.tasks.items": 12,
    "charrnn.tasks.inheriting": 12,
    "charrnn.tasks.documents": 13,
    "charrnn.tasks.generate": 14,
    "charrnn.tasks.*": 13,
    # what can be chosen
    "charrnn.config": 0,
    "charrnn.config.schema": 12,
    "charrnn.config.synonyms": 0,
    "charrnn.config.unread": 13,
    "charrnn.config.flags": 12,
    "charrnn.config.resolve": 13,
    "charrnn.config.reading": 14,
    "charrnn.config.writing": 14,
    # what is kept
    "charrnn.runs": 0,
    "charrnn.runs.zip_format": 3,
    "charrnn.runs.lock": 3,
    "charrnn.runs.places": 3,
    "charrnn.runs.metrics_file": 3,
    "charrnn.runs.archive": 15,
    "charrnn.runs.run": 15,
    "charrnn.runs.moved": 16,
    "charrnn.runs.checkpoint": 16,
    "charrnn.runs.directory": 17,
    "charrnn.runs.transfer": 17,
    "charrnn.runs.judgement": 17,
    # how it writes
    "charrnn.sampling": 20,
    "charrnn.sampling.filters": 3,
    "charrnn.sampling.constraints": 1,
    "charrnn.sampling.copying": 4,
    "charrnn.sampling.repetition": 4,
    "charrnn.sampling.generating": 11,
    "charrnn.sampling.growing": 12,
    "charrnn.sampling.states": 16,
    "charrnn.sampling.sources": 17,
    "charrnn.sampling.openings": 12,
    "charrnn.sampling.request": 12,
    "charrnn.sampling.writing": 18,
    "charrnn.sampling.samples": 19,
    # how it learns
    "charrnn.training": 0,
    "charrnn.training.resuming": 18,
    "charrnn.training.fine_tuning": 18,
    "charrnn.training.few_updates": 18,
    "charrnn.training.limits": 18,
    "charrnn.training.patience": 17,
    "charrnn.training.progress": 18,
    "charrnn.training.hopeless": 18,
    "charrnn.training.saving": 19,
    "charrnn.training.shared_memory": 18,
    "charrnn.training.watching": 21,
    "charrnn.training.portion": 18,
    "charrnn.training.world": 18,
    "charrnn.training.accumulation": 19,
    "charrnn.training.meeting": 19,
    "charrnn.training.updating": 18,
    "charrnn.training.teamwork": 20,
    "charrnn.training.team": 21,
    "charrnn.training.gradients": 22,
    "charrnn.training.sharing": 23,
    "charrnn.training.loop": 23,
    "charrnn.training.layouts": 20,
    "charrnn.training.judging_together": 19,
    "charrnn.training.leading": 24,
    "charrnn.training.following": 24,
    "charrnn.training.preparing": 21,
    "charrnn.training.divergence": 24,
    "charrnn.training.more": 19,
    "charrnn.training.metrics": 24,
    "charrnn.training.trainer": 25,
    # what is known of runs, and how it is shown
    "charrnn.reporting": 0,
    "charrnn.reporting.history": 3,
    "charrnn.reporting.standing": 18,
    "charrnn.reporting.facts": 21,
    "charrnn.reporting.events": 18,
    "charrnn.pages": 0,
    "charrnn.pages.style": 11,
    "charrnn.pages.chart": 11,
    "charrnn.pages.sheet": 11,
    "charrnn.pages.scales": 11,
    "charrnn.pages.tables": 12,
    "charrnn.pages.curves": 12,
    "charrnn.pages.grids": 12,
    "charrnn.pages.heat": 12,
    "charrnn.pages.parts": 22,
    "charrnn.pages.report": 23,
    "charrnn.pages.comparison": 26,
    # what a run will be
    "charrnn.planning": 0,
    "charrnn.planning.repeats": 1,
    "charrnn.planning.looking": 26,
    "charrnn.planning.timing": 26,
    "charrnn.planning.plan": 27,
    "charrnn.planning.remarks": 28,
    # the recipe where none is named
    "charrnn.recipes": 0,
    "charrnn.recipes.rule": 0,
    "charrnn.recipes.speed": 26,
    "charrnn.recipes.choosing": 27,
    # files made small
    "charrnn.compressing": 0,
    "charrnn.compressing.coder": 0,
    "charrnn.compressing.alphabet": 3,
    "charrnn.compressing.archive": 1,
    "charrnn.compressing.predictor": 11,
    "charrnn.compressing.coding": 12,
    "charrnn.compressing.scratch": 15,
    "charrnn.compressing.compression": 18,
    # many runs
    "charrnn.sweeping": 0,
    "charrnn.sweeping.naming": 1,
    "charrnn.sweeping.grid": 15,
    "charrnn.sweeping.children": 4,
    "charrnn.sweeping.combining": 19,
    "charrnn.sweeping.capacity": 20,
    "charrnn.sweeping.looking_back": 22,
    "charrnn.sweeping.table": 23,
    "charrnn.sweeping.sweep": 26,
    # what people type
    "charrnn.cli": 0,
    "charrnn.cli.common": 32,
    "charrnn.cli.adapting": 32,
    "charrnn.cli.whole_files": 33,
    "charrnn.cli.flags": 33,
    "charrnn.cli.ending": 33,
    "charrnn.cli.slips": 34,
    "charrnn.cli.signals": 31,
    "charrnn.cli.processes": 32,
    "charrnn.cli.launching": 32,
    "charrnn.cli.sparkline": 32,
    "charrnn.cli.heat_terminal": 33,
    "charrnn.cli.listing": 33,
    "charrnn.cli.completing": 33,
    "charrnn.cli.versions": 33,
    "charrnn.cli.machine": 33,
    "charrnn.cli.commentary": 33,
    "charrnn.cli.display": 34,
    "charrnn.cli.escapes": 30,
    "charrnn.cli.sweep_display": 34,
    "charrnn.cli.prompts": 33,
    "charrnn.cli.sample_options": 34,
    "charrnn.cli.writing": 35,
    "charrnn.cli.*": 36,
    "charrnn.cli.main": 37,
    "charrnn.cli.child": 38,
    "charrnn.__main__": 38,
    # what people write in Python
    "charrnn.interface": 0,
    "charrnn.interface.settings": 36,
    "charrnn.interface.given": 36,
    "charrnn.interface.measuring": 37,
    "charrnn.interface.thoughts": 37,
    "charrnn.interface.trained": 38,
    "charrnn.interface.learning": 39,
}
"""The floor of each module; NAME.* is for all modules of a package that are not named themselves."""


def name_of(path):
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


MODULES = {name_of(path): ast.parse(path.read_text("utf-8")) for path in PACKAGE.rglob("*.py")}


def floor(module):
    if module in FLOORS:
        return FLOORS[module]
    return FLOORS.get(f"{module.rpartition('.')[0]}.*")


def test_the_textbook_shares_nothing_with_the_network_that_it_judges():
    found = {name for m, tree in MODULES.items() if m.startswith("charrnn.textbook") for name, _ in imports(tree)}
    assert {name for name in found if not name.startswith("charrnn.textbook")} == {"charrnn.arrays"}


def for_types_alone(node):
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def imports(tree, own=()):
    """The modules of charrnn that are imported anywhere in a tree, and the lines where."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            found = [name if name in MODULES else node.module for name in inner]
        else:
            yield from imports(node)
            continue
        yield from ((name, node.lineno) for name in found if name.split(".")[0] == "charrnn")


def breaches(module, tree):
    return [
        f"{module}:{line} is on floor {floor(module)} and imports {name} of floor {floor(name)}"
        for name, line in imports(tree)
        if floor(name) >= floor(module)
    ]


def test_every_module_has_a_floor_and_every_floor_a_module():
    assert [module for module in MODULES if floor(module) is None] == []
    named = {name for name in FLOORS if not name.endswith(".*")}
    assert named - MODULES.keys() == set()


LAZY = {
    "charrnn": {"charrnn.version"},
    "charrnn.nn.cells": set(),
    "charrnn.tasks": {"charrnn.errors"},
    "charrnn.textbook": set(),
    "charrnn.judging.gradcheck": set(),
}
"""Modules that name others and load them when they are asked for, with what they import nevertheless."""


@pytest.mark.parametrize("module", sorted(MODULES.keys() - LAZY.keys()))
def test_a_module_imports_only_from_floors_below_its_own(module):
    assert breaches(module, MODULES[module]) == []


@pytest.mark.parametrize("module", LAZY)
def test_a_module_that_names_others_imports_them_for_types_alone(module):
    body = [node for node in MODULES[module].body if not for_types_alone(node)]
    assert {name for name, _ in imports(ast.Module(body, []))} == LAZY[module]


def test_cells_are_built_on_the_floors_above_theirs_alone():
    """What names them may be read anywhere, and is by the configuration; `cells.build` loads them."""
    builders = {
        module: floor(module)
        for module, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "cells.build"
    }
    assert "charrnn.nn.network" in builders
    assert min(builders.values()) > FLOORS["charrnn.nn.cells.*"]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("charrnn.nn.stack", "from charrnn.nn import model"),
        ("charrnn.nn.stack", "from charrnn.nn.model import CharLM"),
        ("charrnn.text.streams", "import charrnn.text.corpus"),
        ("charrnn.text.streams", "def f():\n    from charrnn.training.trainer import Trainer"),
        ("charrnn.nn.cells.lstm", "from charrnn.nn.cells.gru import GRU"),
        ("charrnn.nn.cells.lstm", "from charrnn.nn.layer_norm import NormalizedTape"),
        ("charrnn.training.trainer", "from charrnn.cli.common import say"),
        ("charrnn.cli.eval", "if TYPE_CHECKING:\n    from charrnn.cli.train import command"),
    ],
)
def test_an_import_sideways_or_up_is_noticed(module, source):
    assert len(breaches(module, ast.parse(source))) == 1


TERMINAL = {"os.environ", "os.environb", "os.getenv", "os._exit", "sys.argv", "sys.exit", "sys.stdout", "sys.stderr"}
TERMINAL |= {"warnings.warn"}
BUILTINS = {"print", "input", "exit", "quit", "SystemExit"}


def touches(tree):
    """What only the command line may do: print, read the environment and the arguments, exit."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if (name := f"{node.value.id}.{node.attr}") in TERMINAL:
                yield f"{name} in line {node.lineno}"
        elif isinstance(node, ast.Name) and node.id in BUILTINS and isinstance(node.ctx, ast.Load):
            yield f"{node.id} in line {node.lineno}"
        elif isinstance(node, ast.ImportFrom) and node.module in ("os", "sys"):
            yield from (
                f"{n} in line {node.lineno}" for a in node.names if (n := f"{node.module}.{a.name}") in TERMINAL
            )
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            terminal = {"click", "tqdm", "logging"}
            yield from (f"import {n} in line {node.lineno}" for n in names if n.split(".")[0] in terminal)


def is_cli(module):
    return module.startswith("charrnn.cli") or module == "charrnn.__main__"


def is_python(module):
    return module.startswith("charrnn.interface")


@pytest.mark.parametrize("module", sorted(module for module in MODULES if not is_cli(module)))
def test_only_the_command_line_prints_reads_the_environment_and_exits(module):
    """But for how many threads there may be, and where caches are, which hold for whoever trains."""
    threads = "os.environ in" if module in ("charrnn.cores", "charrnn.caches") else "nothing"
    allowed = "warnings.warn in" if is_python(module) else threads
    assert [found for found in touches(MODULES[module]) if not found.startswith(allowed)] == []


@pytest.mark.parametrize(
    "source",
    [
        "print(1)",
        "import os\nos.environ['A']",
        "from os import environ",
        "import sys\nsys.exit(1)",
        "raise SystemExit",
        "import sys\nsys.stderr.write('x')",
        "import click",
        "from tqdm import tqdm",
        "f = print",
    ],
)
def test_what_touches_the_terminal_is_noticed(source):
    assert len(list(touches(ast.parse(source)))) == 1


def test_the_command_line_and_what_is_written_in_python_are_the_top():
    doors = {"charrnn.cli", "charrnn.interface"}
    below = max(floor(m) for m in MODULES if not is_cli(m) and not is_python(m))
    assert min(floor(m) for m in MODULES if (is_cli(m) or is_python(m)) and m not in doors) > below
