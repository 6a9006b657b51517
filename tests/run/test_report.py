import base64
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from synthetic_run import MUSCLES, POPULATIONS, make_run

from animat.brain.protocol import PopulationInfo
from animat.run.files import write_json
from animat.run.reader import open_run
from animat.run.report import write_report
from animat.run.report_data import _fair_choice, event_text
from animat.run.writer import RunWriter


def payload(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return write_report(make_run(tmp_path_factory.mktemp("run") / "mouse", steps=40)).read_text()


def headings(page):
    return re.findall(r"<h2>(.*?)</h2>", page)


def test_sections_of_a_whole_run(page):
    assert headings(page) == [
        "Body", "Spikes", "Firing rates", "Muscles", "Joints", "Signals", "Where each step's time went", "Events",
        "What was run",
    ]  # fmt: skip
    for text in (
        "Mouse pushes a joystick",
        "completed",
        "synapses",
        "brain_kernel",
        "The joystick is pushed.",
        "5f" * 32,
    ):
        assert text in page


def test_page_loads_nothing(page):
    assert not re.search(r"""(?:src|href)\s*=|@import|url\(|fetch\(|XMLHttpRequest|EventSource|import\s*\(""", page)
    assert not re.search(r"https?://|//[a-z]+\.[a-z]{2,}", re.sub(r'id="data">.*?</script>', "", page, flags=re.DOTALL))


def test_figures_hold_the_recorded_numbers(page):
    data = payload(page)
    assert data["duration"] == pytest.approx(0.8)
    assert [one["name"] for one in data["raster"]["populations"]] == [name for name, *_ in POPULATIONS]
    titles = {chart["title"]: chart for part in ("muscles", "joints", "others") for chart in data["signals"][part]}
    assert {
        "Muscle activation",
        "Muscle force",
        "Muscle length",
        "Joint angles",
        "watch: voltage",
        "cortex_to_forelimb: rate",
    } <= set(titles)
    assert [line["name"] for line in titles["Muscle force"]["lines"]] == list(MUSCLES)
    poses = np.frombuffer(base64.b64decode(data["bodies"][0]["poses"]), "<f4")
    assert poses.size == 40 * 6 * 7


def test_long_recordings_are_thinned(tmp_path):
    page = write_report(make_run(tmp_path / "long", steps=130)).read_text()
    raster = payload(page)["raster"]
    assert 39_900 < raster["shown"] <= 40_000 < raster["total"]
    assert len(page) < 2_000_000


@pytest.mark.parametrize(
    ("options", "missing"),
    [({"brain": False}, {"Spikes", "Firing rates"}), ({"body": False}, {"Body", "Muscles", "Joints"})],
)
def test_runs_without_brain_or_body(tmp_path, options, missing):
    page = write_report(make_run(tmp_path / "run", steps=10, **options)).read_text()
    assert not missing & set(headings(page)) and "Where each step's time went" in headings(page)


def test_failed_run_says_why(tmp_path):
    page = write_report(
        make_run(tmp_path / "run", steps=10, error="worker <killed> by signal 9", finish=False)
    ).read_text()
    assert "The run failed" in page and "worker &lt;killed&gt; by signal 9" in page and "Spikes" in headings(page)


def test_comparison_shows_both_runs(tmp_path):
    folder = make_run(tmp_path / "run", steps=10)
    make_run(folder / "comparison", steps=10)
    numbers = {"mean": 0.001, "final": 0.002, "largest": 0.003, "after_ms": 100.0}
    entry = {
        "label": "pushed or not",
        "settings": ["stimulus=none"],
        "signal": "position/joystick[1]",
        "unit": "m",
        **numbers,
    }
    write_json(folder / "summary.json", {**open_run(folder).summary, "comparison": entry})
    page = write_report(folder).read_text()
    assert "Pushed or not" in headings(page) and "2 mm at the end" in page
    assert [line["name"] for line in payload(page)["comparison"]["lines"]] == ["this run", "stimulus=none"]


def test_run_that_never_began(tmp_path):
    writer = RunWriter(tmp_path / "run")
    writer.event("state", 0, state="created")
    writer.close()
    assert "unfinished" in write_report(tmp_path / "run").read_text()


def test_names_cannot_break_out_of_the_page(tmp_path):
    writer = RunWriter(tmp_path / "run")
    evil = "</script><script>alert(1)</script>{{css}}"
    writer.manifest({"name": evil, "description": evil})
    writer.populations({"brain": [PopulationInfo(evil, 1, "x")]})
    writer.event("message", 5, text=evil)
    writer.close()
    page = write_report(tmp_path / "run").read_text()
    assert page.count("<script") == 2 and payload(page)["events"][0]["text"] == evil


def test_event_lines():
    assert (
        event_text({"kind": "event", "tick": 1, "action": "set", "target": "a.rate", "value": 5, "undo": False})
        == "set a.rate 5"
    )
    assert event_text({"kind": "state", "state": "paused", "before": "running"}) == "paused"
    assert event_text({"kind": "edit", "function": "f", "text": "replaced", "source": "..."}) == "f: replaced"


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.parametrize("name", ["scene.js", "plots.js", "report.js"])
def test_scripts_parse(name):
    from animat.run.report import template

    subprocess.run(["node", "--check", "-"], input=template(name), text=True, check=True)


def test_a_busy_population_does_not_crowd_out_the_others():
    codes = np.repeat([0, 1, 2, 3], [50, 10_000, 700, 90_000])
    chosen = _fair_choice(codes, 3_000)
    assert np.bincount(codes[chosen]).tolist() == [50, 1125, 700, 1125]
    assert np.all(np.diff(chosen) > 0)
    assert len(_fair_choice(codes[:40], 40)) == 40
