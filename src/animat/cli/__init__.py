"""The command line: `animat run`, `attach`, `validate`, `describe`, `network`, `new`, and so on."""

from __future__ import annotations

import os
import signal

__all__ = ["main"]


def main() -> None:
    """Run the command line; while the commands are being loaded nothing has begun, and Ctrl-C ends it at once."""
    usual = signal.getsignal(signal.SIGINT)
    if usual is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda _number, _frame: os._exit(130))
    from animat.cli.commands import run_app

    if usual is signal.default_int_handler:
        signal.signal(signal.SIGINT, usual)
    run_app()
