"""`charrnn corpus`."""

from __future__ import annotations

import sys

import click

from charrnn.cli import common


@click.group("corpus", short_help="List and fetch the texts known by name.")
def command() -> None:
    """List, find and fetch the texts that are known by name."""


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
