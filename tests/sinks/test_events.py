"""Records become rows of events and of progress; an invalid record is skipped."""

from base64 import b64decode

import msgspec

from sinks.clickhouse.events import DeadLetterRow, ReplayedRow, dead_letter_row, stored
from streams.desk.escalation.codec import HANDED_ON
from streams.models.dead_letters import DeadLetter, dead_letter, read, replayed
from tests.sinks.desk import Database, Record, event, ms

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


def test_an_identity_holds_within_its_subject_whatever_the_cloudevents_subject_says(database: Database) -> None:
    """A ticket, a call, a callback and an improvement action 7, each with an event 1; and surveys about them."""
    about = {"metric": "csat", "score": 5, "scale_min": 1, "scale_max": 5}
    log = [
        event("ticket.created", "mon 10:00", "7"),
        event("ticket.created", "mon 10:00", "8"),
        event("call.offered", "mon 10:00", "7", queue="Q"),
        event("callback.due", "mon 10:00", callback_id="7"),
        event("action.opened", "mon 10:00", action_id="7"),
        event("survey.responded", "mon 12:00", survey_id="7", ticket_id="7", **about),
        event("survey.responded", "mon 12:00", survey_id="7", call_id="7", **about),
        event("survey.responded", "mon 12:00", survey_id="7", **about),
        event("review.completed", "mon 12:00", review_id="7", ticket_id="7", passed=True),
        event("review.completed", "mon 12:00", review_id="7", call_id="7", passed=True),
    ]
    same = {"id": "1", "subject": "desk"}
    numbered = [msgspec.json.encode({**msgspec.json.decode(line), **same}) for line in log]
    again = msgspec.json.encode({**msgspec.json.decode(log[0]), **same, "subject": "another"})
    assert database.fold([*numbered, again]).one("SELECT count() FROM events") == len(log)


def test_actions_are_kept_once_and_change_no_figure(database: Database) -> None:
    """What another partition forwarded is a copy. An action is in `events`, and moves no time."""
    action = event("warning.acknowledge", "tue 10:00", warning_id="w1", by="li")
    part = stored("actions", [Record(action), Record(action, headers=(HANDED_ON,)), Record(b"{}")], -1)
    assert [(row.type, row.subject) for row in part.events] == [("warning.acknowledge", "w1")]
    database.fold([event("ticket.created", "mon 10:00"), action])
    assert database.rows("SELECT id, topic FROM events WHERE topic = 'actions'") == [(part.events[0].id, "actions")]
    assert database.one("SELECT max(as_of) FROM progress_rows WHERE topic_name = 'sla-ledger'") == ms("mon 10:00")


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
