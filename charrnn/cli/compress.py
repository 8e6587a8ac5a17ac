"""`charrnn compress`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from charrnn import advice
from charrnn.cli import adapting, common, whole_files
from charrnn.errors import ConfigError, one_line

if TYPE_CHECKING:
    from charrnn.compressing.compression import Compressed, Trained, Untrained
    from charrnn.judging.dynamic import Adapting


@dataclass(frozen=True)
class Options:
    """Holds what is typed behind `charrnn compress`: a field for each option."""

    places: tuple[str, ...]
    out: Path
    adapting: Adapting | None
    from_scratch: bool
    config_name: str | None
    assignments: tuple[str, ...]
    rows: int | None
    as_json: bool
    quiet: bool

    @property
    def source(self) -> str:
        """The file that is to be compressed."""
        return self.places[-1]


@click.command("compress", short_help="Make a file small with a model that predicts it.")
@click.argument("places", nargs=-1, required=True, metavar="[RUN] FILE|-")
@whole_files.out_option
@adapting.options("Let the model go on learning from what is compressed: smaller, and slower.")
@click.option("--from-scratch", is_flag=True, help="Without a run: a model that learns from FILE as it goes.")
@common.config_option
@common.set_option
@click.option(
    "--rows",
    type=click.IntRange(1, 1024),
    metavar="B",
    help="Pieces of FILE that are read side by side: more are faster, and compress less [1 where the model learns, "
    "else one for every 16,384 characters, up to 32].",
)
@common.json_option
@whole_files.quiet_option
def command(**options: Any) -> None:
    """Write FILE, whatever is in it, as an archive from which `charrnn decompress` restores every byte.

    RUN is a language model of one text: the better it predicts FILE, the smaller the archive. It is needed again to
    restore FILE, as is a machine that adds up as this one does, which is checked. With --from-scratch no run is needed;
    of a configuration, the keys of model and optim count then, and train.seq_length, train.batch_size and train.seed.

    \b
    charrnn compress runs/harbour-1 letter.txt -o letter.crnn
    charrnn decompress runs/harbour-1 letter.crnn -o letter.txt
    charrnn compress --from-scratch book.txt -o book.crnn
    """  # noqa: D301  # click wants the backspace itself
    from charrnn.compressing.archive import is_archive
    from charrnn.compressing.compression import compress

    how_it_learns = adapting.chosen(options)
    wanted = Options(adapting=how_it_learns, **options)
    _refuse(wanted)
    whole_files.refuse_to_overwrite(wanted.out, is_archive, ", and is no archive of charrnn")
    how = _how(wanted)
    data = whole_files.read(wanted.source)
    with whole_files.progress(wanted.quiet) as tell:
        found = compress(data, how, wanted.rows, tell)
    whole_files.write(found.data, wanted.out)
    if wanted.as_json:
        common.print_json(found.facts())
    elif not wanted.quiet:
        for line in lines(found, wanted.source):
            click.echo(one_line(line), err=str(wanted.out) == "-")


def _refuse(wanted: Options) -> None:
    """Raises ConfigError for options that do not go together."""
    many = 1 if wanted.from_scratch else 2
    if len(wanted.places) != many:
        given = f"{len(wanted.places)} {'name was' if len(wanted.places) == 1 else 'names were'} given"
        instead = "--from-scratch takes a file alone" if wanted.from_scratch else "a run and a file are needed"
        raise ConfigError(f"{given}, and {instead}; see: {advice.command('compress', '--help')}")
    if wanted.from_scratch and wanted.adapting:
        raise ConfigError("--from-scratch learns as it goes without --dynamic; leave out one of them")
    if not wanted.from_scratch and (wanted.config_name or wanted.assignments):
        raise ConfigError("a configuration is for --from-scratch, and a run has its own; leave out -c and --set")
    if wanted.as_json and str(wanted.out) == "-":
        raise ConfigError("--json and -o - would both be on stdout; name a file for the archive")
    whole_files.refuse_terminal(wanted.out)


def _how(wanted: Options) -> Trained | Untrained:
    """Returns what is to predict the file. Raises ConfigError for a run that predicts no text."""
    from charrnn.compressing.compression import Trained, Untrained
    from charrnn.compressing.scratch import recipe
    from charrnn.config.resolve import resolve
    from charrnn.runs.checkpoint import load
    from charrnn.tasks.language_model import language_model_of

    if wanted.from_scratch:
        given = common.read_config(wanted.config_name), common.read_assignments(wanted.assignments)
        return Untrained(resolve(recipe(), *given)[0])
    run = load(wanted.places[0])
    language_model_of(run.task, run.model, Path(wanted.places[0]))
    return Trained(run, wanted.adapting)


def lines(found: Compressed, source: str) -> list[str]:
    """Returns what there is to say of an archive: its size, and what that is made of."""
    size, facts = len(found.data), found.facts()
    share = f", {size / found.size:.1%} of them" if found.size else ""
    told = [f"{size:,} bytes from the {found.size:,} of {source}{share}: {found.bits_per_byte:.4f} bits per byte"]
    parts = [f"{found.model_bits:,.0f} bits by the model ({facts['model_bits_per_symbol']:.4f} per symbol)"]
    if found.escaped:
        parts.append(f"{found.escape_bits:,.0f} for {found.escaped:,} bytes that the model never saw")
    parts.append(f"{facts['check_bits'] + facts['head_bits']:,} for head and checks")
    return [*told, ", ".join(parts)]
