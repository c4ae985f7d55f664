"""The number of queries per second of a calendar."""

import time
from collections.abc import Callable

import pytest

from streams.desk.calendars.business_time import Calendar
from streams.desk.calendars.opening_hours import WEEKDAYS
from streams.models.instants import DAY

pytestmark = pytest.mark.bench

START = 1_780_000_000_000
QUESTIONS = [(START + i * 7_919_000 % (300 * DAY), i * 104_729 % (3 * DAY)) for i in range(200_000)]
OFFICE = Calendar.weekly({day: ["09:00-12:00", "13:30-18:00"] for day in WEEKDAYS[:5]}, "Asia/Shanghai", ["CN"])


def rate(question: Callable[[int, int], int]) -> float:
    """Questions a second, the first years already worked out."""
    question(*QUESTIONS[0])
    begun = time.perf_counter()
    for a, b in QUESTIONS:
        question(a, b)
    return len(QUESTIONS) / (time.perf_counter() - begun)


@pytest.mark.parametrize(
    "calendar",
    [OFFICE, OFFICE.with_closures([(START + DAY, START + 2 * DAY)]), Calendar.always()],
    ids=["office", "closed", "always"],
)
def test_two_hundred_thousand_questions_a_second(calendar: Calendar) -> None:
    between, due = rate(lambda a, b: calendar.between(a, a + b)), rate(calendar.due)
    print(f"between {between:,.0f}/s, due {due:,.0f}/s")
    assert min(between, due) > 200_000


def test_a_century_is_worked_out_in_a_second_or_two() -> None:
    begun = time.perf_counter()
    OFFICE.with_closures([(0, 1)]).between(631_152_000_000, 4_102_444_800_000)
    assert time.perf_counter() - begun < 5
