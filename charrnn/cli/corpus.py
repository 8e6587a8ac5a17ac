"""`charrnn corpus`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from charrnn import advice
from charrnn.cli import common
from charrnn.errors import ConfigError

if TYPE_CHECKING:
    from charrnn.text.making import TextPair


@click.group("corpus", short_help="List, fetch and make texts to learn from.")
def command() -> None:
    """List, find and fetch the texts that are known by name, and make others.

    \b
    charrnn corpus list
    """  # noqa: D301  # click wants the backspace itself


@command.command("list")
def list_corpora() -> None:
    """List the corpora, with size and licence; `*` marks those that are here."""
    library = common.library()
    for name in library.names():
        recipe = library.recipe(name)
        here = "*" if library.path(name).exists() else " "
        click.echo(f"{here} {name:<16}{recipe['title']} ({recipe['size']}; {recipe['licence']})")


@command.command("path")
@click.argument("name")
def path(name: str) -> None:
    """Print where the corpus NAME is."""
    click.echo(common.library().provide(name))


@command.command("fetch")
@click.argument("name")
def fetch(name: str) -> None:
    """Download the corpus NAME, verify it, keep it in the cache, and print where it is."""
    from tqdm import tqdm

    with tqdm(unit="B", unit_scale=True, desc=name, file=sys.stderr, disable=not sys.stderr.isatty()) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        where = common.library().fetch(name, progress)
    click.echo(where)


@command.command("make")
@click.argument("kind", type=click.Choice(["sums", "capitals", "dates"]))
@click.argument("text", required=False)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.tsv",
    required=True,
    help="Where to write; nothing may be there yet.",
)
@click.option(
    "--rows",
    type=click.IntRange(1, 1_000_000),
    metavar="N",
    help="How many pairs: 50000 sums, 10000 dates or all lines, if not given.",
)
@click.option("--digits", type=click.IntRange(1, 9), metavar="D", help="Digits of the longest numbers: 3 if not given.")
@click.option("--reverse", is_flag=True, help="Write the sums, not the results, backwards.")
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="Another seed gives other pairs: 0 if not given.")
def make(
    kind: str, text: str | None, out: Path, rows: int | None, digits: int | None, reverse: bool, seed: int | None
) -> None:
    """Make pairs of texts to learn from: a source and its target in each line, with a tab between them.

    sums: `123+45` and `168`. dates: `3 March 1987`, or written in another way, and `1987-03-03`. capitals: the lines of
    TEXT, a file or the name of a corpus, in small letters and as they are.
    """
    from charrnn.files import write_atomically
    from charrnn.text import making

    pointless = {"TEXT": text is not None and kind != "capitals", "--seed": seed is not None and kind == "capitals"}
    pointless |= {"--digits": digits is not None and kind != "sums", "--reverse": reverse and kind != "sums"}
    for name in (name for name, given in pointless.items() if given):
        raise ConfigError(f"{name} means nothing for {kind}; leave it out")
    if out.exists():
        raise ConfigError(f"{out} is there already; remove it or choose another name")
    if kind == "sums":
        pairs = making.sums(rows or 50_000, digits or 3, seed or 0, reverse)
    elif kind == "dates":
        pairs = making.dates(rows or 10_000, seed or 0)
    else:
        pairs = _capitals(text, rows)
    write_atomically(out, "".join(making.to_tsv(pairs)).encode())
    common.say(f"{len(pairs):,} pairs in {out}")


def _capitals(text: str | None, rows: int | None) -> list[TextPair]:
    """Returns the first `rows` pairs of a text, or all. Raises ConfigError where no text is named."""
    from charrnn.text.lines import characters_of
    from charrnn.text.making import capitals

    if text is None:
        raise ConfigError(
            "capitals are made of a TEXT; name a file or a corpus, as in: "
            f"{advice.command('corpus', 'make', 'capitals', 'harbour', '-o', 'capitals.tsv')}"
        )
    return capitals(characters_of(common.library().read([text], "utf-8")))[:rows]
