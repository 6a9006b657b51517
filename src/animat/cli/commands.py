"""All commands, and how the command line ends."""

from __future__ import annotations

import sys
from typing import NoReturn

import typer
from rich.text import Text

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
from animat.cli.terminal import errors, outlast_readers
from animat.errors import AnimatError, shortened

__all__ = ["app", "run_app"]

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


#: Commands whose results are not what they print.
_RESULTS_ELSEWHERE = {"run", "attach", "brain"}


def run_app() -> None:
    """Run the command line; a user's mistake ends with a message and exit code 1, never with a traceback."""
    out = outlast_readers()
    try:
        app()
    except AnimatError as error:
        _fail(str(error))
    except OSError as error:
        where = "" if error.filename is None else f"{shortened(str(error.filename), 200)}: "
        _fail(f"{where}{error.strerror or error}")
    except KeyboardInterrupt:
        sys.exit(130)
    except SystemExit as end:
        lost = None if end.code or _RESULTS_ELSEWHERE & set(sys.argv[1:2]) else out.lost
        if lost is not None and not isinstance(lost, BrokenPipeError):
            _fail(f"not all output could be written: {lost.strerror}")
        raise


def _fail(what: str) -> NoReturn:
    errors.print(Text.assemble(("error:", "bold red"), " ", what), soft_wrap=True)
    sys.exit(1)
