"""The documents against the program. Run as a script, this file writes anew what the program prints in them."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import io
import itertools
import json
import math
import re
import textwrap
import types
import typing
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner
from pages import DOCS, FENCED, ROOT, blocks, command_lines, equations, page, section

import charrnn
from charrnn.cli import common
from charrnn.cli.main import cli
from charrnn.config import writing
from charrnn.config.resolve import Setting, resolve
from charrnn.config.schema import Config, keys, types_of_keys
from charrnn.errors import CharrnnError
from charrnn.keys import Choice, parse_duration
from charrnn.nn import CONTEXTS, INITIALIZERS, POOLINGS, attention, cells, head, initializers, unroll
from charrnn.nn.tape import Tape
from charrnn.optim import OPTIMIZERS, SCHEDULES, optimizers, schedules
from charrnn.resources import CONFIGS
from charrnn.runs import checkpoint
from charrnn.runs.run import Corpus, Run
from charrnn.tasks.classify import Classify
from charrnn.tasks.generate import Generate
from charrnn.tasks.language_model import LanguageModel
from charrnn.tasks.tag import Tag
from charrnn.tasks.transduce import Transduce
from charrnn.text.vocabulary import Vocabulary
from charrnn.training.metrics import Record
from charrnn.training.resuming import RESUMABLE

DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
IDS = [str(path.relative_to(ROOT)) for path in DOCUMENTS]

CELLS_PAGE = (DOCS / "cells.md").read_text("utf-8")

GENERATED = re.compile(r"<!-- generated: (.+?) -->\n(.*?)<!-- end -->", re.DOTALL)

# --- what the program prints in the documents -----------------------------------------------------------------------


def table_of_keys() -> str:
    sections = re.findall(r"^(\w+):\n((?:  .*\n)+)", writing.to_yaml(Config()), re.MULTILINE)
    defaults = {f"{name}.{k}": v for name, body in sections for k, v in re.findall(r"  (\w+): (.*)", body)}
    lines = ["| key | type | default | allowed | meaning |", "| --- | --- | --- | --- | --- |"]
    for path, f in keys().items():
        rules = f.metadata
        kind = kind_of_value(types_of_keys()[path], rules["parse"])
        default = "; ".join([f"`{defaults[path]}`", *defaults_of_choices(path)])
        lines.append(f"| `{path}` | {kind} | {default} | {allowed_values(rules)} | {rules['help']} |")
    return "\n".join(lines) + "\n"


def defaults_of_choices(path: str) -> Iterator[str]:
    """What a key begins with under some choices of another key of its section."""
    section, _, name = path.partition(".")
    for other, f in keys().items():
        if other.startswith(f"{section}."):
            for choice, defaults in f.metadata["defaults"].items():
                if name in defaults:
                    yield f"`{defaults[name]}` with `{choice}`"


def kind_of_value(annotation: typing.Any, parse: Callable[[typing.Any], typing.Any] | None) -> str:
    if parse is parse_duration:
        return "duration or null"
    options = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    options = tuple(typing.get_origin(option) or option for option in options)
    names = {
        tuple: "list",
        bool: "true or false",
        int: "whole number",
        float: "number",
        str: "text",
        types.NoneType: "null",
    }
    return " or ".join(names[option] for option in options)


def allowed_values(rules: typing.Mapping[str, typing.Any]) -> str:
    if rules["choices"]:
        return ", ".join(f"`{choice}`" for choice in rules["choices"])
    if rules["parse"]:
        try:
            rules["parse"]("?")
        except ValueError as requirement:
            return str(requirement)
    words = {"at_least": "at least", "above": "above", "at_most": "at most", "below": "below"}
    return ", ".join(f"{word} {rules[rule]:g}" for rule, word in words.items() if rules[rule] is not None) or "any"


def table_of_choices(key: str, table: dict[str, Choice], module: types.ModuleType) -> str:
    """A line for each row of a table: what the docstring of its function says, and the keys of its section."""
    keeps = key == "optim.name"
    columns = ["what it does", "formula", "keys", *(["keeps"] if keeps else []), "source"]
    lines = [f"| `{key}` | {' | '.join(columns)} |", "| --- |" + " --- |" * len(columns)]
    for name, row in table.items():
        words, formulas, source = parts_of_docstring(getattr(module, name))
        cells_of_row = [words, "<br>".join(f"`{formula}`" for formula in formulas)]
        own_keys = dict.fromkeys(row.keys) | row.defaults
        cells_of_row.append(
            ", ".join(f"`{k}`{'' if value is None else f' ({value:g})'}" for k, value in own_keys.items())
        )
        if keeps:
            cells_of_row.append(", ".join(f"`{slot}`" for slot in (*row.slots, *(["count"] if row.counts else []))))
        lines.append(f"| `{name}` | {' | '.join([*cells_of_row, source])} |")
    return "\n".join(lines) + "\n"


def parts_of_docstring(function: Callable[..., object]) -> tuple[str, list[str], str]:
    """What a function does, in words; its formulas; and the source, which may be missing."""
    words, formulas, source = [], [], ""
    for paragraph in (inspect.getdoc(function) or "").split("\n\n"):
        lines = paragraph.splitlines()
        if paragraph.startswith("Source: "):
            source = " ".join(lines).removeprefix("Source: ").removesuffix(".")
        elif all(" = " in line for line in lines):
            formulas += [re.sub(" {2,}", "   ", line.strip()) for line in lines]
        else:
            words += lines
    return " ".join(words), formulas, source


@pytest.mark.parametrize(
    ("table", "module"), [(OPTIMIZERS, optimizers), (SCHEDULES, schedules), (INITIALIZERS, initializers)]
)
def test_every_choice_explains_itself_in_words_by_a_formula_and_with_a_source(table, module):
    for name in table:
        words, formulas, source = parts_of_docstring(getattr(module, name))
        assert len(words.split()) >= 5, name
        assert formulas, name
        assert re.search(r"\b\d{4}\b|char-rnn|PyTorch", source) or name in ("constant", "linear"), name


def table_of_cells() -> str:
    D, H = WORKED
    lines = [
        "| cell | blocks of W | states | parameters | products | of the LSTM's | in a layer above |",
        "| --- | --- | --- | --: | --: | --: | --: |",
    ]
    of_lstm = products("lstm", H)
    for name in cells.CELLS:
        cell = cells.build(name)
        above = products(name, H) + len(cell.gates) * H * H
        lines.append(
            f"| [`{name}`](#{name}) | {' '.join(cell.gates)} | {' '.join(cell.state)} | {parameters(name, D, H):,} | "
            f"{products(name, H):,} | {products(name, H) / of_lstm:.2f} | {above:,} |"
        )
    return "\n".join(lines) + "\n"


WORKED = (65, 128)
"""D and H of the worked numbers."""


def parameters(name: str, D: int, H: int) -> int:
    """Of a layer, as the code counts them."""
    return sum(math.prod(shape) for shape in unroll.shapes(cells.build(name), D, H, False).values())


def products(name: str, H: int) -> int:
    """Multiply-adds of a step in the first layer: all that the state is multiplied by."""
    cell = cells.build(name)
    return len(cell.gates) * H * H + sum((n * H) ** 2 for n in cell.matrices.values())


def table_of_options() -> str:
    lines = ["| key | goes with |", "| --- | --- |"]
    for key in ("layer_norm", "recurrent_dropout", "zoneout_h", "zoneout_c", "forget_bias"):
        without = [f"`{name}`" for name in cells.CELLS if not goes_with(name, key)]
        lines.append(f"| `model.{key}` | {' but '.join(['all', *filter(None, [', '.join(without)])])} |")
    return "\n".join(lines) + "\n"


def goes_with(name: str, key: str) -> bool:
    """Whether a cell can take an option, and anything follows from it."""
    if key == "forget_bias":
        cell = cells.build(name)
        b = np.zeros(len(cell.gates))
        cell.init_bias(b, 1, 1.0)
        return bool(b.any())
    try:
        charrnn.CharLM(2, cell=name, **{key: 0.5})
    except ValueError:
        return False
    return True


def commands() -> Iterator[tuple[str, click.Context]]:
    """Every command by its path, as in "config show", with a context that prints its help in 80 columns."""
    pending = [("", click.Context(cli, info_name="charrnn", terminal_width=80, **cli.context_settings))]
    for path, ctx in pending:
        yield path, ctx
        if isinstance(ctx.command, click.Group):
            for name in ctx.command.list_commands(ctx):
                command = ctx.command.get_command(ctx, name)
                pending.append((f"{path} {name}".strip(), click.Context(command, info_name=name, parent=ctx)))


def generated() -> dict[tuple[str, str], str]:
    """By document and name, what must stand there."""
    helps = {
        ("command-line.md", f"help {path}".strip()): f"```text\n{ctx.get_help()}\n```\n" for path, ctx in commands()
    }
    return helps | {
        ("configuration.md", "keys"): table_of_keys(),
        ("configuration.md", "optimizers"): table_of_choices("optim.name", OPTIMIZERS, optimizers),
        ("configuration.md", "schedules"): table_of_choices("optim.schedule", SCHEDULES, schedules),
        ("layers.md", "initializers"): table_of_choices("model.init", INITIALIZERS, initializers),
        ("cells.md", "cells"): table_of_cells(),
        ("cells.md", "options"): table_of_options(),
    }


@pytest.mark.parametrize(("document", "name"), generated())
def test_what_the_program_prints_in_a_document_is_what_it_prints_now(document, name):
    found = dict(GENERATED.findall((DOCS / document).read_text("utf-8")))
    assert name in found, f"{document} lacks <!-- generated: {name} --> and <!-- end -->"
    assert found[name] == generated()[document, name], "run: python tests/test_documents.py"


def test_every_place_for_what_the_program_prints_is_filled_by_it():
    places = [(path.name, name) for path in DOCUMENTS for name, _ in GENERATED.findall(path.read_text("utf-8"))]
    assert sorted(places) == sorted(generated())


@pytest.mark.parametrize(("path", "ctx"), list(commands()))
def test_no_help_shows_the_marks_that_are_meant_for_click(path, ctx):
    assert "\\b" not in ctx.get_help()


# --- commands, links and code in the documents ----------------------------------------------------------------------


EXAMPLES = [
    (name, args)
    for name, path in zip(IDS, DOCUMENTS, strict=True)
    if path.name != "adding.md"  # what it adds is not there; test_adding.py runs its commands where it is
    for args in command_lines(path.read_text("utf-8"))
]


@pytest.mark.parametrize(("document", "arguments"), EXAMPLES, ids=[f"{d}: {' '.join(a)}" for d, a in EXAMPLES])
def test_every_command_in_a_document_can_be_typed(document, arguments, monkeypatch):
    called = []

    def check(**values):
        called.append(values)
        resolve(common.read_assignments(values.get("assignments", ())))

    for _, ctx in commands():
        if not isinstance(ctx.command, click.Group):
            monkeypatch.setattr(ctx.command, "callback", check)
    cli.main(arguments, prog_name="charrnn", standalone_mode=False)
    assert called or {"--help", "-h", "--version"} & set(arguments)


@pytest.mark.parametrize("path", DOCUMENTS, ids=IDS)
def test_every_shipped_config_that_a_document_names_exists(path):
    named = re.findall(r"charrnn (?:train [^`\n]*-c|config show) ([\w-]+)(?![\w.-])", path.read_text("utf-8"))
    assert set(named) <= set(common.config_names())


def test_every_command_has_an_example():
    shown = {" ".join(arguments[: path.count(" ") + 1]) for _, arguments in EXAMPLES for path, _ in commands()}
    leaves = {path for path, ctx in commands() if not isinstance(ctx.command, click.Group)}
    assert leaves - shown == set()


def anchors(path: Path) -> set[str]:
    """What GitHub makes of the headings."""
    titles = re.findall(r"^#+ (.+)$", FENCED.sub("", path.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", DOCUMENTS, ids=IDS)
def test_every_link_within_the_project_leads_somewhere(path):
    prose = FENCED.sub("", path.read_text("utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        assert there.exists(), target
        assert there.is_relative_to(ROOT), target
        assert not anchor or anchor in anchors(there), target


def test_the_index_names_every_document():
    linked = {
        (DOCS / target).resolve() for target in re.findall(r"\]\(([^)]+)\)", (DOCS / "README.md").read_text("utf-8"))
    }
    assert {path for path in DOCUMENTS if path.is_relative_to(DOCS)} - linked == {DOCS / "README.md"}


@pytest.fixture(scope="module")
def run_directory(tmp_path_factory) -> Path:
    """A small run on the shipped text, under the name that the documents use."""
    path = tmp_path_factory.mktemp("documents") / "runs" / "harbour-1"
    sizes = {"model.hidden_size": 6, "train.batch_size": 4, "train.seq_length": 8, "train.iterations": 6}
    often = {"train.eval_every": 2, "train.checkpoint_every": 2, "train.eval_chars": 500, "train.seed": 1}
    sets = [f"--set={key}={value}" for key, value in (sizes | often).items()]
    words = ["train", "harbour", "-c", "lstm", "-o", str(path), "-q", *sets]
    cli.main(words, prog_name="charrnn", standalone_mode=False)
    return path


WITH_PYTHON = [path for path in DOCUMENTS if blocks(path.read_text("utf-8"), "python")]


@pytest.mark.parametrize("path", DOCUMENTS, ids=IDS)
def test_no_document_has_a_blank_that_was_to_be_filled(path):
    assert not re.search(r"@@|TODO|TBD", path.read_text("utf-8"))


@pytest.mark.parametrize("path", WITH_PYTHON, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_python_in_a_document_runs(path, run_directory, monkeypatch, capsys):
    monkeypatch.chdir(run_directory.parents[1])
    names: dict[str, typing.Any] = {}
    for block in blocks(path.read_text("utf-8"), "python"):
        if "sklearn" in block:
            pytest.importorskip("sklearn", reason="shows what goes with scikit-learn, which is not here")
        exec(compile(block, str(path), "exec"), names)


# --- claims about the program ---------------------------------------------------------------------------------------

WITH_KEYS = [f"{name}.md" for name in ("configuration", "cells", "layers", "sequences", "first-steps", "glossary")]


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_config_loads(path):
    resolve(common.read_config(path.stem))


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_config_begins_with_what_it_reaches(path):
    first = path.read_text("utf-8").splitlines()[0]
    assert re.match(r"# .*\b(\d\.\d+ (nats|bits)|\d+(\.\d+)? %)", first), first


def test_the_readme_shows_lines_of_the_list_of_configs_as_the_program_does():
    listed = CliRunner().invoke(cli, ["config", "list"]).output.splitlines()
    readme = (ROOT / "README.md").read_text("utf-8")
    shown = readme.partition("$ charrnn config list\n")[2].partition("```")[0].splitlines()
    assert len(shown) > 5
    assert [line for line in listed if line in shown] == shown


@pytest.mark.parametrize("document", WITH_KEYS)
def test_every_key_that_a_document_names_exists(document):
    named = re.findall(r"`((?:task|data|model|train|optim)\.\w+)(?:: [^`]+)?`", (DOCS / document).read_text("utf-8"))
    assert named
    assert set(named) <= set(keys())


def test_every_key_of_a_model_is_explained_on_a_page_of_networks():
    pages = CELLS_PAGE + page("layers.md") + page("sequences.md")
    explained = re.findall(r"\bmodel\.\w+", pages)
    assert {key for key in keys() if key.startswith("model.")} - set(explained) == set()


def test_the_keys_that_a_resumed_run_may_change_are_listed():
    text = section((DOCS / "configuration.md").read_text("utf-8"), "Precedence")
    assert re.findall(r"`((?:task|data|model|train|optim)\.\w+)`", text) == list(RESUMABLE)


def first_column(title: str) -> list[str]:
    """Of the table under a heading of command-line.md."""
    rows = section((DOCS / "command-line.md").read_text("utf-8"), title).split("| --- |")[1]
    return re.findall(r"^\| `?(.+?)`? \|", rows, re.MULTILINE)


def test_every_file_of_a_run_directory_is_described(run_directory):
    assert set(first_column("A run directory")) == {path.name for path in run_directory.iterdir()}


def test_every_key_of_the_metrics_is_described(run_directory):
    lines = [json.loads(line) for line in (run_directory / "metrics.jsonl").read_text("utf-8").splitlines()]
    written = {key for line in lines for key in line}
    of_a_record = {f.name for f in dataclasses.fields(Record)} - {"scores", "sample"} | {"val_nats"}
    assert set(first_column("metrics.jsonl")) == of_a_record == written


def test_every_exit_code_is_described():
    codes = {int(code) for codes in first_column("Exit codes") for code in codes.split(", ")}
    assert codes == {0, 129, 130, 143} | {error.exit_code for error in (CharrnnError, *CharrnnError.__subclasses__())}


def test_every_key_of_eval_is_described(run_directory, capsys):
    cli.main(["eval", str(run_directory), "harbour", "--json"], prog_name="charrnn", standalone_mode=False)
    text = section((DOCS / "command-line.md").read_text("utf-8"), "eval")
    (listed,) = re.findall(r"the keys are (.+?);", text, re.DOTALL)
    assert re.findall(r"`(\w+)`", listed) == list(json.loads(capsys.readouterr().out))


A_TASK = {
    "classify": Classify(Vocabulary("ab"), ("x", "y")),
    "generate": Generate(Vocabulary("ab"), ("x", "y"), (1, 1)),
    "tag": Tag(Vocabulary("ab"), Vocabulary("cd")),
    "transduce": Transduce(Vocabulary("ab"), Vocabulary("cd"), 1.0),
}
"""A task of each kind beside the language model of one text."""


def content_of_checkpoint(task: typing.Any, **chosen: typing.Any) -> tuple[set[str], dict[str, typing.Any]]:
    """The names of the members, and what is in `__meta__`."""
    small = {"model.hidden_size": 4, "train.batch_size": 2, "train.seed": 0, "model.initial_state": "learned"}
    config, _ = resolve([Setting(key, value, "") for key, value in (small | chosen).items()])
    run = Run.new(config, task, Corpus("ab.txt", 2, ""))
    with np.load(io.BytesIO(checkpoint.to_bytes(run))) as file:
        return set(file.files), json.loads(file["__meta__"].tobytes())


def test_every_array_and_key_of_a_checkpoint_is_described():
    text = (DOCS / "checkpoint-format.md").read_text("utf-8")
    names, meta = set(), {}
    for cell, optimizer in itertools.product(cells.CELLS, OPTIMIZERS):
        chosen = {"model.cell": cell, "optim.name": optimizer, "optim.average": 0.9, "train.gradient": "rtrl"}
        chosen["model.layer_norm"] = goes_with(cell, "layer_norm")
        found, meta = content_of_checkpoint(LanguageModel(Vocabulary("ab")), **chosen)
        names |= found
    for name, task in A_TASK.items():
        chosen = {"task.name": name, "model.embedding_size": 3}
        if name == "transduce":
            chosen["model.attention"] = "additive"
        names |= content_of_checkpoint(task, **chosen)[0]
    rows = re.findall(r"^\| (`.+?) \|", section(text, "Members"), re.MULTILINE)
    listed = [name.replace("SLOT", "?").replace("NAME", "*") for row in rows for name in re.findall(r"`(.+?)`", row)]
    plain = {
        name: re.sub(r"^(encoder|decoder)\.|(?<=\.)reverse\.", "", name.replace("state.1.", "state.0."))
        for name in names
    }
    known = {name for name in names if any(fnmatchcase(n, p) for n in (name, plain[name]) for p in listed)}
    assert names - known == set()
    assert [pattern for pattern in listed if not any(fnmatchcase(name, pattern) for name in names)] == []
    assert re.findall(r"^\| `(\w+)` \|", section(text, "The keys of `__meta__`"), re.MULTILINE) == list(meta)


@pytest.mark.parametrize("name", A_TASK)
def test_what_a_checkpoint_keeps_of_a_task_is_described(name):
    text = section((DOCS / "checkpoint-format.md").read_text("utf-8"), "What a task keeps")
    (keys_of_task,) = re.findall(rf"^\| `{name}` \| (.+?) \|", text, re.MULTILINE)
    assert ["vocabulary", *re.findall(r"`(\w+)`", keys_of_task)] == list(A_TASK[name].to_meta())


def test_the_reading_with_numpy_alone_expects_what_charrnn_expects(run_directory, monkeypatch, capsys):
    monkeypatch.chdir(run_directory.parents[1])
    names: dict[str, typing.Any] = {}
    (block,) = blocks((DOCS / "checkpoint-format.md").read_text("utf-8"), "python")
    exec(block, names)
    run = charrnn.load(run_directory)
    ids = run.task.vocabulary.encode("The ")[:, None]
    logits, _ = run.model.forward(run.params, ids, run.model.zero_state(1))
    np.testing.assert_allclose(names["logits"], logits[-1, 0], rtol=1e-5, atol=1e-6)
    assert np.ptp(logits[-1, 0]) > 0.1


@pytest.mark.parametrize("name", charrnn.__all__)
def test_every_public_name_explains_itself(name):
    value = getattr(charrnn, name)
    if name == "__version__":
        assert re.match(r"\d+\.\d+\.\d+", value)
        return
    explanation = inspect.getdoc(value) or ""
    assert len(explanation.split()) >= 5
    assert not explanation.startswith(f"{name}(")  # what dataclass writes where there is nothing


# --- the cells --------------------------------------------------------------------------------------------------------

COSTS = re.compile(
    r"Parameters: `(.+?)`, ([\d,]+) with D = 65 and H = 128. Products: `(.+?)`, ([\d,]+); ([\d.]+) of the LSTM's."
)
CELLS_BY_ACTIVATION = [
    (name, activation) for name in cells.CELLS for activation in (cells.ACTIVATIONS if name == "rnn" else ("tanh",))
]


@pytest.mark.parametrize("name", cells.CELLS)
def test_every_cell_has_a_section_with_its_source_and_what_it_shows(name):
    text = section(CELLS_PAGE, name)
    assert re.search(r"^Source: .*\b\d{4}\b", text, re.MULTILINE)
    assert "What it shows: " in text
    assert f"](#{name})" in section(CELLS_PAGE, "The cells")


def test_every_section_with_costs_is_of_a_cell():
    described = re.findall(r"^### (.+)$", CELLS_PAGE, re.MULTILINE)
    assert [title for title in described if "Parameters: " in section(CELLS_PAGE, title)] == list(cells.CELLS)


@pytest.mark.parametrize("name", cells.CELLS)
def test_the_costs_of_a_cell_are_what_its_section_says(name):
    found = COSTS.search(section(CELLS_PAGE, name))
    assert found, "no line of costs"
    D, H = WORKED
    counts = parameters(name, D, H), products(name, H)
    assert found.group(2, 4, 5) == (f"{counts[0]:,}", f"{counts[1]:,}", f"{counts[1] / products('lstm', H):.2f}")
    for D, H in (WORKED, (3, 5), (7, 2)):
        assert eval(found[1], {"D": D, "H": H}) == parameters(name, D, H)
        assert eval(found[3], {"H": H}) == products(name, H)


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def side_by_side(*arrays):
    return np.concatenate(arrays, axis=-1)


ACTIVATIONS = {"tanh": np.tanh, "relu": lambda a: np.maximum(a, 0), "sigmoid": sigmoid}


def as_python(formula: str) -> str:
    return formula.replace("'", "_new").replace("^", "**")


@pytest.mark.parametrize(("name", "activation"), CELLS_BY_ACTIVATION)
def test_the_equations_of_a_section_are_what_the_cell_computes(name, activation):
    cell, rng = cells.build(name, activation), np.random.default_rng(0)
    B, D, H = 2, 3, 4
    params = {key: rng.normal(size=shape) for key, shape in unroll.shapes(cell, D, H, False).items()}
    x, state = rng.normal(size=(1, B, D)), {key: rng.uniform(0.1, 0.9, (B, H)) for key in cell.state}
    tape = Tape(cell.layout, 1, B, H, np.float64)
    unroll.forward(cell, params, x, state, np.zeros(B, bool), tape)

    known = {"sigmoid": sigmoid, "tanh": np.tanh, "side_by_side": side_by_side, "activation": ACTIVATIONS[activation]}
    known |= params | state | {"x": x[0], "W_h": params["W"][:H], "W_x": params["W"][H:]}
    for k, gate in enumerate(cell.gates):
        columns = slice(k * H, (k + 1) * H)
        known |= {f"W_h{gate}": known["W_h"][:, columns], f"W_x{gate}": known["W_x"][:, columns]}
        known[f"b_{gate}"] = params["b"][columns]
    (block, *_) = blocks(section(CELLS_PAGE, name), "")
    for line in equations(block):
        statement, _, beside = line[4:].partition("   ")
        exec(as_python(statement), known)
        parts = re.findall(r"\w+_\w", beside)  # "its blocks a_i, a_f"
        if parts:
            whole = known[parts[0][0]]
            known |= dict(zip(parts, np.split(whole, len(parts), axis=-1), strict=True))
    for key in cell.state:
        np.testing.assert_allclose(known[f"{key}_new"], tape.state[key][1], rtol=1e-12, err_msg=key)


@pytest.mark.parametrize("name", ["rnn", "gru", "gru_reset_before", "mgu", "lstm"])
def test_the_equations_of_a_section_are_those_of_the_code(name):
    (block, *_) = blocks(section(CELLS_PAGE, name), "")
    assert equations(block) == equations(importlib.import_module(f"charrnn.nn.cells.{name}").__doc__)


def test_the_equations_of_attention_are_those_of_the_code():
    (block,) = blocks(section(page("sequences.md"), "Attention"), "")
    assert len(equations(block)) == 4
    assert textwrap.indent(block, " " * 4) in (attention.__doc__ or "")


def test_every_way_to_pool_and_every_context_has_its_line():
    for title, names in {"Pooling": POOLINGS, "Encoder and decoder": CONTEXTS}.items():
        told = [
            line.split()[0] for block in blocks(section(page("sequences.md"), title), "") for line in block.splitlines()
        ]
        assert set(names) <= set(told)


BACKPROPAGATION = (DOCS / "backpropagation.md").read_text("utf-8")


def test_the_code_beside_the_derivation_is_that_of_the_textbook():
    files = [path.read_text("utf-8") for path in sorted((Path(charrnn.__file__).parent / "textbook").glob("*.py"))]
    quoted = blocks(BACKPROPAGATION, "py")
    assert len(quoted) == 6
    assert [block for block in quoted if sum(block in text for text in files) != 1] == []


# --- the glossary -----------------------------------------------------------------------------------------------------

TERMS = re.findall(r"^- (\*\*.+?\*\*): ", page("glossary.md"), re.MULTILINE)
NAMES = """
    cell layer stack model head task run trainer vocab_size input_size hidden_size batch_size seq_length num_layers gate
    state pre-activation ids input target logits loss nats bits perplexity gradient params step iteration epoch
    learning_rate clip_norm clip_value momentum beta1 beta2 eps batch window stream checkpoint tape oracle average
    plateau item pair label document source padding pooling embedding_size encoder decoder context attention beam
    unknown boundary classify generate tag transduce grid layout rank tile
"""
"""The names that the program, its files and its documents are made of."""


def test_the_glossary_has_every_name_of_the_program_in_the_order_of_the_alphabet():
    found = [term for line in TERMS for term in re.findall(r"\*\*(.+?)\*\*", line)]
    assert set(NAMES.split()) - set(found) == set()
    assert found == sorted(set(found), key=lambda term: term.lower().replace("_", " "))


def test_every_letter_of_the_package_is_in_the_glossary():
    (line,) = re.findall(r"^ +(T seq_length .+)$", charrnn.__doc__, re.MULTILINE)
    letters = set(re.findall(r"\b[A-Z]\b", line))
    assert letters - set(re.findall(r"^\| ([A-Z]) \| ", page("glossary.md"), re.MULTILINE)) == set()


# --- the example of lstm-backward.md --------------------------------------------------------------------------------

DERIVATION = (DOCS / "lstm-backward.md").read_text("utf-8")
LINE = re.compile(r"^(?:\([\d,]+\))?\s*(\S+)\s+= (.+?)\s+= (-?\d\.\d{6})$")


def printed(title: str) -> dict[str, tuple[str, str]]:
    """By name, the arithmetic and the result that stand under a heading of the example."""
    (block,) = blocks(section(DERIVATION, title), "")
    return {(m := LINE.match(line))[1]: (m[2], m[3]) for line in block.splitlines()}


TITLES = ["Forward, t = 0", "Forward, t = 1", "Backward, t = 1", "Backward, t = 0", "The weights"]


@pytest.fixture(scope="module")
def example() -> dict[str, dict[str, float]]:
    """The same numbers under the same names, by charrnn's own functions."""
    H, T = 1, 2
    cell = cells.build("lstm")
    params = {
        "W": np.array([[0.4, 0.3, -0.5, 0.2], [0.6, -0.2, 0.8, 0.5]]),
        "b": np.array([0.1, 1.0, 0.0, -0.1]),
        "h0": np.array([0.1]),
        "c0": np.array([-0.2]),
    }
    W, b = np.array([[0.9, -0.6]]), np.array([0.0, 0.1])
    x, y, starts = np.array([1.0, 0.5]).reshape(T, 1, 1), np.array([0, 1]), np.array([True])
    tape = Tape(cell.layout, T, 1, H, np.float64)
    nothing = {"h": np.zeros((1, H)), "c": np.zeros((1, H))}
    h = unroll.forward(cell, params, x, nothing, starts, tape).reshape(T, H)
    logits = head.affine(h, W, b)
    nats = head.nats(logits, y)
    dlogits = logits.copy()
    loss = head.cross_entropy_(dlogits, y)
    dW, db = np.empty_like(W), np.empty_like(b)
    dh_out = head.affine_backward(h, W, dlogits, dW, db).reshape(T, 1, H)
    grads = {name: np.empty_like(array) for name, array in params.items()}
    dx = np.empty_like(x)
    unroll.backward(cell, params, dh_out, {n: z.copy() for n, z in nothing.items()}, tape, grads, dx)
    state_h, state_c = tape.state["h"].ravel(), tape.state["c"].ravel()
    found: dict[str, dict[str, float]] = {}
    dstate = {n: z.copy() for n, z in nothing.items()}
    for t in range(T):
        a = x[t, 0] @ params["W"][1:] + state_h[t] * params["W"][0] + params["b"]
        found[f"Forward, t = {t}"] = {
            **{f"a_{gate}": a[k] for k, gate in enumerate(cell.gates)},
            **{gate: tape.a[t, k].item() for k, gate in enumerate(cell.gates)},
            "c'": state_c[t + 1],
            "tanh(c')": tape.saved["tanh_c"][t].item(),
            "h'": state_h[t + 1],
            **{f"logits_{k}": logits[t, k] for k in range(2)},
            **{f"p_{k}": np.exp(logits[t] - np.logaddexp(*logits[t]))[k] for k in range(2)},
            "nats": nats[t],
        }
    da = tape.da.copy()
    for t in reversed(range(T)):
        dstate["h"] += dh_out[t]
        arrived = dstate["h"].item()
        cell.step_backward(params, tape, t, dstate)
        found[f"Backward, t = {t}"] = {
            **{f"dlogits_{k}": dlogits[t, k] for k in range(2)},
            "dh_out": dh_out[t].item(),
            "dh'": arrived,
            "dc'": dstate["c"].item() / tape.a[t, 1].item(),  # (3) dc = dc' * f
            **{f"da_{gate}": da[t, 0, k] for k, gate in enumerate(cell.gates)},
            "dc": dstate["c"].item(),
            "dh": dstate["h"].item(),
            "dx": dx[t].item(),
        }
    found["The weights"] = {
        **{f"dW_h_{gate}": grads["W"][0, k] for k, gate in enumerate(cell.gates)},
        **{f"dW_x_{gate}": grads["W"][1, k] for k, gate in enumerate(cell.gates)},
        **{f"db_{gate}": grads["b"][k] for k, gate in enumerate(cell.gates)},
        **{f"dW_{k}": dW[0, k] for k in range(2)},
        **{f"db_{k}": db[k] for k in range(2)},
    }
    found["The rest"] = {"loss": loss, "dh0": grads["h0"].item(), "dc0": grads["c0"].item()}
    return found


@pytest.mark.parametrize("title", TITLES)
def test_the_example_by_hand_has_the_numbers_of_charrnn(title, example):
    results = {name: result for name, (_, result) in printed(title).items()}
    assert results == {name: f"{value:.6f}" for name, value in example[title].items()}


@pytest.mark.parametrize("title", TITLES)
def test_the_arithmetic_of_the_example_gives_its_numbers(title):
    functions = {"exp": math.exp, "log": math.log, "tanh": math.tanh, "sigmoid": lambda a: 1 / (1 + math.exp(-a))}
    for name, (arithmetic, result) in printed(title).items():
        assert eval(arithmetic.replace("^", "**"), functions) == pytest.approx(float(result), abs=2e-6), name


def test_loss_and_what_is_left_at_the_initial_state_are_as_the_example_says(example):
    rest = example["The rest"]
    assert f"**{rest['loss']:.6f}**" in section(DERIVATION, "Forward, t = 1")
    assert rest["dh0"] == example["Backward, t = 0"]["dh"]
    assert rest["dc0"] == example["Backward, t = 0"]["dc"]
    assert f"**{example['The weights']['dW_x_g']:.6f}**" in section(DERIVATION, "Is it true?")


def test_the_equations_of_the_derivation_are_those_of_the_code():
    forward = next(b for b in blocks(DERIVATION, "") if b.startswith("(1)"))
    in_code = importlib.import_module("charrnn.nn.cells.lstm").__doc__
    assert [line.strip() for line in forward.splitlines()] == re.findall(r"\(\d\) .+", in_code)


def test_the_factors_of_the_derivation_are_the_partial_derivatives_of_the_code():
    rng = np.random.default_rng(0)
    T, B, D, H = 3, 2, 4, 5
    cell = cells.build("lstm")
    params = {key: rng.normal(size=shape) for key, shape in unroll.shapes(cell, D, H, False).items()}
    state, tape = {key: rng.normal(size=(B, H)) for key in cell.state}, Tape(cell.layout, T, B, H, np.float64)
    unroll.forward(cell, params, rng.normal(size=(T, B, D)), state, np.zeros(B, bool), tape)
    tape.begin_backward(params["W"])
    cell.partial_derivatives(params, tape, slice(0, T))
    (dc_da_i, dc_da_f, dc_da_g), dh_da_o, dh_dc = tape.partials_of(slice(0, T))
    computed = {"dh_da_o": dh_da_o, "dh_dc": dh_dc, "dc_da_i": dc_da_i, "dc_da_f": dc_da_f, "dc_da_g": dc_da_g}
    (block,) = (b for b in blocks(DERIVATION, "") if b.startswith("dh_da_o = "))
    known = dict(zip(cell.gates, tape.a.swapaxes(0, 1), strict=True))
    known |= {"c": tape.state["c"][:-1], "c_new": tape.state["c"][1:], "tanh": np.tanh}
    factors = re.findall(r"(\w+) += (.+?)(?= {3}|$)", block, re.MULTILINE)
    assert [name for name, _ in factors] == list(computed)
    for name, formula in factors:
        np.testing.assert_allclose(eval(as_python(formula), known), computed[name], rtol=1e-12, err_msg=name)


def test_the_step_back_of_the_derivation_is_that_of_the_code():
    (quoted,) = blocks(DERIVATION, "py")
    source = inspect.getsource(importlib.import_module("charrnn.nn.cells.lstm").LSTM.step_backward)
    assert source.partition("-> None:\n")[2] == quoted


def write_generated() -> None:
    for path in DOCUMENTS:
        text = path.read_text("utf-8")
        parts = {name: body for (document, name), body in generated().items() if document == path.name}
        new = GENERATED.sub(lambda m, p=parts: f"<!-- generated: {m[1]} -->\n{p[m[1]]}<!-- end -->", text)
        if new != text:
            path.write_text(new, "utf-8")
            print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    write_generated()
