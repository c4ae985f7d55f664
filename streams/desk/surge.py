"""Surges: a contact reason far over what that hour of that weekday usually brings.

A window's contacts are compared with the same window of up to four weeks before, half an hour on either side included
(the reference windows of Farrington et al. 1996); while there are fewer than two such weeks, with the same hours of the
days before as well:

    week -2   ....[=======|window|===]....      references: whole quarters of an hour
    week -1   ....[=======|window|===]....
    now                   |window|              expected: the references' mean, a window long

What is expected is a negative binomial: its mean is the references', its variance the mean's times the dispersion, plus
what few references leave uncertain (Noufaily et al. 2013 take the same quantile; with dispersion 1 it is the posterior
predictive of the Bayes system of Riebler 2004, Gamma(1/2, 0) before any contact). The dispersion is how much more than
Poisson's the same half-hours of two weeks differ. The verdict is in powers of ten: a surprise of 4 is a count as high
as this, or higher, once in ten thousand windows.

C. P. Farrington et al., A statistical algorithm for the early detection of outbreaks of infectious disease. JRSS A 159
(1996) 547-563. A. Noufaily et al., An improved algorithm for outbreak detection in multiple surveillance systems.
Statistics in Medicine 32 (2013) 1206-1222. A. Riebler, as `algo.bayes` of the R package surveillance.
"""

from datetime import datetime, timedelta
from math import lgamma, log, log10
from typing import NamedTuple
from zoneinfo import ZoneInfo

from streams.desk.policy_sections import Rule
from streams.desk.rules import Verdict, limits, width
from streams.models.instants import DAY, HOUR

QUARTER = HOUR // 4
WEEK = 7 * DAY
WEEKS = 4  # how far the usual looks back
FEW_WEEKS = 2  # with fewer, the days before count as well
AROUND = HOUR // 2  # of a reference, before and after the window
KEPT = WEEKS * WEEK + 2 * DAY  # of the usual: the references, and what may come late
HALF_HOUR = 2  # quarters
FAR, NEAR = 1.5, 1.25  # times the usual: to be raised a surge is above the one, below the other it is over


class Expected(NamedTuple):
    """What a window should bring: `mean` contacts, from `windows` reference windows, `dispersion` times Poisson's variance."""

    mean: float
    windows: float
    dispersion: float

    def surprise(self, n: int) -> float:
        """How unlikely `n` contacts or more are: -log10 of their probability."""
        p = 1 / (self.dispersion * (1 + 1 / self.windows))
        return -log10_tail(n, self.mean * p / (1 - p), p)


def judge_surge(rule: Rule, usual: "Usual", category: str, at: int, contacts: int, zone: ZoneInfo) -> Verdict:
    """Judge the contacts of the window that ends at `at`: raised and over by surprise, and by times the usual."""
    window, (raise_at, clear_at) = width(rule), limits(rule)
    expected = usual.expected(category, at, window, zone)
    if expected is None or contacts <= NEAR * expected.mean:
        return Verdict(False, True, {}, waits=True)
    expected = expected._replace(dispersion=usual.dispersion(category, at))
    surprise = expected.surprise(contacts)
    measures = {
        "value": surprise,
        "n": contacts,
        "usual": expected.mean,
        "dispersion": expected.dispersion,
        "raise_at": raise_at,
        "clear_at": clear_at,
        "window_s": window // 1000,
    }
    raised = contacts >= max(rule.min_n, FAR * expected.mean) and surprise > raise_at
    return Verdict(raised, surprise < clear_at, measures, waits=True)


class Usual:
    """Contacts by category and quarter of an hour. `changed`: (category, day) to be written at the next checkpoint."""

    def __init__(self) -> None:
        self.days: dict[str, dict[int, dict[int, int]]] = {}  # category -> day -> quarter -> contacts
        self.since: int | None = None  # the first quarter with any contact at all
        self.changed: set[tuple[str, int]] = set()

    def add(self, category: str, minute: int, n: int) -> None:
        """Count contacts of a minute (ms), or take them back (n < 0)."""
        quarter = minute // QUARTER
        if self.since is None or quarter < self.since:
            self.since = quarter
        day = minute // DAY
        quarters = self.days.setdefault(category, {}).setdefault(day, {})
        quarters[quarter] = quarters.get(quarter, 0) + n
        self.changed.add((category, day))

    def put_away(self, before: int) -> list[tuple[str, int]]:
        """Forget the days that end before an instant; returns them with their categories."""
        gone = [(category, day) for category, days in self.days.items() for day in days if (day + 1) * DAY <= before]
        for category, day in gone:
            days = self.days[category]
            del days[day]
            if not days:
                del self.days[category]
            self.changed.discard((category, day))
        return gone

    def expected(self, category: str, at: int, width: int, zone: ZoneInfo) -> Expected | None:
        """What the window [at - width, at) should bring; None while the record is too short to say."""
        contacts, quarters, weeks = 0, 0, 0
        for days in (7, 14, 21, 28):
            if (found := self._reference(category, at, width, days, zone)) is not None:
                contacts, quarters, weeks = contacts + found[0], quarters + found[1], weeks + 1
        for days in range(1, 7) if weeks < FEW_WEEKS else ():
            if (found := self._reference(category, at, width, days, zone)) is not None:
                contacts, quarters = contacts + found[0], quarters + found[1]
        if not quarters:
            return None
        windows = quarters * QUARTER / width
        return Expected((contacts + 0.5) / windows, windows, 1.0)

    def dispersion(self, category: str, at: int) -> float:
        """How many times Poisson's the variance is: the half-hours of a week, up to the day before, and a week earlier.

        Of two Poisson counts a, b of one mean, (a - b)² is expected to be a + b. A record shorter than two weeks
        compares day with day. At least 1.
        """
        if self.since is None:
            return 1.0
        end = at // QUARTER - DAY // QUARTER
        week = WEEK // QUARTER
        lag = week if end - 2 * week >= self.since else DAY // QUARTER
        days = self.days.get(category, {})
        squares = total = 0
        for first in range(max(end - week, self.since + lag), end - HALF_HOUR + 1, HALF_HOUR):
            a = _between(days, first, first + HALF_HOUR)
            b = _between(days, first - lag, first - lag + HALF_HOUR)
            squares += (a - b) ** 2
            total += a + b
        return max(1.0, squares / total) if total else 1.0

    def _reference(self, category: str, at: int, width: int, days: int, zone: ZoneInfo) -> tuple[int, int] | None:
        """Contacts and quarters of the reference so many days before, at the same time of the wall; None before the record."""
        then = _days_before(at, days, zone)
        first, last = (then - width - AROUND) // QUARTER, (then + AROUND) // QUARTER
        if self.since is None or first < self.since:
            return None
        return _between(self.days.get(category, {}), first, last), last - first


def _between(days: dict[int, dict[int, int]], first: int, last: int) -> int:
    """Contacts of the quarters [first, last)."""
    a_day = DAY // QUARTER
    quarters = days.get(first // a_day)
    if first // a_day == (last - 1) // a_day:
        return sum(quarters.get(quarter, 0) for quarter in range(first, last)) if quarters else 0
    return sum(days.get(quarter // a_day, {}).get(quarter, 0) for quarter in range(first, last))


def _days_before(at: int, days: int, zone: ZoneInfo) -> int:
    local = datetime.fromtimestamp(at // 1000, zone) - timedelta(days=days)
    return int(local.timestamp()) * 1000


def log10_tail(n: int, shape: float, p: float) -> float:
    """log10 of the probability of `n` or more in a negative binomial with mean shape * (1 - p) / p.

    The terms from n on, relative to the first, add up without underflow.
    """
    if n <= 0:
        return 0.0
    first = lgamma(n + shape) - lgamma(shape) - lgamma(n + 1) + shape * log(p) + n * log(1 - p)
    term = total = 1.0
    k = n
    while term > total * 1e-12 and k < n + 100_000:
        term *= (k + shape) / (k + 1) * (1 - p)
        total += term
        k += 1
    return min(0.0, first / log(10) + log10(total))
