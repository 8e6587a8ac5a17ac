"""`charrnn config`."""

from __future__ import annotations

from typing import Any

import click

from charrnn.cli import common, flags
from charrnn.config import writing
from charrnn.config.resolve import resolve
from charrnn.errors import ConfigError, one_line


@click.group("config")
def command() -> None:
    """Show, check and list configurations.

    \b
    charrnn config show quickstart --set model.cell=gru
    """  # noqa: D301  # click wants the backspace itself


@command.command("show")
@click.argument("config", required=False)
@common.set_option
@flags.options()
def show(config: str | None, assignments: tuple[str, ...], **options: Any) -> None:
    """Print the configuration that CONFIG, --set and flags give, and where each value comes from."""
    given = flags.take_settings(options)
    resolved, origins = resolve(common.read_config(config), common.read_assignments(assignments), given)
    click.echo(writing.to_yaml(resolved, origins), nl=False)


@command.command("validate")
@click.argument("configs", nargs=-1, required=True, metavar="CONFIG...")
def validate(configs: tuple[str, ...]) -> None:
    """Check configurations; each is a file or the name of a shipped one."""
    errors: list[str] = []
    for config in configs:
        try:
            resolve(common.read_config(config))
            click.echo(f"{one_line(config)}: ok")
        except ConfigError as error:
            errors += error.messages
    if errors:
        raise ConfigError(*errors)


@command.command("schema")
def schema() -> None:
    """Print the JSON Schema of a configuration, for editors."""
    common.print_json(writing.json_schema())


@command.command("list")
def list_configs() -> None:
    """List the shipped configurations, with what each reaches."""
    for name in common.config_names():
        first = common.find_config(name).read_text("utf-8").splitlines()[0]
        click.echo(f"{name:<16}{first.lstrip('# ')}")
