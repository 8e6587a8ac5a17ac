"""The program: finds the command, and turns every error into one line and an exit code."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from typing import NoReturn

import click

from charrnn import __version__
from charrnn.errors import CharrnnError

COMMANDS = ("train", "sample", "eval", "gradcheck", "info", "config", "corpus")


class _Commands(click.Group):
    """Commands in the order of use, each imported from its own file when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"charrnn.cli.{cmd_name}")
        command: click.Command = module.command
        return command


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="charrnn")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    r"""Train character-level recurrent language models on a text, and let them write.

    \b
    charrnn train harbour --time-budget 2m     train on a text (a file, or a corpus by name)
    charrnn sample runs/harbour-1              let the model write
    charrnn gradcheck --all                    prove its gradients
    """


def main(arguments: list[str] | None = None) -> NoReturn:
    """Runs the command line and exits; see `errors` for the codes."""
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in arguments
    try:
        code = cli.main(arguments, prog_name="charrnn", standalone_mode=False)
        sys.stdout.flush()
        sys.exit(code if isinstance(code, int) else 0)
    except CharrnnError as error:
        code, messages = error.exit_code, list(error.messages)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        code, messages = 2, [_usage(error)]
    except (click.Abort, KeyboardInterrupt):
        code, messages = 130, ["interrupted, nothing was changed; run the command again"]
    except BrokenPipeError:
        # Whoever read our output has had enough. Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except MemoryError:
        code, messages = 6, ["out of memory; use a smaller model, batch_size or seq_length"]
    except OSError as error:
        code, messages = (
            6,
            [f"{error.strerror or error}: {error.filename or 'input/output'}; check the path and the disk"],
        )
    except Exception as error:
        code = 1
        messages = [f"a bug in charrnn: {type(error).__name__}: {error}; please report it with what --debug shows"]
    if debug:
        traceback.print_exc()
    try:
        for message in messages:
            line = " ".join(message.split("\n"))
            print(f"charrnn: error: {line}", file=sys.stderr)
        sys.stderr.flush()
    except (OSError, ValueError):
        pass  # nobody reads our errors; the exit code still tells
    sys.exit(code)


def _usage(error: click.ClickException) -> str:
    message = error.format_message().replace("\n", " ").rstrip(".")
    context = getattr(error, "ctx", None)
    where = context.command_path if context else "charrnn"
    return f"{message}; see: {where} --help"
