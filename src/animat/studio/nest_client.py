"""Call NEST behind a server, from anywhere; needs nothing but Python."""

from __future__ import annotations

import contextlib
import json
import select
from collections.abc import Callable, Sequence
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlsplit

from animat.errors import AnimatError

__all__ = ["NestBrainLost", "NestClient", "NestDevice", "NestScript", "NestServerError"]


class NestServerError(AnimatError):
    """What a server answered instead of a result; `status` is HTTP's (0: it could not be reached)."""

    def __init__(self, what: str, status: int, line: int | None = None) -> None:
        super().__init__(what, line=line)
        self.status = status


class NestBrainLost(NestServerError):
    """The brain was lost in a call, and with it all that was built; the next call finds a fresh one."""


class NestDevice(NamedTuple):
    """A device that was created: its node id and its model."""

    id: int
    model: str


class NestScript(NamedTuple):
    """What a script left: the variables asked for, and what it printed."""

    data: Any
    stdout: str


class NestClient:
    """NEST's functions behind `animat brain serve`, or behind NEST Server.

    Every function of NEST is a method: ``client.Create("iaf_psc_alpha", 10)``, ``client.GetStatus([1, 2], "V_m")``.
    Nodes are lists of ids. Infinities and NaN cross as they are. Use it from one thread.

    Parameters
    ----------
    url
        Where the server is; a token may stand in it: ``http://nest:TOKEN@127.0.0.1:52425``.
    token
        What the server printed when it started.
    timeout_s
        Seconds to wait for an answer; None: as long as it takes.

    Raises
    ------
    NestServerError
        From every call that fails: `what` is the server's message, `line` the script's.
    NestBrainLost
        If the call cost the server its brain.

    Examples
    --------
    >>> with NestClient(token="...") as nest:  # doctest: +SKIP
    ...     neurons = nest.Create("iaf_psc_alpha", 10, {"I_e": 500.0})
    ...     nest.run_simulation(100.0)
    ...     nest.get_population_parameters(neurons, ["V_m"])
    """

    def __init__(
        self, url: str = "http://127.0.0.1:52425", *, token: str | None = None, timeout_s: float | None = None
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise AnimatError(f"{url!r} is no address of a server, such as http://127.0.0.1:52425")
        self.url = url
        self._path = parts.path.rstrip("/")
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._connection = kind(parts.hostname, parts.port, timeout=timeout_s)
        self._headers = {"Content-Type": "application/json"}
        token = token or (unquote(parts.password) if parts.password else None)
        if token:
            self._headers["NESTServerAuth"] = token

    def __enter__(self) -> NestClient:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        self._connection.close()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *args, **kwargs: self.call(name, *args, **kwargs)

    def about(self) -> dict[str, Any]:
        """Return what the server is: ``{"nest": version, "mpi": bool, ..}``."""
        return dict(self._ask("GET", "/"))

    def names(self) -> list[str]:
        """Return what can be called."""
        return list(self._ask("GET", "/api"))

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Call one of NEST's functions and return its result."""
        return self._ask("POST", f"/api/{quote(name, safe='')}", {"args": args, **kwargs} if args else kwargs)

    def exec(self, source: str, returned: str | Sequence[str] | None = None) -> NestScript:
        """Run a script there, if the server allows it, and return variables of it (one by name, several as a dict)."""
        said: dict[str, Any] = {"source": source}
        if returned is not None:
            said["return"] = returned if isinstance(returned, str) else list(returned)
        answer = self._ask("POST", "/exec", said)
        return NestScript(answer.get("data"), answer.get("stdout", ""))

    def get_kernel_status(self, keys: str | Sequence[str] | None = None) -> Any:
        """Return the kernel's values: all by name, one, or a list of several."""
        return self.call("GetKernelStatus") if keys is None else self.call("GetKernelStatus", _listed(keys))

    def startup(self, **kernel: Any) -> None:
        """Empty the kernel and set values of it: ``startup(resolution=0.1, local_num_threads=2, rng_seed=1)``."""
        self.call("ResetKernel")
        if kernel:
            self.call("SetKernelStatus", kernel)

    def load_network(self, file: str | Path, returned: str = "populations") -> dict[str, list[int]]:
        """Run a network script (PyNEST) there and return its dictionary of populations: node ids by name.

        The server must allow scripts; `returned` is the dictionary's name in the script.
        """
        return dict(self.exec(Path(file).read_text(), returned).data)

    def run_simulation(self, duration: float) -> float:
        """Simulate `duration` ms and return the time in ms that it is then."""
        self.call("Simulate", float(duration))
        return float(self.get_kernel_status("biological_time"))

    def create_device(self, model: str, **params: Any) -> NestDevice:
        """Create a generator or recorder: ``create_device("poisson_generator", rate=1000.0)``."""
        return NestDevice(self.call("Create", model, 1, params)[0] if params else self.call("Create", model)[0], model)

    def connect_device(self, device: NestDevice, neurons: Sequence[int], **synapse: Any) -> None:
        """Connect a device with neurons, the way round that it needs: ``connect_device(d, ids, weight=2.0)``."""
        ends = [[_device(device).id], list(neurons)]
        defaults = self.call("GetDefaults", device.model)
        if defaults["element_type"] == "recorder" and "record_from" not in defaults:
            ends.reverse()
        self.call("Connect", *ends, **({"syn_spec": synapse} if synapse else {}))

    def set_device_params(self, device: NestDevice, **params: Any) -> None:
        """Set parameters of a device: ``set_device_params(generator, rate=500.0)``."""
        self.call("SetStatus", [_device(device).id], params)

    def get_device_data(self, device: NestDevice) -> dict[str, list[float]]:
        """Return what a recorder holds: lists of senders, times (ms) and values, sorted by time."""
        return dict(self.call("GetStatus", [_device(device).id], "events")[0])

    def get_population_parameters(self, neurons: Sequence[int], names: str | Sequence[str]) -> dict[str, list[Any]]:
        """Return parameters of neurons: by name, a list in the neurons' order."""
        wanted = [names] if isinstance(names, str) else list(names)
        rows = self.call("GetStatus", list(neurons), wanted)
        return {name: [row[at] for row in rows] for at, name in enumerate(wanted)}

    def _ask(self, method: str, path: str, said: Any = None) -> Any:
        body = None if said is None else json.dumps(said).encode()
        try:
            response, text = self._exchange(method, f"{self._path}{path}?nonfinite=literal", body)
        except (OSError, HTTPException) as error:
            self._connection.close()
            raise NestServerError(f"no answer from {self.url}: {type(error).__name__}: {error}", 0) from None
        try:
            answer = json.loads(text)
        except ValueError:
            answer = {"message": text.decode(errors="replace")[:500]}
        if response.status == 200:
            return answer
        kind = NestBrainLost if answer.get("brain") == "lost" else NestServerError
        raise kind(str(answer.get("message", answer)), response.status, answer.get("lineNumber"))

    def _exchange(self, method: str, path: str, body: bytes | None) -> tuple[HTTPResponse, bytes]:
        sock = self._connection.sock
        if sock is not None and select.select([sock], [], [], 0)[0]:
            self._connection.close()  # the server ended the idle connection
        with contextlib.suppress(BrokenPipeError):  # a server may refuse before it has read all
            self._connection.request(method, path, body, self._headers)
        response = self._connection.getresponse()
        return response, response.read()


def _listed(keys: str | Sequence[str]) -> str | list[str]:
    return keys if isinstance(keys, str) else list(keys)


def _device(given: NestDevice) -> NestDevice:
    if not isinstance(given, NestDevice):
        raise AnimatError(f"a device is what create_device returned; {given!r} is not (neurons: get, set, GetStatus)")
    return given
