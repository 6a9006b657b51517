import json
import re
import socket
import urllib.error
import urllib.request

import numpy as np
import pytest

from animat.brain.protocol import SHARD_DTYPE, PopulationInfo
from animat.errors import AnimatError
from animat.simulation.view.latest import Latest
from animat.simulation.view.live import open_view
from animat.simulation.view.server import ViewServer

BRAINS = {"a": [PopulationInfo("E", 10, "x")], "b": [PopulationInfo("I", 4, "x"), PopulationInfo("J", 2, "x")]}


def spikes(brain, tick, *rows, counts=(0, 0)):
    return {"brain": brain, "tick": tick, "sample": np.array(list(rows), SHARD_DTYPE).tobytes(), "counts": list(counts)}


@pytest.fixture
def latest():
    made = Latest()
    made.know(BRAINS, {"position/hand": 3, "activation/Biceps": 1, "left/activation/Triceps": 1})
    return made


def test_frame_merges_streams(latest):
    latest.take("state", {"state": "running", "tick": 0})
    latest.take("signals", {"tick": 20, "names": [], "values": [1, 2, 3, 0.5, 0.7]})
    latest.take("poses", {"tick": 20, "body": "arm", "poses": [[0, 0, 1, 1, 0, 0, 0]], "paths": []})
    latest.take("spikes", spikes("b", 20_000_000, (1, 1, 5_000_000), counts=(2, 1)))
    version, frame = latest.frame(-1)
    assert frame["activation"] == {"activation/Biceps": 0.5, "left/activation/Triceps": 0.7}
    assert frame["bodies"]["arm"] == {"poses": [0, 0, 1, 1, 0, 0, 0], "paths": []}
    assert frame["spikes"] == [[2, 0.5, 0.005]] and frame["tick"] == 20_000_000
    assert frame["rates"] == pytest.approx({"I": 2 / 4 / 0.02, "J": 1 / 2 / 0.02})
    assert latest.frame(version) == (version, None)


def test_late_reader_gets_only_the_newest_spikes(latest):
    for step in range(1, 1000):
        latest.take("spikes", spikes("a", step, (0, 1, step), counts=(1,)))
    _, frame = latest.frame(3)
    assert 0 < len(frame["spikes"]) <= 50 and frame["spikes"][-1][2] == pytest.approx(999e-9)


def test_readers_do_not_take_from_each_other(latest):
    latest.take("spikes", spikes("a", 1, (0, 1, 1), counts=(1,)))
    assert latest.frame(-1)[1]["spikes"] == latest.frame(-1)[1]["spikes"] != []


def test_spikes_of_unknown_populations_are_left_out(latest):
    latest.take("spikes", spikes("other", 1, (0, 0, 1)))
    latest.take("spikes", spikes("a", 1, (7, 0, 1), counts=(1,)))
    assert latest.frame(-1)[1]["spikes"] == []


@pytest.fixture
def server(latest):
    made = ViewServer(latest, lambda: {"bodies": [], "populations": [{"name": "E", "size": 10}]})
    yield made
    made.close()


def messages(stream, wanted):
    found = {}
    while wanted - set(found):
        line = stream.readline().decode().strip()
        if line.startswith("event: "):
            found[line[7:]] = json.loads(stream.readline().decode()[6:])
    return found


def test_page_and_frames(server, latest):
    page = urllib.request.urlopen(server.url, timeout=5).read().decode()
    assert "SceneView" in page and "{{" not in page and not re.search(r"https?://", page)
    latest.take("state", {"state": "running", "tick": 0})
    with urllib.request.urlopen(server.url + "frames", timeout=5) as stream:
        found = messages(stream, {"setup", "frame"})
        assert found["setup"]["populations"] == [{"name": "E", "size": 10}]
        assert found["frame"]["state"]["state"] == "running"
        latest.take("state", {"state": "paused", "tick": 0})
        assert messages(stream, {"frame"})["frame"]["state"]["state"] == "paused"
        server.closing.set()
        assert "end" in messages(stream, {"end"})


def test_only_with_the_token_and_only_on_this_machine(server):
    root = server.url.rsplit("/", 2)[0]
    for path in ("/", "/guess/", f"/{server.token}/other", "/" + "é" * 3):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(urllib.request.Request(root + urllib.request.quote(path)), timeout=5)
        assert caught.value.code == 404
    assert server.url.startswith("http://127.0.0.1:")


def test_reader_that_vanishes_or_never_reads_disturbs_nobody(server, latest):
    port = int(server.url.split(":")[2].split("/")[0])
    with socket.create_connection(("127.0.0.1", port)) as idle:
        idle.sendall(f"GET /{server.token}/frames HTTP/1.0\r\n\r\n".encode())
        for step in range(1, 200):
            latest.take("spikes", spikes("a", step, (0, 1, step), counts=(1,)))
        with urllib.request.urlopen(server.url + "frames", timeout=5) as stream:
            assert messages(stream, {"frame"})["frame"]["tick"] == 199


def test_no_running_simulation(tmp_path):
    with pytest.raises(AnimatError, match=r"control\.json"):
        open_view(tmp_path)
