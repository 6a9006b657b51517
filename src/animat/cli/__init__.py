"""The command line: `animat run`, `attach`, `validate`, `describe`, `network`, `new`, and so on."""

from __future__ import annotations

import sys

import typer

from animat.cli import (
    attach,
    bench,
    brain,
    describe,
    engine,
    export,
    info,
    network,
    new,
    repair,
    report,
    run,
    tune,
    validate,
    verify,
)
from animat.cli.terminal import errors
from animat.errors import AnimatError

__all__ = ["main"]

app = typer.Typer(
    name="animat",
    help="A spiking brain, a body and a world in one closed loop. For example: animat run mouse-joystick",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    run.run,
    attach.attach,
    validate.validate,
    describe.describe,
    network.network,
    new.new,
    verify.verify,
    report.report,
    repair.repair,
    export.export,
    info.info,
):
    app.command()(command)
app.command("tune")(tune.tune_network)
app.add_typer(bench.app, name="bench")
app.add_typer(brain.app, name="brain")
app.add_typer(engine.app, name="engine")


def main() -> None:
    """Run the command line; a user's mistake ends with a message and exit code 1, never with a traceback."""
    try:
        app()
    except AnimatError as error:
        errors.print(f"[bold red]error:[/] {_plain(str(error))}", soft_wrap=True)
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(0)
    except KeyboardInterrupt:
        sys.exit(130)


def _plain(text: str) -> str:
    return text.replace("[", "\\[")
