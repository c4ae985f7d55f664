"""Records become rows of events and of progress; an invalid record is skipped."""

from base64 import b64decode

import msgspec

from sinks.clickhouse.events import DeadLetterRow, ReplayedRow, dead_letter_row, stored
from streams.models.dead_letters import DeadLetter, dead_letter, read, replayed
from tests.sinks.desk import Record, event, ms

CREATED = event("ticket.created", "mon 10:00")


def advanced(source: str) -> bytes:
    to = "2026-10-12T11:00:00Z"
    return msgspec.json.encode(
        {"specversion": "1.0", "id": "c", "source": source, "type": "clock.advanced", "time": to, "data": {"to": to}}
    )


def test_events_are_kept_and_the_rest_passed_over() -> None:
    values = [CREATED, b"nonsense", advanced("/deskwatch/replay"), b'{"type": "coffee.brewed"}', advanced("/somebody")]
    part = stored("tickets", [Record(value, offset=7 + n, partition=2) for n, value in enumerate(values)], -1)
    assert [(row.source, row.type, row.offset) for row in part.events] == [
        ("test", "ticket.created", 7),
        ("/somebody", "clock.advanced", 11),
    ]
    row = part.events[0]
    assert (row.time, row.subject, row.body, row.partition) == (ms("mon 10:00"), "t1", CREATED.decode(), 2)
    assert part.progress.offsets == {"tickets": 12}
    assert (part.progress.version, part.progress.partition, part.progress.as_of) == (12, 2, ms("mon 11:00"))
    assert not part.closed


def test_progress_never_goes_back() -> None:
    assert stored("tickets", [Record(CREATED)], ms("tue 10:00")).progress.as_of == ms("tue 10:00")


def test_a_binary_event_is_kept_as_one_document() -> None:
    headers = {
        "specversion": "1.0",
        "id": "e1",
        "source": "s",
        "type": "ticket.created",
        "time": "2026-10-12T10:00:00Z",
    }
    record = Record(b'{"ticket_id": "t1"}', headers=tuple((f"ce_{k}", v.encode()) for k, v in headers.items()))
    (row,) = stored("tickets", [record], -1).events
    assert msgspec.json.decode(row.body) == {**headers, "data": {"ticket_id": "t1"}}
    again = stored("tickets", [Record(row.body.encode())], -1).events
    assert (again[0].id, again[0].time, again[0].subject) == (row.id, row.time, row.subject)


def test_the_subject_is_that_of_the_cloudevent_if_it_has_one() -> None:
    named = msgspec.json.encode({**msgspec.json.decode(CREATED), "subject": "tickets/1"})
    assert stored("tickets", [Record(named)], -1).events[0].subject == "tickets/1"


def test_a_closure_asks_for_new_calendars() -> None:
    data = {"calendar": "office", "from": "2026-10-12T10:00:00Z", "to": "2026-10-12T11:00:00Z"}
    part = stored("signals", [Record(event("desk.closed", "mon 09:00", **data))], -1)
    assert part.closed
    assert part.events[0].subject == ""


def test_a_dead_letter_keeps_its_bytes_and_where_it_came_from() -> None:
    came = Record(b"\xff\x00nonsense", topic="calls", partition=3, offset=12, timestamp=ms("mon 10:00"))
    letter = dead_letter("calls", came, "it is nonsense")
    row = dead_letter_row(Record(letter.value, topic="dead-letters", headers=letter.headers))
    assert isinstance(row, DeadLetterRow)
    assert (row.topic, row.partition, row.offset, row.reason) == ("calls", 3, 12, "it is nonsense")
    assert row.received_at == ms("mon 10:00")
    assert b64decode(row.value_base64) == b"\xff\x00nonsense"


def test_a_letter_that_was_replayed_keeps_what_was_sent() -> None:
    letter = read(Record(b"x", headers=dead_letter("calls", Record(b"x", offset=12), "it is nonsense").headers))
    assert isinstance(letter, DeadLetter)
    mark = replayed(letter, CREATED, ms("mon 11:00"))
    row = dead_letter_row(Record(mark.value, topic="dead-letters", headers=mark.headers))
    assert isinstance(row, ReplayedRow)
    assert (row.topic, row.partition, row.offset, row.replayed_at) == ("calls", 0, 12, ms("mon 11:00"))
    assert b64decode(row.value_base64) == CREATED


def test_a_message_of_others_on_the_topic_is_no_row() -> None:
    assert dead_letter_row(Record(b"hello", topic="dead-letters")) is None
