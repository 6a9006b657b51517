"""The routes of NEST Server, in front of one brain."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from animat.brain.nest.dialect.protocol import Answer
from animat.errors import AnimatError, unknown_name
from animat.studio.brain import Brain, BrainLost
from animat.studio.doors import LOCAL_ORIGINS, Doors
from animat.studio.words import arguments, encode, parse_body

__all__ = ["nest_server"]

#: Bytes that a request may have.
BODY_LIMIT = 64 * 2**20

#: Bytes beyond which a request is read beside the others.
_LARGE = 2**18

_EXEC_OFF = (
    "scripts are switched off. `animat brain serve --exec` switches them on; whoever can reach the server can then "
    "run any code on this machine with your rights"
)
_ROUTES = "GET /, GET /api, GET or POST /api/<call>, GET or POST /exec"


class _Refused(Exception):
    def __init__(self, status: int, message: str, line: int | None = None) -> None:
        self.status, self.message, self.line = status, message, line


Endpoint = Callable[[Request], Awaitable[Any]]


def nest_server(brain: Brain, doors: Doors) -> Starlette:
    """Return the application: ``/``, ``/api``, ``/api/<call>`` and ``/exec``, all answers JSON."""
    routes = _Routes(brain)
    both = ["GET", "POST"]
    app = Starlette(
        routes=[
            Route("/", _json(routes.index), methods=["GET"]),
            Route("/api", _json(routes.names), methods=["GET"]),
            Route("/api/{call}", _json(routes.call), methods=both),
            Route("/exec", _json(routes.script), methods=both),
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
    def __init__(self, brain: Brain) -> None:
        self.brain = brain

    async def index(self, request: Request) -> Any:
        about = self.brain.about
        mpi = about.processes > 1
        return {"nest": about.nest, "mpi": mpi, "processes": about.processes, "restarts": self.brain.restarts}

    async def names(self, request: Request) -> Any:
        return self.brain.about.calls

    async def call(self, request: Request) -> Any:
        name = request.path_params["call"]
        args, kwargs = await _arguments(request)
        inspected = kwargs.pop("inspect", None) or request.query_params.get("inspect")
        if inspected is not None:
            return {"data": await self.brain.explain(name, str(inspected))}
        self._check_known(name)
        return _checked(await self.brain.call(name, args, kwargs)).data

    def _check_known(self, name: str) -> None:
        about = self.brain.about
        if name in about.refused:
            raise _Refused(403, f"{name} is refused unless scripts are switched on (--exec): {about.refused[name]}")
        if name not in about.calls:
            raise _Refused(404, str(unknown_name("call", name, about.calls)))

    async def script(self, request: Request) -> Any:
        if not self.brain.options.scripts:
            raise _Refused(403, _EXEC_OFF)
        args, kwargs = await _arguments(request)
        source = kwargs.get("source", args[0] if args else None)
        returned = kwargs.get("return", kwargs.get("return_vars"))
        if not isinstance(source, str):
            raise _Refused(400, 'the request must say "source": the text of the script')
        if not (returned is None or isinstance(returned, str) or _are_names(returned)):
            raise _Refused(400, '"return" is the name of a variable, or a list of names')
        answer = _checked(await self.brain.script(source, returned))
        said: dict[str, Any] = {}
        if answer.printed:
            said["stdout"] = answer.printed
        if "return" in kwargs or "return_vars" in kwargs:
            said["data"] = answer.data
        return said | ({"notes": answer.notes} if answer.notes else {})


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _checked(answer: Answer) -> Answer:
    if answer.error is not None:
        raise AnimatError(answer.error)
    return answer


async def _arguments(request: Request) -> tuple[list[Any], dict[str, Any]]:
    raw, content_type = await _body(request), request.headers.get("content-type", "")
    large = len(raw) > _LARGE
    body = await run_in_threadpool(parse_body, raw, content_type) if large else parse_body(raw, content_type)
    args, kwargs = arguments(body, request.url.query)
    if body is None:
        kwargs.pop("nonfinite", None)
    return args, kwargs


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


def _json(endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    async def respond(request: Request) -> Response:
        literal = request.query_params.get("nonfinite") == "literal"
        try:
            return _response(200, await endpoint(request), literal=literal)
        except _Refused as error:
            return _error(error.status, error.message, error.line)
        except BrainLost as error:
            return _response(500, {"message": str(error), "brain": "lost"})
        except AnimatError as error:
            return _error(400, str(error), error.line)
        except ClientDisconnect:
            return _error(400, "the request ended early")
        except Exception as error:
            return _error(500, f"the server failed: {type(error).__name__}: {error}")

    return respond


def _response(status: int, value: Any, *, literal: bool = False) -> Response:
    return Response(encode(value, literal=literal), status, media_type="application/json")


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
