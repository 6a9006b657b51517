"""The routes of NEST Server, in front of one brain."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from animat.brain.nest.dialect.protocol import PackedAnswer
from animat.errors import AnimatError, told, unknown_name
from animat.studio.brain import Brain, BrainLost
from animat.studio.doors import LOCAL_ORIGINS, Doors
from animat.studio.reader import Reader
from animat.studio.words import encode

__all__ = ["nest_server"]

#: Bytes that a request may have.
BODY_LIMIT = 64 * 2**20

_EXEC_OFF = (
    "scripts are switched off. `animat brain serve --exec` switches them on; whoever can reach the server can then "
    "run any code on this machine with your rights"
)
_ROUTES = "GET /, GET /api, GET or POST /api/<call>, GET or POST /exec"


class _Refused(Exception):
    def __init__(self, status: int, message: str, line: int | None = None) -> None:
        self.status, self.message, self.line = status, message, line


Endpoint = Callable[[Request], Awaitable[Any]]


def nest_server(brain: Brain, reader: Reader, doors: Doors) -> Starlette:
    """Return the application: ``/``, ``/api``, ``/api/<call>`` and ``/exec``, all answers JSON."""
    routes = _Routes(brain, reader)
    both = ["GET", "POST"]
    app = Starlette(
        routes=[
            Route("/", _json(routes.index, reader), methods=["GET"]),
            Route("/api", _json(routes.names, reader), methods=["GET"]),
            Route("/api/{call}", _json(routes.call, reader), methods=both),
            Route("/exec", _json(routes.script, reader), methods=both),
        ],
        middleware=[
            Middleware(
                CORSMiddleware,
                allow_origins=list(doors.origins),
                allow_origin_regex=LOCAL_ORIGINS,
                allow_methods=both,
                allow_headers=["*"],
            ),
            Middleware(_Door, doors=doors),
        ],
        exception_handlers={HTTPException: _no_route},
    )
    app.router.redirect_slashes = False
    return app


class _Routes:
    def __init__(self, brain: Brain, reader: Reader) -> None:
        self.brain, self.reader = brain, reader

    async def index(self, request: Request) -> Any:
        about = self.brain.about
        mpi = about.processes > 1
        return {"nest": about.nest, "mpi": mpi, "processes": about.processes, "restarts": self.brain.restarts}

    async def names(self, request: Request) -> Any:
        return self.brain.about.calls

    async def call(self, request: Request) -> Any:
        name = request.path_params["call"]
        asked = await self.reader.call(*await _said(request))
        if asked.inspect is not None:
            return {"data": await self.brain.explain(name, asked.inspect)}
        self._check_known(name)
        return _checked(await self.brain.call(name, asked.args, asked.kwargs)).data

    def _check_known(self, name: str) -> None:
        about = self.brain.about
        if name in about.refused:
            raise _Refused(403, f"{name} is refused unless scripts are switched on (--exec): {about.refused[name]}")
        if name not in about.calls:
            raise _Refused(404, str(unknown_name("call", name, about.calls)))

    async def script(self, request: Request) -> Any:
        if not self.brain.options.scripts:
            raise _Refused(403, _EXEC_OFF)
        asked = await self.reader.script(*await _said(request))
        answer = _checked(await self.brain.script(asked.source, asked.returned))
        said: dict[str, Any] = {}
        if answer.printed:
            said["stdout"] = answer.printed
        if asked.wanted:
            said["data"] = answer.data
        return said | ({"notes": answer.notes} if answer.notes else {})


def _checked(answer: PackedAnswer) -> PackedAnswer:
    if answer.error is not None:
        raise AnimatError(answer.error)
    return answer


async def _said(request: Request) -> tuple[bytes, str, str]:
    """Return body, type and query of a request."""
    return await _body(request), request.headers.get("content-type", ""), request.url.query


async def _body(request: Request) -> bytes:
    said = request.headers.get("content-length", "")
    too_large = _Refused(413, f"a request may have {BODY_LIMIT // 2**20} MB at most")
    if said.isdigit() and int(said) > BODY_LIMIT:
        raise too_large
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > BODY_LIMIT:
            raise too_large
        parts.append(part)
    return b"".join(parts)


def _json(endpoint: Endpoint, reader: Reader) -> Callable[[Request], Awaitable[Response]]:
    async def respond(request: Request) -> Response:
        literal = request.query_params.get("nonfinite") == "literal"
        try:
            packed = msgspec.msgpack.encode(await endpoint(request))
            return Response(await reader.write(packed, literal), 200, media_type="application/json")
        except _Refused as error:
            return _error(error.status, error.message, error.line)
        except BrainLost as error:
            return _response(500, {"message": str(error), "brain": "lost"})
        except AnimatError as error:
            return _error(400, str(error), error.line)
        except ClientDisconnect:
            return _error(400, "the request ended early")
        except Exception as error:
            return _error(500, f"the server failed: {told(error)}")

    return respond


def _response(status: int, value: Any) -> Response:
    return Response(encode(value), status, media_type="application/json")


def _error(status: int, message: str, line: int | None = None) -> Response:
    return _response(status, {"message": message} | ({} if line is None else {"lineNumber": line}))


async def _no_route(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return _error(status, f"no such route: {request.method} {request.url.path}; there are {_ROUTES}")


class _Door:
    """Lets a request in, or answers why not."""

    def __init__(self, app: ASGIApp, doors: Doors) -> None:
        self.app, self.doors = app, doors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self.doors.refusal(Request(scope).headers) if scope["type"] == "http" else None
        if refusal is None:
            await self.app(scope, receive, send)
        else:
            await _error(*refusal)(scope, receive, send)
