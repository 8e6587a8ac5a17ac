"""`charrnn decompress`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import click

from charrnn import advice
from charrnn.cli import whole_files
from charrnn.errors import ConfigError


@click.command("decompress", short_help="Restore a file that was compressed.")
@click.argument("places", nargs=-1, required=True, metavar="[RUN] ARCHIVE|-")
@whole_files.out_option
@whole_files.quiet_option
def command(places: tuple[str, ...], out: Path, quiet: bool) -> None:
    """Restore the file in ARCHIVE, every byte of it, or say why that cannot be.

    RUN is the run whose model compressed it, as it was then; an archive made with --from-scratch needs none. The
    machine must add up as the one did that compressed: with the same NumPy and BLAS, on the same kind of processor.
    That is checked, and nothing is written where it does not.

    \b
    charrnn decompress runs/harbour-1 letter.crnn -o letter.txt
    """  # noqa: D301  # click wants the backspace itself
    from charrnn.compressing import archive, compression
    from charrnn.runs.checkpoint import load

    if len(places) > 2:
        raise ConfigError(
            f"{len(places)} names were given, and a run and an archive are needed; see: "
            f"{advice.command('decompress', '--help')}"
        )
    whole_files.refuse_to_overwrite(out, lambda found: False, "")
    if len(places) == 2 and places[0] != "-" and Path(places[0]).is_file():
        with suppress(OSError), open(places[0], "rb") as file:
            if archive.is_archive(file.read(len(archive.MAGIC))):  # they were given the other way round
                places = places[::-1]
    data = whole_files.read(places[-1])
    archive.from_bytes(data, places[-1])  # what is wrong with it is told before a run is loaded
    run = load(places[0]) if len(places) == 2 else None
    with whole_files.progress(quiet) as tell:
        found = compression.decompress(data, places[-1], run, tell)
    whole_files.write(found, out)
