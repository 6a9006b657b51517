import pytest
from hypothesis import given
from hypothesis import strategies as st

from animat import AnimatError, muscles, spike_sink, spike_source, transfer_function, variable
from animat.brain.protocol import Percent, Selection
from animat.transfer.declare import parse_neurons
from animat.transfer.load import load_functions
from animat.transfer.schedule import check_periods, order, schedule_rows


@pytest.mark.parametrize(
    ("text", "brain", "selection"),
    [
        ("A", None, Selection("A")),
        ("A[3]", None, Selection("A", indices=(3,))),
        ("A[1, 5,7]", None, Selection("A", indices=(1, 5, 7))),
        ("A[0:10]", None, Selection("A", 0, 10)),
        ("A[::2]", None, Selection("A", None, None, 2)),
        ("left/A[-5:]", "left", Selection("A", -5)),
        ("A[12.5%:25%]", None, Selection("A", Percent(12.5), Percent(25))),
        ("left/A[ :50 %]", "left", Selection("A", None, Percent(50))),
        ("A[33.333333333333%:]", None, Selection("A", Percent(33.333333333333))),
        ("A[3:100%:2]", None, Selection("A", 3, Percent(100), 2)),
    ],
)
def test_neurons_as_text(text, brain, selection):
    assert parse_neurons(text) == (brain, selection)
    assert parse_neurons(str(selection))[1] == selection


@pytest.mark.parametrize(
    "text", ["", "A[", "A[x]", "A[1:2:3:4]", "A[::0]", "a/b/c", "A[]", "A[5%]", "A[%:]", "A[::5%]"]
)
def test_what_is_no_selection_teaches(text):
    with pytest.raises(AnimatError):
        parse_neurons(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A[50%]", r"write for example A\[0:10\] or A\[0%:12.5%\]"),
        ("A[:120%]", "between 0% and 100%, not 120%"),
        ("A[-10%:]", "between 0% and 100%, not -10%"),
        ("A[nan%:]", "between 0% and 100%"),
        ("A[50%:25%]", "50% does not lie below 25%"),
        ("A[5%:5%]", "selects no neuron"),
    ],
)
def test_wrong_percentages_teach(text, words):
    with pytest.raises(AnimatError, match=words):
        parse_neurons(text)


@given(st.text(max_size=20))
def test_any_text_gives_a_selection_or_an_error(text):
    try:
        parse_neurons(text)
    except AnimatError:
        pass


@given(st.text("0123456789.:%-, e", max_size=12))
def test_any_selection_is_read_again_from_its_text(part):
    try:
        _, selection = parse_neurons(f"A[{part}]")
    except AnimatError:
        return
    assert parse_neurons(str(selection)) == (None, selection)


def test_units_are_converted():
    port = spike_source("A", "poisson", rate="5 kHz", delay="1500 us", weight="0.15 nS")
    assert port.device.params == {"rate": 5000.0}
    assert port.device.delay_ms == 1.5 and port.device.weight == 0.15


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: spike_sink("A", "leaky_integrator"), "leaky_integrator_alpha"),
        (lambda: spike_sink("A", "poisson"), "unknown spike sink"),
        (lambda: spike_source("A", "poisson", rat=3), "Did you mean 'rate'"),
        (lambda: spike_source("A", "poisson", rate="5 mV"), "is a voltage, not a rate"),
        (lambda: spike_source("A", "poisson", rate=-1), "at least 0"),
        (lambda: spike_source("A", "poisson", delay="0 ms"), "longer than 0 ms"),
        (lambda: spike_sink("A", "population_rate", reduce="median"), "mean, sum"),
        (lambda: spike_sink(["a/A", "b/B"], "population_rate"), "one brain"),
        (lambda: muscles(), "at least one muscle"),
        (lambda: transfer_function(x=3), "must be declared with"),
    ],
)
def test_wrong_declarations_teach(call, words):
    with pytest.raises(AnimatError, match=words):
        call()


def test_parameters_must_match_the_declaration():
    with pytest.raises(AnimatError, match=r"must take the parameters \(t, x\)"):

        @transfer_function(x=variable(0))
        def wrong(t, y):
            pass


def test_errors_in_a_file_have_file_and_line():
    with pytest.raises(AnimatError) as caught:
        load_functions("x = 1\nx = (", "tf.py")
    assert caught.value.file == "tf.py" and caught.value.line == 2
    with pytest.raises(AnimatError) as caught:
        load_functions("x = 1\n\ny = x / 0\n", "tf.py")
    assert caught.value.line == 3 and "ZeroDivisionError" in str(caught.value)
    with pytest.raises(AnimatError, match="no transfer function found"):
        load_functions("x = 1", "tf.py")


def test_two_writers_of_one_port_are_refused_unless_the_later_overrides():
    @transfer_function(m=muscles("M"))
    def one(t, m):
        pass

    @transfer_function(m=muscles("M", "N"))
    def two(t, m):
        pass

    @transfer_function(m=muscles("M", "N", override=True))
    def three(t, m):
        pass

    with pytest.raises(AnimatError, match="override=True"):
        order([one, two])
    assert [f.name for f in order([one, three])] == ["one", "three"]


def test_a_port_is_the_same_whether_its_body_is_named_or_not():
    @transfer_function(m=muscles("M"))
    def unnamed(t, m):
        pass

    @transfer_function(m=muscles("M", body="arm"))
    def named(t, m):
        pass

    @transfer_function(m=muscles("M", body="leg"))
    def other(t, m):
        pass

    for bodies in ([], ["arm"]):
        with pytest.raises(AnimatError, match=r"named.m writes arm/activation/M, which unnamed.m writes"):
            order([unnamed, named], bodies)
    assert len(order([named, other], ["arm", "leg"])) == 2
    assert len(order([unnamed, named, other])) == 3


def test_a_period_is_a_whole_multiple_of_the_step():
    @transfer_function(every="30 ms", x=variable(0))
    def rare(t, x):
        pass

    check_periods([rare], 10_000_000)
    with pytest.raises(AnimatError, match=r"every='30 ms' must be a whole multiple of the step \(20 ms\)") as caught:
        check_periods([rare], 20_000_000)
    assert caught.value.file == __file__ and caught.value.line


def test_two_functions_of_one_name_are_refused():
    @transfer_function(m=variable(0))
    def one(t, m):
        pass

    with pytest.raises(AnimatError, match="two transfer functions are called 'one'"):
        order([one, one])


def test_the_schedule_marks_what_is_read_before_it_is_written():
    functions = load_functions(
        "from animat import *\n"
        "@transfer_function(x=shared('x', readonly=True))\n"
        "def early(t, x): pass\n"
        "@transfer_function(x=shared('x'))\n"
        "def late(t, x): pass\n",
        "tf.py",
    )
    rows = schedule_rows(order(functions))
    assert [(row.name, row.stale) for row in rows] == [("early", ("x",)), ("late", ())]
