from animat.simulation.events import Event, EventQueue

MS = 1_000_000


def kinds(events: list[Event]) -> list[tuple[str, str, bool]]:
    return [(event.kind, event.target, event.undo) for event in events]


def test_events_come_in_order_of_time_and_only_once() -> None:
    queue = EventQueue([Event(40 * MS, "message", value="b"), Event(0, "message", value="a")])
    assert [event.value for event in queue.due(0)] == ["a"]
    assert queue.due(20 * MS) == []
    assert [event.value for event in queue.due(40 * MS)] == ["b"]
    assert queue.due(60 * MS) == []


def test_an_event_between_steps_takes_effect_with_the_next_step() -> None:
    queue = EventQueue([Event(25 * MS, "stop")])
    assert queue.due(20 * MS) == []
    assert kinds(queue.due(40 * MS)) == [("stop", "", False)]


def test_an_event_with_an_end_is_undone_there() -> None:
    queue = EventQueue([Event(20 * MS, "silence", "brain/A", True, until=60 * MS)])
    assert kinds(queue.due(20 * MS)) == [("silence", "brain/A", False)]
    assert queue.due(40 * MS) == []
    assert kinds(queue.due(60 * MS)) == [("silence", "brain/A", True)]
    assert queue.active == []


def test_undoing_comes_before_what_begins_at_the_same_time() -> None:
    queue = EventQueue([Event(0, "cut", "a", until=20 * MS), Event(20 * MS, "cut", "a")])
    queue.due(0)
    assert kinds(queue.due(20 * MS)) == [("cut", "a", True), ("cut", "a", False)]


def test_a_clamp_without_an_end_stays_active() -> None:
    queue = EventQueue([Event(0, "clamp", "body/clamp/M", 0.5)])
    queue.due(0)
    queue.due(100 * MS)
    assert [event.kind for event in queue.active] == ["clamp"]


def test_rewind_starts_again() -> None:
    queue = EventQueue([Event(0, "message"), Event(20 * MS, "stop")])
    queue.due(20 * MS)
    queue.rewind()
    assert kinds(queue.due(0)) == [("message", "", False)]
