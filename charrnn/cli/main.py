"""The program: finds the command, and turns every error into one line and an exit code."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import io
import os
import re
import sys
import traceback
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

import click

from charrnn import advice, system
from charrnn.cli import launching, signals, versions
from charrnn.config.synonyms import nearest_value
from charrnn.errors import CharrnnError, one_line

if TYPE_CHECKING:
    from charrnn.training.world import World

COMMANDS = (
    "plan", "train", "sweep", "sample", "predict", "eval", "report", "compress", "decompress", "gradcheck", "gradflow",
    "info", "config", "corpus", "completion",
)  # fmt: skip

COMPLETE = "_CHARRNN_COMPLETE"
"""The variable by which a shell asks what could be typed next."""


OTHER_NAMES = {
    "validate": "check verify lint test",
    "show": "print cat view get",
    "list": "ls all names",
    "fetch": "download get pull",
    "make": "generate create build",
    "path": "where which",
}
"""What others call the commands of a command."""


class _Commands(click.Group):
    """Lists the commands in the order of use, and imports each from its own file when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"charrnn.cli.{cmd_name}")
        command: click.Command = module.command
        if COMPLETE in os.environ:
            from charrnn.cli import completing

            completing.teach(command)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Finds the command that is named first. Raises click's error for none, with the nearest."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            if args[0].lower() in ("help", "version", "man"):
                option = "--version" if args[0].lower() == "version" else "--help"
                meant = advice.command(*[word for word in args[1:2] if word in COMMANDS], option)
                raise click.UsageError(f"No such command {args[0]!r}; did you mean `{meant}`", ctx)
            near = difflib.get_close_matches(args[0].lower(), COMMANDS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"No such command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=versions.show,
    help="Show the versions of charrnn, Python, NumPy and BLAS.",
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Train character-level recurrent networks: on a text, to let them write; on pairs, to have their answers.

    \b
    charrnn train harbour --time-budget 2m     train on a text (a file, or a corpus by name)
    charrnn sample runs/harbour-1              let the model write
    charrnn train names.tsv --set task.name=classify
    charrnn predict runs/names-1 new.txt       ask it: one input a line
    charrnn gradcheck --all                    prove all gradients

    \b
    task.name        what goes in            what comes out
    language_model   a text                  the next character, again and again
    classify         a text                  its label, of those in training
    generate         a label                 a text for it
    tag              a text                  a character for each character
    transduce        a text                  another, of any length
    """  # noqa: D301  # click wants the backspace itself


def main(arguments: list[str] | None = None) -> NoReturn:
    """Runs the command line and exits; see `errors` for the codes."""
    arguments = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a file's name need not be text, nor a locale UTF-8
            stream.reconfigure(errors="backslashreplace")
    messages: list[str] = []
    world: World | None = None
    try:
        with signals.leaving():
            world = launching.connect(arguments)
            code = launching.follow(world) if world and world.rank else _run(arguments, world)
            if sys.stdout:
                sys.stdout.flush()
    except BaseException as error:
        code, messages = _explain(_signal_behind(error) or error, arguments)
        if world and world.rank:
            messages = [f"{world.name}: {message}" for message in messages]
        if isinstance(error, KeyboardInterrupt):
            _end_line()
        if "--debug" in arguments:
            traceback.print_exception(error)
    if messages:
        # If nobody reads our errors, because stderr is full, closed or None, the code still tells.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            for message in messages:
                print(f"charrnn: error: {one_line(message)}", file=sys.stderr)
            sys.stderr.flush()
    for stream in filter(None, (sys.stdout, sys.stderr)):
        _let_go(stream)
    if world:
        world.leave(code)
    sys.exit(code)


def _end_line() -> None:
    """Ends the line on a terminal in which something was being written, so that no message is glued to it."""
    with contextlib.suppress(OSError, ValueError):
        if sys.stdout and sys.stdout.isatty():
            print(flush=True)


def _let_go(stream: TextIO) -> None:
    """Drops what a stream has left if it cannot be written; at exit Python would complain, with a code of its own."""
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    except ValueError:  # closed by now
        pass


def _run(arguments: list[str], world: World | None) -> int:
    """Finds the command and runs it; `world` are the ranks that train together, which `train` finds as its context's.

    Not click's own `main`, which has codes and messages of its own for signals.
    """
    if COMPLETE in os.environ:  # the shell asks what could be typed next
        cli.main(arguments, prog_name="charrnn")
    try:
        with cli.make_context("charrnn", list(arguments), obj=world) as context:
            cli.invoke(context)
    except click.exceptions.Exit as done:
        return done.exit_code
    return 0


def _signal_behind(error: BaseException | None) -> signals.StoppedBySignal | None:
    """Finds the signal that broke off what then raised an error of its own, as a zip archive does when closed."""
    while error is not None and not isinstance(error, signals.StoppedBySignal):
        error = error.__context__
    return error


def _explain(error: BaseException, arguments: list[str]) -> tuple[int, list[str]]:
    """Returns the exit code of an error, and its messages."""
    match error:
        case CharrnnError():
            return error.exit_code, list(error.messages)
        case click.exceptions.NoArgsIsHelpError():
            error.show()
            return 2, []
        case click.ClickException():
            return 2, _usage(error, arguments)
        case signals.StoppedBySignal():
            return 128 + error.number, [str(error)]
        case KeyboardInterrupt() | click.Abort():
            return 130, ["interrupted, nothing was changed; run the command again"]
        case BrokenPipeError():
            return 0, []  # whoever read our output has had enough
        case OSError():
            if limit := system.explain(error):
                return 6, [f"{error.filename}: {limit}" if error.filename else limit]
            where = error.filename or "input/output"
            return 6, [f"{error.strerror or error}: {where}; check the path and the disk"]
        case SystemExit():
            return int(error.code or 0), []
    if limit := system.explain(error):
        return 6, [limit]
    if not (sys.stdout and sys.stdin):
        return 6, ["a standard stream is closed; open it, or send it to /dev/null"]
    return 1, [f"a bug in charrnn: {type(error).__name__}: {error}; please report it with what --debug shows"]


def _usage(error: click.ClickException, arguments: list[str]) -> list[str]:
    """Returns the messages of an error in what was typed; the last says where there is help."""
    message = error.format_message().replace("\n\t", " ").replace("\n", " ").rstrip(".")
    if isinstance(error, click.BadParameter) and (wrong := re.search(r"'([^']*)' is not one of (.*)", message)):
        near = nearest_value(wrong[1], re.findall(r"'([^']+)'", wrong[2]))
        message += f"; did you mean {near!r}?" if near else ""
    context: click.Context | None = getattr(error, "ctx", None)
    named = [word for word in arguments[:1] if word in COMMANDS]  # an option without its value knows no context
    where = context.command_path if context else " ".join(["charrnn", *named])
    messages = [message]
    if isinstance(error, click.NoSuchOption | click.BadParameter) and context:
        from charrnn.cli import slips

        messages = slips.unknown_options(context, arguments) or messages
    elif context and (wrong := re.fullmatch(r"No such command '(.*)'", message)):
        meant = [name for name, others in OTHER_NAMES.items() if wrong[1].lower() in others.split()]
        known = getattr(context.command, "commands", {})
        messages = [message + "".join(f"; did you mean {name!r}?" for name in meant if name in known)]
    *before, last = messages
    return [*before, f"{last}{'' if last.endswith('?') else ';'} see: {advice.command(*where.split()[1:], '--help')}"]
