"""The client that NEST's authors publish, unchanged, and curl as the documentation shows it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from nest_client import NESTClient
from served_brain import TOKEN, Served, served

from animat.brain.install import EngineInstall

DOCS = Path(__file__).resolve().parents[2] / "docs" / "nest-server.md"


@pytest.fixture(scope="module", params=["1", "2"], ids=["one process", "two processes"])
def open_server(request: pytest.FixtureRequest, nest_mpi: EngineInstall) -> Iterator[Served]:
    with served("--exec", "--no-auth", "--processes", request.param) as running:
        yield running


def drive(client: NESTClient) -> None:
    client.ResetKernel()
    client.SetKernelStatus({"rng_seed": 7})
    neurons = client.Create("iaf_psc_alpha", 4, params={"I_e": 600.0, "V_min": "-inf"})
    recorder = client.Create("spike_recorder")
    client.Connect(neurons, recorder)
    client.Simulate(100.0)
    assert set(client.GetStatus(recorder, "events")[0]["senders"]) == set(neurons)
    client.SetStatus(nodes=neurons, params={"V_m": -60.0})
    assert client.GetStatus(neurons, keys="V_m") == [-60.0] * 4
    assert client.GetStatus(neurons, "V_min") == [float("-inf")] * 4
    assert client.GetKernelStatus("biological_time") == 100.0


def test_the_published_client_works_unchanged(open_server: Served) -> None:
    client = NESTClient(open_server.url)
    drive(client)
    answer = client.exec_script("import nest\nn = nest.GetNodes().tolist()\nprint('hello')", "n")
    assert answer == {"data": [1, 2, 3, 4, 5], "stdout": "hello\n"}
    with pytest.raises(Exception, match="no_such_model"):
        client.Create("no_such_model")


def test_the_published_client_shows_a_token_in_its_address() -> None:
    with served() as running:
        address = running.url.replace("http://", f"http://nest:{TOKEN}@")
        drive(NESTClient(address))
        drive(NESTClient(running.url, headers={"NESTServerAuth": TOKEN}))
        assert NESTClient(running.url).get("/").status_code == 401


def test_scripts_and_files_are_refused_by_default() -> None:
    with served() as running, running.client() as client:
        refused = {
            ("exec", "x = 1"): "any code on this machine with your rights",
            ("Install", "mymodule"): "loads a library",
            ("SonataNetwork", "x.json"): "reads files",
            ("DumpLayerNodes", "x"): "writes a file",
            ("PlotLayer", "x"): "not among the calls known to be harmless",
        }
        for (name, argument), says in refused.items():
            with pytest.raises(Exception, match=says) as caught:
                client.exec(argument) if name == "exec" else client.call(name, argument)
            assert caught.value.status == 403  # type: ignore[attr-defined]
        with pytest.raises(Exception, match="files"):
            client.Create("spike_recorder", 1, {"record_to": "ascii"})
        with pytest.raises(Exception, match="files"):
            client.SetKernelStatus({"data_path": "/tmp"})


def examples() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", DOCS.read_text(), re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.startswith("curl ")]


def test_the_examples_of_the_documentation_work() -> None:
    """In the order in which they stand there."""
    assert len(examples()) >= 8
    with served("--exec") as running:
        for command in examples():
            own = command.replace("http://127.0.0.1:52425", running.url)
            done = subprocess.run(
                ["bash", "-c", own],
                env={"TOKEN": TOKEN, "PATH": "/usr/bin:/bin"},
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert done.returncode == 0, (command, done.stderr)
            answer = json.loads(done.stdout)
            assert not (isinstance(answer, dict) and "message" in answer), (command, answer)
