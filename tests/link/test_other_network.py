"""The link across a network: encrypted, for those with the run's keys only, and noticed when it breaks."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import zmq

from animat.errors import AnimatError
from animat.link import Worker, WorkerDied
from animat.link.line import SILENCE_S, Line
from animat.link.listener import Listener
from animat.link.wire import HELLO, PROTOCOL_VERSION, Hello, Invitation, Keys, decoder, encode

SERVED = """
import time

def handlers(progress):
    def add(a: int, b: float) -> float:
        return a + b
    def sleep(seconds: float) -> None:
        time.sleep(seconds)
    return {"add": add, "sleep": sleep}
"""
MANY = str(Path(__file__).parent / "many.py")


@pytest.fixture
def served(tmp_path: Path) -> str:
    file = tmp_path / "served.py"
    file.write_text(SERVED)
    return str(file)


def invitation_of(worker: Worker) -> Invitation:
    return decoder(Invitation).decode((worker._folder / "invitation").read_bytes())


def listening() -> set[int]:
    """Return the ports at which this process listens."""
    return {one.laddr.port for one in psutil.Process().net_connections("inet") if one.status == psutil.CONN_LISTEN}


def invite(listener: Listener, address: str) -> Invitation:
    return Invitation(address, listener.token, "served", "title", keys=listener.keys)


def test_a_worker_dials_over_tcp_with_keys_that_no_command_line_shows(served: str, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    worker = Worker(served, title="animat.brain far", listen="127.0.0.1", folder=shared, log=tmp_path / "log")
    arguments = " ".join(psutil.Process(worker.pid).cmdline())
    assert worker.call("add", 1, 2.0) == 3.0
    invitation = invitation_of(worker)
    (folder,) = shared.iterdir()
    assert oct(folder.stat().st_mode)[-3:] == "700" and oct((folder / "invitation").stat().st_mode)[-3:] == "600"
    assert invitation.address.startswith("tcp://127.0.0.1:") and invitation.keys is not None
    for secret in (invitation.token, invitation.keys.server.decode(), invitation.keys.secret.decode()):
        assert secret not in arguments
    worker.close()
    assert not list(shared.iterdir())


def test_an_address_may_be_of_the_sixth_version(served: str, tmp_path: Path) -> None:
    if not Path("/proc/net/if_inet6").exists() or not Path("/proc/net/if_inet6").read_text():
        pytest.skip("this machine has no IPv6 address")
    worker = Worker(served, title="animat.brain far", listen="::1", log=tmp_path / "log")
    assert worker.call("add", 1, 2.0) == 3.0
    worker.close()


def test_by_default_only_this_machine_is_listened_to(served: str, tmp_path: Path) -> None:
    before = listening()
    worker = Worker(served, title="animat.brain near", log=tmp_path / "log")
    assert invitation_of(worker).address.startswith("ipc://")
    assert listening() == before
    worker.close()


def test_an_address_of_another_machine_is_refused(served: str) -> None:
    with pytest.raises(AnimatError, match=r"cannot listen at '192\.0\.2\.1' .*; see `brain: \{address: \.\.\}`"):
        Worker(served, title="animat.brain x", listen="192.0.2.1")


def test_what_crosses_is_encrypted(tmp_path: Path) -> None:
    """Everything between a worker and its parent passes a relay, which finds nothing of it."""
    listener = Listener(tmp_path, "127.0.0.1", 1)
    seen = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as relay:

        def carry(one: socket.socket, other: socket.socket) -> None:
            while data := one.recv(65536):
                seen.extend(data)
                other.sendall(data)

        def accept() -> None:
            here, _ = relay.accept()
            there = socket.create_connection(("127.0.0.1", int(listener.address.rsplit(":", 1)[1])))
            threading.Thread(target=carry, args=(here, there), daemon=True).start()
            threading.Thread(target=carry, args=(there, here), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        line = Line(invite(listener, f"tcp://127.0.0.1:{relay.getsockname()[1]}"))
        message = listener.receive(5.0)
        assert message is not None and message[1] == HELLO
        line.send(b"reply", b"a long secret that anybody could find")
        answer = listener.receive(5.0)
        assert answer is not None and answer[2] == b"a long secret that anybody could find"
        line.close()
    listener.close()
    assert len(seen) > 500
    for secret in (listener.token.encode(), b"hello", b"served", b"a long secret"):
        assert secret not in seen


def test_strangers_do_no_harm(served: str, tmp_path: Path) -> None:
    worker = Worker(served, title="animat.brain far", listen="127.0.0.1", log=tmp_path / "log")
    assert worker.call("add", 1, 1.0) == 2.0
    invitation = invitation_of(worker)
    assert invitation.keys is not None
    hello = [HELLO, encode(Hello(PROTOCOL_VERSION, invitation.token, served, 0, ""))]
    port = int(invitation.address.rsplit(":", 1)[1])
    noise = [b"GET / HTTP/1.1\r\n\r\n", bytes(10), os.urandom(5000), b"\xff" + bytes(8) + b"\x7f\x03\x00NULL"]
    sockets = []
    for text in noise:
        stranger = socket.create_connection(("127.0.0.1", port))
        stranger.sendall(text)
        sockets.append(stranger)
    public, secret = zmq.curve_keypair()
    with zmq.Context() as context:
        without_keys = context.socket(zmq.DEALER)
        of_another_run = context.socket(zmq.DEALER)
        of_another_run.curve_serverkey = zmq.curve_keypair()[0]
        without_token = context.socket(zmq.DEALER)
        without_token.curve_serverkey = invitation.keys.server
        for one in (of_another_run, without_token):
            one.curve_publickey, one.curve_secretkey = public, secret
        for one in (without_keys, of_another_run):
            one.linger = 0
            one.connect(invitation.address)
            one.send_multipart(hello)
        without_token.linger = 0
        without_token.connect(invitation.address)
        without_token.send_multipart([HELLO, encode(Hello(PROTOCOL_VERSION, "guess", served, 0, ""))])
        time.sleep(0.2)
        assert worker.call("add", 1, 2.0) == 3.0
        assert without_token.poll(2000) and without_token.recv_multipart() == [b"", b""]
        assert not without_keys.poll(100) and not of_another_run.poll(100)
        for one in (without_keys, of_another_run, without_token):
            one.close()
    for stranger in sockets:
        stranger.close()
    worker.check()
    assert worker.call("add", 2, 2.0) == 4.0
    worker.close()


def test_a_worker_with_other_keys_gives_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("animat.link.line._CONNECT_S", 0.5)
    listener = Listener(tmp_path, "127.0.0.1", 1)
    other = Keys(zmq.curve_keypair()[0], *zmq.curve_keypair())
    invitation = Invitation(listener.address, listener.token, "served", "title", keys=other)
    with pytest.raises(SystemExit, match=r"cannot reach tcp://.* or it has other keys"):
        Line(invitation)
    listener.close()


@dataclass
class Elsewhere:
    """A network of its own, one wire away."""

    name: str
    wire: str
    address: str

    @property
    def enter(self) -> list[str]:
        return ["ip", "netns", "exec", self.name]


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("needs root and the command `ip` (apt-get install iproute2) to make a network namespace")
    number = os.getpid() % 250
    name, wire, other = f"animat{os.getpid()}", f"an{os.getpid()}a", f"an{os.getpid()}b"
    here, there = f"10.213.{number}.1", f"10.213.{number}.2"
    try:
        ip("netns", "add", name)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"this machine lets nobody make a network namespace: {error.stderr.strip()}")
    try:
        ip("link", "add", wire, "type", "veth", "peer", "name", other)
        ip("link", "set", other, "netns", name)
        ip("address", "add", f"{here}/30", "dev", wire)
        ip("link", "set", wire, "up")
        ip("-n", name, "address", "add", f"{there}/30", "dev", other)
        ip("-n", name, "link", "set", other, "up")
        ip("-n", name, "link", "set", "lo", "up")
        yield Elsewhere(name, wire, here)
    finally:
        subprocess.run(["ip", "link", "delete", wire], capture_output=True)
        ip("netns", "delete", name)


def start_there(elsewhere: Elsewhere, nest_mpi: Any, tmp_path: Path, processes: int) -> Worker:
    ranks = [str(nest_mpi.mpirun), "-n", str(processes)] if processes > 1 else []
    return Worker(
        MANY,
        title="animat.brain elsewhere",
        python=str(nest_mpi.python),
        launch=[*elsewhere.enter, *ranks],
        processes=processes,
        listen=elsewhere.address,
        log=tmp_path / "log",
    )


@pytest.mark.parametrize("processes", [1, 2])
def test_a_worker_in_another_network_dials_out(
    elsewhere: Elsewhere, nest_mpi: Any, tmp_path: Path, processes: int
) -> None:
    worker = start_there(elsewhere, nest_mpi, tmp_path, processes)
    assert worker.call("ranks") == list(range(processes))
    own = Path("/proc/self/ns/net").readlink()
    assert all(Path(f"/proc/{pid}/ns/net").readlink() != own for pid in worker.ranks.values())
    pids = worker.ranks.values()
    worker.close()
    assert not [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]


@pytest.mark.parametrize("processes", [1, 2])
def test_a_broken_wire_is_noticed(elsewhere: Elsewhere, nest_mpi: Any, tmp_path: Path, processes: int) -> None:
    worker = start_there(elsewhere, nest_mpi, tmp_path, processes)
    assert worker.call("ranks") == list(range(processes))
    processes_there = [psutil.Process(pid) for pid in worker.ranks.values()]
    worker.start("work", 1, 60.0)
    time.sleep(0.1)
    began = time.monotonic()
    ip("link", "set", elsewhere.wire, "down")
    with pytest.raises(WorkerDied, match=r"closed|ended"):
        worker.wait()
    assert time.monotonic() - began < SILENCE_S + 3.0
    assert not [one for one in processes_there if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
