"""`animat brain serve`: NEST's own interface over HTTP."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Annotated

import psutil
import typer
from rich.text import Text

from animat.cli.terminal import console
from animat.errors import AnimatError
from animat.studio.brain import Brain, BrainOptions
from animat.studio.doors import Doors, is_loopback, token_from
from animat.studio.server import PORT, bind, check_doors, check_installed, serve

__all__ = ["app"]

app = typer.Typer(help="A brain by itself.\n\nExample: animat brain serve", no_args_is_help=True)


@app.callback()
def brain() -> None:
    """Run a brain by itself."""


@app.command(name="serve")
def serve_brain(
    host: Annotated[str, typer.Option(help="Address to serve at; 127.0.0.1 is this machine only.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 for any free one.", min=0, max=65535)] = PORT,
    processes: Annotated[int, typer.Option(min=1, help="Processes of NEST with MPI.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="Threads of each process.")] = 1,
    scripts: Annotated[
        bool, typer.Option("--exec", help="Allow scripts: anyone with the token runs code here with your rights.")
    ] = False,
    token_file: Annotated[
        Path | None, typer.Option(help="File with the token; written, for you alone, if it does not exist.")
    ] = None,
    cors: Annotated[
        list[str] | None, typer.Option(metavar="ORIGIN", help="Web pages that may ask, besides those of localhost.")
    ] = None,
    no_auth: Annotated[bool, typer.Option("--no-auth", help="No token, for this machine only.")] = False,
    memory: Annotated[float, typer.Option(help="GB that the brain may take; 0: 90 % of what is free.")] = 0.0,
    limit: Annotated[float, typer.Option(help="Seconds that a call may take; 0: any time.", min=0)] = 0.0,
) -> None:
    """Offer NEST over HTTP, as NEST Server does, to nest-client, NEST Desktop and curl.

    Example: animat brain serve --processes 2
    """
    check_installed()
    if no_auth and token_file is not None:
        raise AnimatError("--no-auth asks for no token, and --token-file says which: leave one of them out")
    for origin in cors or ():
        if origin != "*" and not re.fullmatch(r"https?://[^/\s]+", origin):
            raise AnimatError(f"--cors takes an origin such as https://example.org, or *; {origin!r} is not one")
    doors = Doors(None if no_auth else token_from(token_file), tuple(cors or ()))
    check_doors(host, doors)
    python, launch = _engine(processes)
    options = BrainOptions(
        processes=processes,
        threads=threads,
        scripts=scripts,
        memory=_memory_bytes(memory, processes),
        limit_s=limit or math.inf,
        python=python,
        launch=launch,
    )
    listening = bind(host, port)
    served = Brain(options)
    try:
        served.start()
        port = listening.getsockname()[1]
        serve(served, doors, listening, lambda: _greet(host, port, served, doors))
    finally:
        served.close()
        listening.close()


#: Bytes below which a process does not even start.
_LEAST_BYTES = 300_000_000


def _engine(processes: int) -> tuple[str | None, list[str]]:
    if processes == 1:
        return None, []
    from animat.brain.install import nest_mpi

    engine = nest_mpi()
    return engine.python, engine.launch(processes)


def _memory_bytes(gigabytes: float, processes: int) -> int:
    if gigabytes < 0:
        raise AnimatError("--memory is a number of GB, 0 or more")
    total = gigabytes * 1e9 or 0.9 * psutil.virtual_memory().available
    if total / processes < _LEAST_BYTES:
        least = processes * _LEAST_BYTES / 1e9
        raise AnimatError(f"{total / 1e9:.3g} GB are too little for {processes} process(es); NEST needs {least:.3g} GB")
    return int(total / processes)


def _greet(host: str, port: int, served: Brain, doors: Doors) -> None:
    about = served.about
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    header = "" if doors.token is None else f" -H 'NESTServerAuth: {doors.token}'"
    many = f" on {about.processes} processes" if about.processes > 1 else ""
    lines = [Text.assemble(f"NEST {about.nest}{many} is served at ", (url, "bold"), "; Ctrl-C ends it")]
    if doors.token is None:
        lines.append(Text("no token: programs and web pages of this machine may use it"))
    else:
        lines.append(Text(f"token: {doors.token}"))
    if not is_loopback(host):
        lines.append(Text("reached from other machines, and the connection is not encrypted", "yellow"))
    if served.options.scripts:
        warning = "scripts are on: whoever may use this server runs code on this machine with your rights"
        lines.append(Text(warning, "yellow"))
    else:
        lines.append(Text("scripts (/exec) are off; NEST Desktop needs them: --exec"))
    lines.append(Text(f"try: curl{header} {url}/api/GetKernelStatus -d '[\"resolution\"]'"))
    for line in lines:
        console.print(line, soft_wrap=True)
