"""`animat tune`: what it prints, writes and refuses."""

from __future__ import annotations

import json
import sys

import pytest

from animat.cli import main
from animat.tuning import procedure

NETWORK = """\
name: small
populations:
  A:
    model: iaf_psc_exp
    size: 100
    params: {C_m: 250 pF, tau_m: 15 ms, E_L: -70 mV, V_th: -55 mV, V_reset: -70 mV}
    drive: {rate: 1 kHz, weight: 100 pA, delay: 1.5 ms}
  B: {model: iaf_psc_exp, size: 100}
projections:
  - {from: A, to: B, rule: {fixed_indegree: {indegree: 20}}, weight: 100 pA, delay: 1.5 ms}
"""

TIMES = ["--after", "100 ms", "--duration", "500 ms"]


@pytest.fixture
def animat(tmp_path, monkeypatch, capsys):
    """A folder with a network and targets, and a function that runs a command line there."""
    (tmp_path / "network.yaml").write_text(NETWORK)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(procedure, "_ROUNDS_ALONE", 1)
    (tmp_path / "rates.csv").write_text("population,rate_hz,knob\nA,15,\nB,5,none\n")

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["animat", *words])
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_it_prints_and_writes_what_experiments_and_bench_rates_take(animat, tmp_path):
    """Files are named from where the command runs; rates come out again to the last spike."""
    code, out, err = animat("tune", "network.yaml", "--targets", "rates.csv", *TIMES)
    assert code == 0 and "each population alone, run 1" in err
    lines = out.splitlines()
    assert lines[0].startswith("small, compact, tuned with seed 1 in ") and lines[0].endswith("rates with seed 2")
    row = next(line.split() for line in lines if line.startswith("A "))
    assert row[:4] == ["A", "drive", "1,000", "Hz"]
    assert any(line.startswith("B ") and " none " in line for line in lines)
    assert lines[-1] == "written: adjustments.csv"
    assert (tmp_path / "adjustments.csv").read_text().startswith("knob,name,old,new,unit,")
    code, out, _ = animat(
        *("bench", "rates", "network.yaml", "--set", "adjustments=adjustments.csv", "--seed", "2"),
        *("--engine", "compact", "--json", *TIMES),
    )
    assert code == 0 and f"{json.loads(out)['rows'][0]['rate_hz']:.2f}" in row


def test_json_holds_rows_adjustments_and_history_and_start_goes_on(animat, tmp_path):
    (tmp_path / "former.csv").write_text("knob,name,new\ncurrent,B,5\n")
    code, out, _ = animat(
        *("tune", "network.yaml", "--targets", "rates.csv", "--start", "former.csv", "--output", "out.csv"),
        *("--rounds", "1", "--within", "1.5", "--json", *TIMES),
    )
    found = json.loads(out)
    assert code == 0 and [row["population"] for row in found["rows"]] == ["A", "B"]
    assert [(one["knob"], one["name"]) for one in found["adjustments"]] == [("current", "B"), ("drive", "A")]
    assert len(found["history"]) == found["rounds"] == 1
    assert (tmp_path / "out.csv").is_file() and not (tmp_path / "adjustments.csv").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["network.yaml"], "say which rates are wanted: --targets FILE"),
        (["network.yaml", "--targets", "none.csv"], "there is no table of target rates none.csv. There is: rates.csv."),
        (["network.yaml", "--targets", "rates.csv", "--output", "no/a.csv"], "the folder no does not exist"),
        (["network.yaml", "--targets", "rates.csv", "--output", "."], "is a folder"),
        (["network.yaml", "--targets", "rates.csv", "--set", "adjustments=a.csv"], "--start FILE"),
        (["network.yaml", "--targets", "rates.csv", "--within", "1"], "a factor above 1"),
        (
            ["network.yaml", "--targets", "rates.csv", "--start", "none.csv"],
            "there is no table of adjustments none.csv",
        ),
        (["balanced-network"], "say which rates are wanted"),
        (["balanced-network", "--targets", "rates.csv"], "unknown population 'A'"),
    ],
)
def test_mistakes_end_with_a_message_and_exit_code_1(animat, words, said):
    code, out, err = animat("tune", *words)
    assert code == 1 and not out and said in " ".join(err.split())
