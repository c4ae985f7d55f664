"""Business time against a walk over every minute, and its laws."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import accumulate, pairwise
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.desk.calendars.business_time import Calendar
from streams.desk.calendars.opening_hours import WEEKDAYS, parse_interval
from streams.models.instants import DAY

MINUTE = 60_000
DAYS = 9
# Zones, and the day in the middle of the walk: DST changes of an hour, of half an hour and at midnight, a day that
# never was, the turn of a year, and a zone without any.
PLACES = [
    ("Europe/Berlin", date(2026, 3, 29)),
    ("Europe/Berlin", date(2026, 10, 25)),
    ("Europe/Berlin", date(2027, 1, 1)),
    ("America/New_York", date(2026, 3, 8)),
    ("America/New_York", date(2026, 11, 1)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("Asia/Beirut", date(2026, 3, 29)),
    ("Asia/Beirut", date(2026, 10, 25)),
    ("Pacific/Apia", date(2011, 12, 30)),
    ("Asia/Shanghai", date(2026, 10, 1)),
    ("Asia/Shanghai", date(2027, 1, 1)),
]


@cache
def reached(zone: str, middle: date) -> tuple[int, list[int]]:
    """The first instant (ms) of the walk and, for each of its minutes, the latest wall time that the clock has reached.

    Wall times are minutes since day 1 of the calendar. Where the clock falls back, what it has reached stays.

        wall      01:59 02:00 .. 02:59 02:00 .. 02:59 03:00
        reached   01:59 02:00 .. 02:59 02:59 .. 02:59 03:00
    """
    start = datetime(middle.year, middle.month, middle.day, tzinfo=UTC) - timedelta(days=DAYS // 2)
    local = ((start + timedelta(minutes=i)).astimezone(ZoneInfo(zone)) for i in range(DAYS * 1440))
    walls = [moment.toordinal() * 1440 + moment.hour * 60 + moment.minute for moment in local]
    return round(start.timestamp() * 1000), list(accumulate(walls, max))


@st.composite
def weeks(draw: st.DrawFn) -> dict[str, list[str]]:
    wall = st.one_of(st.integers(0, 1439), st.sampled_from([0, 60, 90, 120, 150, 180, 540, 720, 810, 1080, 1320]))

    def interval(opens: int, closes: int) -> str:
        return f"{opens // 60:02}:{opens % 60:02}-{closes // 60:02}:{closes % 60:02}"

    pairs = st.tuples(wall, st.one_of(wall, st.just(1440))).filter(lambda pair: pair[0] != pair[1])
    day = st.lists(pairs.map(lambda pair: interval(*pair)), max_size=3)
    return draw(st.fixed_dictionaries(dict.fromkeys(WEEKDAYS, day)).filter(lambda week: any(week.values())))


@st.composite
def walks(draw: st.DrawFn) -> tuple[Calendar, int, list[bool]]:
    """A calendar, the first instant of a walk, and whether each minute of it is open, found by looking at each."""
    zone, middle = draw(st.sampled_from(PLACES))
    week = draw(weeks())
    near = st.integers(-5, 5).map(lambda days: middle + timedelta(days=days))
    off = draw(st.sets(near, max_size=3))
    extra = draw(st.sets(near, max_size=2)) - off
    start, walls = reached(zone, middle)
    minutes = st.integers(0, len(walls))
    closures = draw(st.lists(st.tuples(minutes, minutes), max_size=3))

    open_walls: set[int] = set()
    for ordinal in range(walls[0] // 1440 - 1, walls[-1] // 1440 + 1):
        day = date.fromordinal(ordinal)
        name = "mon" if day in extra else WEEKDAYS[day.weekday()]
        for opens, closes in () if day in off else map(parse_interval, week[name]):
            open_walls.update(range(ordinal * 1440 + opens, ordinal * 1440 + closes))
    closed = {minute for first, last in closures for minute in range(first, last)}
    opened = [wall in open_walls and i not in closed for i, wall in enumerate(walls)]

    calendar = Calendar.weekly(week, zone, sorted(map(str, off)), sorted(map(str, extra)))
    spans = [(start + first * MINUTE, start + last * MINUTE) for first, last in closures]
    return calendar.with_closures(spans), start, opened


@given(walk=walks(), data=st.data())
@settings(max_examples=150, deadline=None)
def test_between_and_due_equal_the_walk_over_every_minute(
    walk: tuple[Calendar, int, list[bool]], data: st.DataObject
) -> None:
    calendar, start, opened = walk
    before = [0, *accumulate(opened)]  # open minutes before each minute
    for _ in range(10):
        a, b = data.draw(st.tuples(st.integers(0, len(opened)), st.integers(0, len(opened))))
        expected = max(0, before[b] - before[a]) * MINUTE
        assert calendar.between(start + a * MINUTE, start + b * MINUTE) == expected
        if a < b and expected:
            due = next(i for i in range(a, b + 1) if before[i] == before[b])
            assert calendar.due(start + a * MINUTE, expected) == start + due * MINUTE


@given(walk=walks())
@settings(max_examples=50, deadline=None)
def test_spans_are_the_open_minutes(walk: tuple[Calendar, int, list[bool]]) -> None:
    calendar, start, opened = walk
    spans = list(calendar.spans(start, start + len(opened) * MINUTE))
    assert all(opens < closes for opens, closes in spans)
    assert all(earlier[1] < later[0] for earlier, later in pairwise(spans))
    minutes = {
        minute for opens, closes in spans for minute in range((opens - start) // MINUTE, (closes - start) // MINUTE)
    }
    assert minutes == {i for i, is_open in enumerate(opened) if is_open}


calendars = st.one_of(
    st.sampled_from(
        [
            Calendar.always("Asia/Shanghai"),
            Calendar.weekly({day: ["09:00-12:00", "13:30-18:00"] for day in WEEKDAYS[:5]}, "Asia/Shanghai", ["CN"]),
            Calendar.weekly({day: ["00:00-24:00"] for day in WEEKDAYS}, "America/New_York"),
            Calendar.weekly({"sat": ["22:00-06:00"]}, "Australia/Lord_Howe", ["AU-NSW"]),
        ]
    ),
    st.builds(Calendar.weekly, weeks(), st.sampled_from([zone for zone, _ in PLACES])),
)
EVENTS = st.integers(631_152_000_000, 4_102_444_800_000)  # 1990 to 2100: the times an event may have
NEARBY = st.integers(1_780_000_000_000, 1_800_000_000_000)
DECADE = st.integers(1_600_000_000_000, 1_900_000_000_000)
durations = st.integers(0, 60 * DAY)
closings = st.lists(st.tuples(NEARBY, st.integers(0, 20 * DAY)).map(lambda s: (s[0], s[0] + s[1])), max_size=5)


@given(calendars, closings, st.lists(NEARBY, min_size=3, max_size=3).map(sorted))
@settings(deadline=None)
def test_between_is_additive_and_bounded(calendar: Calendar, closed: list[tuple[int, int]], times: list[int]) -> None:
    calendar = calendar.with_closures(closed)
    a, b, c = times
    assert calendar.between(a, c) == calendar.between(a, b) + calendar.between(b, c)
    assert 0 <= calendar.between(a, b) <= b - a
    assert calendar.between(b, a) == 0


@given(calendars, closings, NEARBY, durations)
@settings(deadline=None)
def test_due_is_the_earliest_inverse(
    calendar: Calendar, closed: list[tuple[int, int]], start: int, duration: int
) -> None:
    calendar = calendar.with_closures(closed)
    due = calendar.due(start, duration)
    assert calendar.between(start, due) == duration
    assert due == start if duration == 0 else calendar.between(start, due - 1) == duration - 1


@given(calendars, st.lists(EVENTS, min_size=3, max_size=3).map(sorted), durations)
@settings(deadline=None, max_examples=15)
def test_the_laws_hold_from_1990_to_2100(calendar: Calendar, times: list[int], duration: int) -> None:
    a, b, c = times
    assert calendar.between(a, c) == calendar.between(a, b) + calendar.between(b, c)
    assert calendar.between(c, calendar.due(c, duration)) == duration


@given(calendars, closings, NEARBY, durations, durations)
@settings(deadline=None)
def test_due_adds_up(calendar: Calendar, closed: list[tuple[int, int]], start: int, first: int, second: int) -> None:
    calendar = calendar.with_closures(closed)
    if second:  # due(t, 0) = t even where t is closed: so a pause costs nothing
        assert calendar.due(calendar.due(start, first), second) == calendar.due(start, first + second)


@given(calendars, closings, NEARBY, st.integers(1, 20))
@settings(deadline=None)
def test_working_days_are_those_with_a_close(
    calendar: Calendar, closed: list[tuple[int, int]], start: int, n: int
) -> None:
    calendar = calendar.with_closures(closed)
    close = calendar.working_days(start, n)
    assert calendar.between(start, close) > 0
    assert calendar.due(start, calendar.between(start, close)) == close
    assert n == 1 or calendar.working_days(start, n - 1) < close + DAY


@given(weeks(), st.lists(st.tuples(DECADE, durations), min_size=2, max_size=6))
@settings(deadline=None, max_examples=30)
def test_answers_do_not_depend_on_what_was_asked_before(
    week: dict[str, list[str]], questions: list[tuple[int, int]]
) -> None:
    used = Calendar.weekly(week, "Europe/Berlin")
    for start, duration in questions:
        fresh = Calendar.weekly(week, "Europe/Berlin")
        assert used.due(start, duration) == fresh.due(start, duration)
        assert used.between(start, start + duration) == fresh.between(start, start + duration)
        assert used.working_days(start, 3) == fresh.working_days(start, 3)
