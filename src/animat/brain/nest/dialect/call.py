"""Carry out one of NEST's functions in one process, as it was asked for from outside."""

from __future__ import annotations

import inspect
from typing import Any

import nest

from animat.brain.nest.dialect import limits
from animat.brain.nest.dialect.arguments import connections, file_word, is_connections, node_ids, with_numbers
from animat.brain.nest.dialect.calls import CALLS, CONNECTIONS_TOO, LOCAL, NEEDS_SCRIPTS, NODES
from animat.brain.nest.dialect.delays import agree_on_delays
from animat.brain.nest.dialect.nodes import Layers, positions
from animat.brain.nest.dialect.pieces import Piece
from animat.brain.nest.dialect.plain import plain
from animat.brain.nest.dialect.status import connection_share, node_share, set_connections, set_nodes
from animat.errors import AnimatError, unknown_name

__all__ = ["Caller", "names", "refused"]


def names(*, everything: bool) -> list[str]:
    """Return what can be called or read, in order."""
    return sorted(CALLS | set(_attributes()) | (set(_public()) if everything else set()))


def refused() -> dict[str, str]:
    """Return what is not called unless scripts are allowed, and why."""
    unknown = "it is not among the calls known to be harmless"
    return {name: NEEDS_SCRIPTS.get(name, unknown) for name in _public() if name not in CALLS}


def _public() -> list[str]:
    return [name for name in dir(nest) if not name.startswith("_") and callable(inspect.getattr_static(nest, name))]


def _attributes() -> list[str]:
    return [name for name in nest.GetKernelStatus() if not name.startswith("_")]


class Caller:
    """NEST's functions with arguments that came as JSON; `limit` is the memory of this process in bytes (0: none)."""

    def __init__(self, limit: int, threads: int, scripts: bool) -> None:
        self._limit, self._threads, self._scripts = limit, threads, scripts
        self._layers = Layers()
        self._reset = nest.ResetKernel
        vars(nest)["ResetKernel"] = self._reset_kernel
        if nest.NumProcesses() > 1:
            vars(nest)["GetPosition"] = positions
            agree_on_delays()
        self._reset_kernel()
        self._attributes = frozenset(_attributes())
        self.names = names(everything=scripts)

    def call(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> Piece:
        """Return what the function gives in this process."""
        args, kwargs = with_numbers(args), with_numbers(kwargs)
        self._check_allowed(name, args, kwargs)
        if name in ("GetStatus", "SetStatus"):
            return self._status(name, args, kwargs)
        if name == "GetKernelStatus":
            keys = self._rest(name, ["keys"], args, kwargs).get("keys")
            return Piece(plain(nest.GetKernelStatus()), keys=_checked_keys(keys))
        if name in self._attributes:
            return Piece(plain(nest.GetKernelStatus()), keys=name)
        function = getattr(nest, name)
        if not callable(function):
            return Piece(plain(function, name))
        bound = self._bound(function, name, args, kwargs)
        self._check_size(name, bound.arguments)
        if name == "Create":
            return Piece(self._create(bound.arguments))
        if name == "GetLocalNodeCollection":
            return Piece(plain(bound.arguments["nc"]))
        return Piece(plain(function(*bound.args, **bound.kwargs)))

    def goes_on_after(self, name: str) -> bool:
        """Return whether all can go on after only one process failed in this call (not in Connect by positions)."""
        return name in LOCAL and not (name == "Connect" and self._layers)

    def _check_allowed(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> None:
        if name not in self.names:
            raise unknown_name("call", name, self.names)
        if not self._scripts and not name.startswith("Get"):
            word = file_word([args, kwargs])
            if word:
                raise AnimatError(
                    f"{word} would have NEST read or write files, which is refused unless scripts are allowed "
                    "(--exec); recorders keep their events in memory (record_to: memory)"
                )

    def _status(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> Piece:
        given = [key for key in CONNECTIONS_TOO if key in kwargs]
        if len(given) > 1 or not (given or args):
            raise AnimatError(f"{name} takes nodes or connections once: as the first argument, nodes= or collections=")
        kwargs = dict(kwargs)
        whom = kwargs.pop(given[0]) if given else args[0]
        if name == "GetStatus":
            keys = _checked_keys(self._rest(name, ["keys"], args[bool(args and not given) :], kwargs).get("keys"))
            found = (
                connection_share(connections(whom))
                if is_connections(whom)
                else node_share(node_ids(whom, "nodes"), keys)
            )
            return Piece(share=found, keys=keys)
        rest = self._rest(name, ["params", "val"], args[bool(args and not given) :], kwargs)
        if "params" not in rest:
            raise AnimatError("SetStatus takes params: a dictionary, a list of them, or a name with its value (val)")
        if is_connections(whom):
            return Piece(share=set_connections(connections(whom), rest["params"], rest.get("val")), quiet=True)
        else:
            set_nodes(node_ids(whom, "nodes"), rest["params"], rest.get("val"))
        return Piece()

    @staticmethod
    def _rest(name: str, allowed: list[str], args: list[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
        rest = dict(zip(allowed, args, strict=False)) | {k: v for k, v in kwargs.items() if k != "output"}
        unknown = [key for key in rest if key not in allowed]
        if unknown or len(args) > len(allowed):
            raise AnimatError(
                f"{name} takes {', '.join(allowed)}"
                + (f"; {unknown[0]!r} is none of them" if unknown else f"; {len(args)} values were given")
            )
        return rest

    def _bound(self, function: Any, name: str, args: list[Any], kwargs: dict[str, Any]) -> inspect.BoundArguments:
        try:
            bound = inspect.signature(function).bind(*args, **kwargs)
        except TypeError as error:
            raise AnimatError(f"{name}{inspect.signature(function)}: {error}") from None
        for key, value in bound.arguments.items():
            if key in NODES and value is not None and not self._is_position(name, key, value):
                bound.arguments[key] = self._layers.nodes(value, key)
            elif name == "Disconnect" and key == "args":
                bound.arguments[key] = tuple(self._layers.nodes(one, "nodes") for one in value)
        return bound

    @staticmethod
    def _is_position(name: str, key: str, value: Any) -> bool:
        """Return whether the first argument of Distance and Displacement is positions."""
        return key == "from_arg" and isinstance(value, list) and bool(value) and isinstance(value[0], list)

    def _check_size(self, name: str, given: dict[str, Any]) -> None:
        processes = nest.NumProcesses()
        if name == "Create":
            limits.check_size(given.get("n", 1), processes, self._limit)
        elif name == "Connect":
            pre, post = len(given["pre"]), len(given["post"])
            limits.check_connections(pre, post, given.get("conn_spec"), processes, self._limit)
            limits.check_partners(given["pre"].tolist(), given["post"].tolist(), given.get("conn_spec"))
        elif name in ("Simulate", "Run"):
            given["t"] = limits.check_duration(given["t"])
        elif name == "SetKernelStatus":
            limits.check_kernel(given["params"])

    def _create(self, given: dict[str, Any]) -> Any:
        params = given.pop("params", None)
        if isinstance(given.get("positions"), list):
            given["positions"] = nest.spatial.free(given["positions"])
        nodes = nest.Create(**given)
        if given.get("positions") is not None:
            self._layers.add(nodes)
        if params:
            set_nodes(nodes.tolist(), params)
        return plain(nodes)

    def _reset_kernel(self) -> None:
        self._layers.clear()
        self._reset()
        nest.verbosity = nest.VerbosityLevel.ERROR
        if self._threads > 1:
            nest.SetKernelStatus({"local_num_threads": self._threads})


def _checked_keys(keys: Any) -> Any:
    good = keys is None or isinstance(keys, str) or (isinstance(keys, list) and all(isinstance(k, str) for k in keys))
    if not good:
        raise AnimatError(f"keys is a name or a list of names; {keys!r} is neither")
    return keys
