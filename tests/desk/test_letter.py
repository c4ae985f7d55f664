"""A dead letter keeps its whole message, and is identified by its origin."""

from hypothesis import given
from hypothesis import strategies as st

from streams.models.codec import decode
from streams.models.dead_letters import DeadLetter, ReplayMarker, dead_letter, gather, kind_of, read, replayed
from streams.models.envelope import Event
from streams.models.instants import EARLIEST, LATEST
from tests.sinks.desk import Record, event

_records = st.builds(
    Record,
    value=st.none() | st.binary(max_size=50),
    topic=st.sampled_from(["tickets", "calls"]),
    offset=st.integers(0, 9),
    timestamp=st.integers(EARLIEST, LATEST - 1),
    partition=st.integers(0, 3),
    key=st.none() | st.binary(max_size=9),
    headers=st.lists(st.tuples(st.text(max_size=9), st.binary(max_size=9)), max_size=3).map(tuple),
)


def came_back(record: Record, reason: str = "it is nonsense") -> DeadLetter:
    output = dead_letter(record.topic, record, reason)
    letter = read(Record(output.value, output.topic, headers=output.headers))
    assert isinstance(letter, DeadLetter)
    return letter


@given(_records, st.text(max_size=2000))
def test_a_letter_is_the_message_with_its_origin(record: Record, reason: str) -> None:
    letter = came_back(record, reason)
    assert letter.value == (record.value or b"")
    assert (letter.topic, letter.partition, letter.offset) == (record.topic, record.partition, record.offset)
    assert (letter.key, tuple(letter.headers), letter.received_at) == (record.key, record.headers, record.timestamp)
    assert letter.reason == reason[:1000].encode(errors="replace").decode()


@given(st.lists(_records, max_size=20), st.integers(0, 3), st.randoms(use_true_random=False))
def test_each_letter_stands_once_and_open_until_its_mark_in_any_order(records, every, random) -> None:  # type: ignore[no-untyped-def]
    letters = [came_back(record) for record in records]
    marked = {letter.id for letter in letters if letter.offset <= every}
    marks = [read(_message(replayed(letter, b"{}", 1_790_000_000_000))) for letter in letters if letter.id in marked]
    messages = [*letters, *letters, *marks]
    random.shuffle(messages)
    found = gather(messages)
    assert sorted(letter.id for letter in found) == sorted({letter.id for letter in letters})
    assert {letter.id for letter in found if letter.state == "replayed"} == marked


def _message(output) -> Record:  # type: ignore[no-untyped-def]
    return Record(output.value, output.topic, headers=output.headers)


def test_a_mark_says_what_was_sent() -> None:
    mark = read(_message(replayed(came_back(Record(b"x", offset=7)), b"{1}", 1_790_000_000_000)))
    assert mark == ReplayMarker("tickets", 0, 7, 1_790_000_000_000, b"{1}")


def test_a_message_in_binary_mode_becomes_one_document_again() -> None:
    names = {"specversion": "1.0", "id": "e1", "source": "s", "type": "ticket.created", "time": "2026-10-12T10:00:00Z"}
    headers = tuple((f"ce_{name}", value.encode()) for name, value in names.items())
    letter = came_back(Record(b'{"ticket_id":"t1"}', headers=headers))
    assert isinstance(decode(letter.document()), Event)


def test_what_others_put_on_the_topic_is_neither() -> None:
    assert read(Record(event("ticket.created", "mon 10:00"))) is None
    assert read(Record(b"", headers=(("topic", b"calls"), ("partition", b"one")))) is None
    assert gather([None]) == []


def test_reasons_are_counted_without_their_numbers() -> None:
    one = kind_of("survey.responded: the score 9 is outside 1.0 to 5.0")
    assert one == kind_of("survey.responded: the score 12 is outside 0 to 10")
    assert one != kind_of("survey.responded: the scale 1.0 to 1.0 is no scale")
