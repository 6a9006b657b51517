import io

import pytest

from animat.cli import attach as cli
from animat.errors import AnimatError


class Simulation:
    """Remembers what was asked."""

    def __init__(self):
        self.said = []

    def set(self, target, value=None, **values):
        self.said.append((target, values or value))

    def status(self):
        return {"state": "paused", "tick": 0}

    def get(self, target, *names):
        raise AnimatError("unknown population 'A[0:3]'. [/red] Known: B")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("set variable:f.n value=3", ("variable:f.n", 3)),
        ("set variable:f.n value=left", ("variable:f.n", "left")),
        ("set control:c value='[1, 2.5]'", ("control:c", [1, 2.5])),
        ('set POP I_e="100 pA" V_m=-70', ("POP", {"I_e": "100 pA", "V_m": -70})),
        ("set parameter:p 'value=5 kHz'", ("parameter:p", "5 kHz")),
        ("set POP target=1 value=2", ("POP", {"target": 1, "value": 2})),
    ],
)
def test_values_are_read_as_in_a_description(line, said):
    simulation = Simulation()
    cli._do(simulation, cli._words(line))
    assert simulation.said == [said]


def test_errors_are_printed_as_they_are(monkeypatch, capsys):
    simulation = Simulation()
    monkeypatch.setattr(cli, "join", lambda _run: simulation)
    monkeypatch.setattr("sys.stdin", io.StringIO("get A[0:3]\nset 'A\nnonsense [bold]\nset A x=1\nquit\nset A x=2\n"))
    cli.attach("run")
    said = capsys.readouterr().out.replace("\n", " ")
    assert "unknown population 'A[0:3]'. [/red] Known: B" in said
    assert "No closing quotation" in said and "'nonsense [bold]'" in said
    assert simulation.said == [("A", {"x": 1})]
