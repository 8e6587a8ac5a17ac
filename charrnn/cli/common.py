"""What several commands share: options, places, and how numbers are shown."""

from __future__ import annotations

import difflib
import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from charrnn import advice
from charrnn.caches import cache_directory
from charrnn.config import reading
from charrnn.config.resolve import Setting
from charrnn.errors import ConfigError, DataError, one_line
from charrnn.nearness import nearest_file
from charrnn.resources import CONFIGS, CORPORA

if TYPE_CHECKING:
    from charrnn.runs.run import Run
    from charrnn.text.corpus import Library

config_option = click.option(
    "-c", "--config", "config_name", metavar="CONFIG", help="A YAML file, or the name of a shipped one."
)
set_option = click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a key, as in model.hidden_size=256.",
)
encoding_option = click.option(
    "--encoding", metavar="NAME", help="Of the text [that of the model's own, or UTF-8, whichever it is]."
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")


class Place(click.Path):
    """Is where something is to be written: a name, which a variable that the shell does not know would leave empty."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Returns the path. Raises click's error for an empty name, which would mean the current directory."""
        if value == "":
            self.fail("the name is empty; name a directory", param, ctx)
        return super().convert(value, param, ctx)


def say(message: str) -> None:
    """Prints a message to the user, a line on stderr; data alone goes to stdout."""
    click.echo(one_line(message), err=True)


def invite(sources: Iterable[str | None], what: str = "type the text; to end it, Ctrl-D in an empty line") -> None:
    """Says what to do where one of the sources is standard input, and that is a terminal, which would wait in silence.

    On Windows, it is Ctrl-Z and Enter that ends it.
    """
    if "-" in sources and sys.stdin and sys.stdin.isatty():
        say(f"{what.replace('Ctrl-D', 'Ctrl-Z and Enter') if os.name == 'nt' else what}")


def print_json(value: Any) -> None:
    """Prints one JSON object and nothing else; a list of many items has a line for each, and a short one is a line."""
    if not isinstance(value, dict) or not any(isinstance(entry, list) and len(entry) > FEW for entry in value.values()):
        put(f"{to_json(value, indent=2)}\n")
        return
    entries = [f"  {to_json(key)}: {_entry(entry)}" for key, entry in value.items()]
    put("{\n" + ",\n".join(entries) + "\n}\n")


def put(text: str) -> None:
    """Writes to stdout in UTF-8, as JSON and pages are, whatever the terminal says of itself."""
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
    sys.stdout.buffer.flush()


FEW = 20
"""Items of a list that Python's JSON may indent; it takes seconds, and as many lines as there are numbers, for more."""


def _entry(value: Any) -> str:
    if isinstance(value, list):
        return "[\n    " + ",\n    ".join(map(to_json, value)) + "\n  ]" if value else "[]"
    return to_json(value, indent=2).replace("\n", "\n  ")


def to_json(value: Any, indent: int | None = None) -> str:
    """Returns a value as JSON, in one line if nothing is indented."""
    return json.dumps(_finite(value), indent=indent, ensure_ascii=False, allow_nan=False)


def _finite(value: Any) -> Any:
    """Puts null where something is not a number, for which JSON has no word."""
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def library() -> Library:
    """Returns the corpora, with the user's cache directory."""
    from charrnn.text.corpus import Library

    return Library(CORPORA, cache_directory())


def library_for(run: Run, encoding: str | None) -> Library:
    """Returns the corpora for a command that gives a run texts, in an `encoding` if a user has named one.

    Raises ConfigError where the run's symbols are bytes and it names another, or the other way round.
    """
    from dataclasses import replace

    from charrnn.text.reading import Known
    from charrnn.text.vocabulary import BYTES

    own = run.config.data.encoding
    encoding = _known_encoding(encoding)
    if encoding is not None and (encoding == BYTES) != (own == BYTES):
        symbols = "bytes" if own == BYTES else "characters"
        raise ConfigError(f"--encoding {encoding}: the symbols of this run are {symbols}; leave it out")
    vocabulary = getattr(run.task, "vocabulary", None)
    known = Known(vocabulary.symbols, run.corpus.sha256) if vocabulary else None
    return replace(library(), naming="--encoding", encoding=encoding, known=known)


def library_to_look(encoding: str | None) -> Library:
    """Returns the corpora for a command that looks at texts before anything is decided: what is not UTF-8 is bytes."""
    from dataclasses import replace

    return replace(library(), naming="--encoding", encoding=_known_encoding(encoding), or_bytes=encoding is None)


def _known_encoding(encoding: str | None) -> str | None:
    """Returns what `--encoding` names. Raises ConfigError for what is no encoding."""
    from charrnn.text.options import parse_encoding

    try:
        return None if encoding is None else parse_encoding(encoding)
    except ValueError as error:
        raise ConfigError(f"--encoding {encoding}: it must be {error}") from None


def decoded(run: Run, data: bytes, name: str, encoding: str | None) -> str:
    """Returns the characters of `data`, which are of a file that an option `name` gives to a run.

    Raises ConfigError where they are not in its encoding.
    """
    from charrnn.text.text import EmptyText

    config = run.config.data
    try:
        text = library_for(run, encoding).decoded(data, name, config.encoding, config.newlines)
    except EmptyText:
        return ""
    except DataError as error:
        raise ConfigError(*error.messages) from error
    tell(text.origin.notes)
    return "".join(text.pieces())


def tell(notes: Sequence[str]) -> None:
    """Prints what a user may want to know of how texts were read."""
    for note in notes:
        say(note)


def config_names() -> list[str]:
    """Returns the names of the shipped configs."""
    return sorted(path.stem for path in CONFIGS.glob("*.yaml"))


def find_config(name: str) -> Path:
    """Returns the path of the file called `name`, or of the shipped config of that name."""
    path = Path(name)
    if path.is_file() or name not in config_names():
        return path
    return CONFIGS / f"{name}.yaml"


def is_checkpoint(source: str) -> bool:
    """Tells whether `source`, which may be a config or a checkpoint, is a checkpoint or a run directory."""
    path = find_config(source)
    return path.suffix not in (".yaml", ".yml") and (path.exists() or path.suffix == ".npz")


def read_config(name: str | None) -> list[Setting]:
    """Returns the settings of a config file, or of a shipped one; none for None. Raises ConfigError."""
    if name is None:
        return []
    try:
        text = yaml_in(name, find_config)
    except FileNotFoundError:
        near = difflib.get_close_matches(name, config_names(), n=1)
        hint = f"`{advice.command('config', 'list')}` names the shipped ones"
        if near or (other := nearest_file(name)):
            hint = f"did you mean {repr(near[0]) if near else advice.word(other)}?"
        raise ConfigError(f"{name}: no such config; {hint}") from None
    return reading.read_yaml(text, one_line(str(find_config(name))))


def yaml_in(name: str, find: Callable[[str], Path] = Path) -> str:
    """Returns what stands in the file of a name. Raises FileNotFoundError, and ConfigError where it is no text."""
    try:
        with open(find(name), encoding="utf-8-sig") as file:
            return file.read(reading.MAX_CHARACTERS + 1)  # one more than may be, and not all that a device may give
    except FileNotFoundError:
        raise
    except (OSError, UnicodeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ConfigError(f"{name}: cannot be read as a config: {reason}; give a YAML file") from error


def read_assignments(assignments: Sequence[str]) -> list[Setting]:
    """Returns the settings that `--set` gives, KEY=VALUE each. Raises ConfigError."""
    return [reading.read_assignment(a) for a in assignments]


def require(run: Run, ability: str, asked: str) -> None:
    """Raises ConfigError if the run's task has not the ability (see `tasks.base`) that an option `asked` is for."""
    if ability not in run.task.abilities:
        of_documents = " with data.documents" if run.config.data.documents else ""
        raise ConfigError(f"{asked} is not for a run of the task {run.config.task.name}{of_documents}; leave it out")


PIXELS = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".pdf")
"""How names end of files that are neither pages nor drawn in SVG."""

PAGES = (b"<!do", b"<svg")
"""How a page or a picture begins that a command has written."""


def write_page(page: str, path: Path) -> None:
    """Writes a page or a picture to a file, whole or not at all. Raises ConfigError where something else is there."""
    from charrnn.files import write_atomically

    refuse_to_overwrite(path)
    write_atomically(path, page.encode("utf-8", "backslashreplace"))


def refuse_to_overwrite(path: Path | None) -> None:
    """Raises ConfigError where a page would take the place of what is none, such as a text or a checkpoint.

    A name as of what is never written, such as `page.png`, would lead other programs astray, and is refused too.
    """
    if path is None:
        return
    if str(path) == "-":
        raise ConfigError("'-' is no file to write a page to; name one, such as page.html")
    if path.suffix.lower() in PIXELS:
        raise ConfigError(f"{path} would not be what its name says; end that of a page in .html, of curves in .svg")
    from charrnn.files import keeps_nothing

    try:
        if keeps_nothing(path):  # and reading a pipe would wait for its other end
            return
        with open(path, "rb") as file:
            found = file.read(4)
    except OSError:  # there is none, or what is wrong with it will be told when it is written
        return
    if found and found not in PAGES:
        raise ConfigError(f"{path} is there already, and is no page; nothing was written: name another file")


def describe_loss(nats: float) -> str:
    """Says what a loss is, as in `1.5201 nats (2.1930 bits) per character`."""
    return f"{nats:.4f} nats ({nats / math.log(2):.4f} bits) per character"


def describe_model(model: Any, parameters: int) -> str:
    """Says what a network is, as in `lstm 2x128, 240,321 parameters`; `model` is the section of a configuration."""
    return f"{model.cell} {model.num_layers}x{model.hidden_size}, {parameters:,} parameters"
