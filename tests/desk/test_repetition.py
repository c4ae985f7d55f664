"""What is the same event, what is another: within topic and subject; conflicts, orphans, order at one instant.

Times are minutes after 10:00.
"""

from collections import Counter
from itertools import permutations
from typing import Any

import msgspec
import pytest

from streams.desk.policy.versions import Policies, parse
from streams.desk.track.partition import Desk
from streams.models.codec import decode, topic_of
from streams.models.entities import ReviewRow, SurveyRow, TicketRow
from streams.models.envelope import Event, sequence_key
from streams.models.instants import DAY, MINUTE, format_instant, parse_instant
from streams.models.rows import FactRow, PaneRow, ReleasedRow, Row
from streams.models.topics import INPUTS
from tests.desk.compare import all_rows, keep, record

TEN = parse_instant("2026-10-12T10:00:00Z")
POLICY = 'version = "1"\ntimezone = "UTC"\n[calendars.office]\nhours = "24x7"\n'
DUE: dict[str, Any] = {"callback_id": "c", "due_at": "2026-10-12T12:00:00Z"}
RESPONSE: dict[str, Any] = {
    "survey_id": "s",
    "metric": "csat",
    "score": 5,
    "scale_min": 1,
    "scale_max": 5,
    "ticket_id": "T",
}


def event(minutes: float, type_: str, event_id: str = "e", head: dict[str, Any] | None = None, /, **data: Any) -> Any:
    time = format_instant(TEN + round(minutes * MINUTE))
    if type_.startswith("ticket."):
        data = {"ticket_id": "T", **data}
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": "s",
        "type": type_,
        "time": time,
        "data": data,
        **(head or {}),
    }


class Fed:
    """What a desk makes of events in this order: counts of what arrived, and the rows that stand."""

    def __init__(self, *log: dict[str, Any], until: float = 0) -> None:
        self.desk = Desk(0, Policies([parse(POLICY, "p.toml")]), wall=False)
        self._standing: dict[Any, Row] = {}
        self.offset = 0
        self.feed(*log)
        self.pass_time(until)

    def feed(self, *log: dict[str, Any]) -> None:
        for told in log:
            raw = msgspec.json.encode(told)
            event = decode(raw)
            assert isinstance(event, Event), event
            topic = topic_of(event)
            assert self.desk.feed(topic, [record(raw, topic, self.offset)], 0) == 1
            self.offset += 1

    def pass_time(self, minutes: float) -> None:
        for topic in INPUTS:
            self.desk.watermarks.advance(topic, TEN + round(minutes * MINUTE))
        self.desk.advance(None)

    def rows(self) -> list[Row]:
        keep(self._standing, all_rows(self.desk))
        return list(self._standing.values())

    def counts(self) -> dict[str, int]:
        self.rows()
        return {name: number for name, number in self.desk.totals.items() if number and name != "late"}

    def status(self) -> str:
        (row,) = (row for row in self.rows() if isinstance(row, TicketRow))
        return row.status


class TestDuplicates:
    @pytest.mark.parametrize(
        "again",
        [
            {"time": "2026-10-12T10:00:00Z"},
            {"time": "2026-10-12T18:00:00.0004+08:00"},
            {"data": {"ticket_id": "T", "team": None, "unknown": 1, "kind": "Complaint"}, "traceparent": "x"},
            {"data": {"ticket_id": "T", "priority": "normal", "kind": "complaint"}},
        ],
    )
    def test_another_spelling_is_no_other_content(self, again: dict[str, Any]) -> None:
        first = event(0, "ticket.created", kind="complaint")
        for log in permutations([first, first | again]):
            assert Fed(*log).counts() == {"events": 2, "duplicates": 1}

    def test_nor_is_another_spelling_of_an_instant_in_the_data(self) -> None:
        first = event(0, "callback.due", **DUE)
        again = event(0, "callback.due", **{**DUE, "due_at": "2026-10-12T20:00:00+08:00"})
        assert Fed(first, again).counts() == {"events": 2, "duplicates": 1}

    def test_it_does_not_matter_which_spelling_came_first(self) -> None:
        """
        Three of one instant: the least bytes stand, whether they say what the first said or not.
        """
        told = [event(0, "ticket.created", category="b"), event(0, "ticket.created", category="b", zzz=1)]
        told.append(event(0, "ticket.created", category="a"))
        told[1] = {**told[1], "data": {"aaa": 1, **told[1]["data"]}}
        found = {
            next(row.category for row in Fed(*log).rows() if isinstance(row, TicketRow)) for log in permutations(told)
        }
        assert found == {"b"}  # that with "aaa" is the least


class TestConflicts:
    def test_another_type_is_one_of_its_own(self) -> None:
        """
        id e: 0 created     5 replied      and in the other order: the earlier stands
        """
        created, replied = event(0, "ticket.created"), event(5, "ticket.replied", author="agent")
        for log in permutations([created, replied]):
            fed = Fed(*log)
            assert fed.counts() == {"events": 2, "conflicts": 1, "type_conflicts": 1}
            assert fed.status() == "new"

    def test_an_orphan_is_one_in_any_order(self) -> None:
        """
        id e: 5 replied (stands)     10 created
        """
        log = [event(5, "ticket.replied", author="agent"), event(10, "ticket.created")]
        for order in permutations(log):
            counts = Fed(*order).counts()
            assert counts == {"events": 2, "conflicts": 1, "type_conflicts": 1, "orphans": 1}

    def test_an_orphan_counts_in_the_hour_of_its_first_event(self) -> None:
        log = [event(5, "ticket.replied", "a", author="agent"), event(125, "ticket.replied", "b", author="agent")]
        for order in permutations(log):
            panes = [row for row in Fed(*order).rows() if isinstance(row, PaneRow)]
            counted = {
                row.minute: counts.get("orphans", 0)
                for row in panes
                for keys, counts in row.counts
                if (("topic", "tickets")) in keys
            }
            assert counted == {TEN: 1, TEN + 120 * MINUTE: 0}


class TestSecondCreations:
    def test_are_counted_and_change_nothing(self) -> None:
        """
        0 created by two systems, one an hour later; 5 a reply
        """
        log = [event(0, "ticket.created", "a", {"source": "crm"}), event(60, "ticket.created", "a", {"source": "desk"})]
        log.append(event(5, "ticket.replied", author="agent"))
        for order in permutations(log):
            assert Fed(*order).counts() == {"events": 3, "second_creations": 1}


class TestIdentity:
    def test_it_is_within_the_subject(self) -> None:
        log = [event(0, "ticket.created"), event(0, "ticket.created", ticket_id="U")]
        assert Fed(*log).counts() == {"events": 2}

    def test_it_is_within_the_topic(self) -> None:
        """A survey and a review about one ticket come from two systems that number from 1."""
        log = [
            event(0, "survey.responded", "1", **RESPONSE),
            event(0, "review.completed", "1", review_id="r", passed=True, ticket_id="T"),
        ]
        for order in permutations(log):
            fed = Fed(*order)
            assert fed.counts() == {"events": 2}
            assert Counter(row.family for row in fed.rows() if isinstance(row, FactRow)) == {"survey": 1, "review": 1}

    def test_surveys_and_reviews_about_a_ticket_and_a_call_of_one_id_are_two(self) -> None:
        """
        10:00    survey 7, review 7    about ticket 7    about call 7    about neither
        """
        log = []
        for about in ({"ticket_id": "7"}, {"call_id": "7"}, {}):
            response = {**RESPONSE, "survey_id": "7", "ticket_id": None, **about}
            log.append(event(0, "survey.responded", "1", **response))
            log.append(event(0, "review.completed", "1", review_id="7", passed=True, **about))
        rows = Fed(*log).rows()
        assert Counter(row.family for row in rows if isinstance(row, FactRow)) == {"survey": 3, "review": 3}
        for kind in (SurveyRow, ReviewRow):
            about_what = sorted((row.ticket_id, row.call_id) for row in rows if isinstance(row, kind))
            assert about_what == [("", ""), ("", "7"), ("7", "")]

    @pytest.mark.parametrize(("opening", "name"), [("callback.due", "callback_id"), ("action.opened", "action_id")])
    def test_callbacks_and_actions_have_their_own_id_as_key(self, opening: str, name: str) -> None:
        told = decode(msgspec.json.encode(event(0, opening, **{name: "c", "ticket_id": "T"})))
        assert isinstance(told, Event)
        assert told.key() == "c"


class TestSequence:
    ORDER = (None, -1, 9, "10", 100, "", "1a", "9" * 5000, "Z", "a", "é", "\U0001f600")

    def test_numbers_are_numbers_and_texts_are_bytes(self) -> None:
        told = [decode(msgspec.json.encode(event(0, "ticket.created", "e", {"sequence": each}))) for each in self.ORDER]
        keys = [sequence_key(each.sequence) for each in told if isinstance(each, Event)]
        assert keys == sorted(keys)
        assert len(set(keys)) == len(self.ORDER)

    @pytest.mark.parametrize(("first", "second"), [(9, 10), ("9", "10"), (None, 0), ("99", 100), (7, "x")])
    def test_it_orders_the_events_of_one_instant(self, first: Any, second: Any) -> None:
        """
        0 created      5 solved, then open
        """
        log = [event(0, "ticket.created", "c")]
        log.append(event(5, "ticket.status_changed", "z", {"sequence": first}, status="solved"))
        log.append(event(5, "ticket.status_changed", "a", {"sequence": second}, status="open"))
        for order in permutations(log):
            assert Fed(*order).status() == "open"


class TestClosures:
    def test_of_an_unknown_calendar_are_counted_once(self) -> None:
        told: dict[str, Any] = {"calendar": "Office", "from": "2026-10-12T09:00:00Z", "to": "2026-10-12T12:00:00Z"}
        closed = event(0, "desk.closed", **told)
        assert Fed(closed, closed).counts() == {"events": 2, "duplicates": 1, "unknown_calendars": 1}
        assert Fed(event(0, "desk.closed", **{**told, "calendar": "office"})).counts() == {"events": 1}


class TestRelease:
    """
    0 created   5 solved |------- 90 days ------| released       a day later: forgotten
                              late (before it) ──────────────────────── arrives here: marked
    """

    OVER = 5 + 91 * DAY / MINUTE + 1

    def log(self) -> list[dict[str, Any]]:
        return [event(0, "ticket.created", "c"), event(5, "ticket.status_changed", "s", status="solved")]

    def test_what_comes_after_it_is_marked_and_changes_nothing(self) -> None:
        fed = Fed(*self.log(), until=self.OVER)
        before = fed.rows()
        fed.feed(event(10, "ticket.status_changed", "late", status="open"))
        fed.feed(event(5, "sentiment.scored", "old", score=-1.0, ticket_id="T"))
        marked = [row for row in fed.rows() if isinstance(row, ReleasedRow)]
        assert [(row.input_topic, row.offset) for row in marked] == [("tickets", 2), ("signals", 3)]
        assert fed.status() == "solved"
        assert fed.counts()["released"] == 2
        assert [row for row in fed.rows() if not isinstance(row, ReleasedRow) and not isinstance(row, PaneRow)] == [
            row for row in before if not isinstance(row, PaneRow)
        ]

    def test_what_is_timed_after_it_is_not_marked_as_long_as_the_subject_is_held(self) -> None:
        fed = Fed(*self.log(), event(5 + 90 * DAY / MINUTE + 1, "ticket.status_changed", "after", status="open"))
        assert fed.status() == "solved"
        assert "released" not in fed.counts()
