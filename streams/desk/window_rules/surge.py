"""Surges: a contact reason far over what that hour of that weekday usually brings.

A window's contacts are compared with the same window of up to four weeks before, half an hour on either side included
(the reference windows of Farrington et al. 1996); while there are fewer than two such weeks, with the same hours of the
days before as well:

    week -2   ....[=======|window|===]....      references: whole quarters of an hour
    week -1   ....[=======|window|===]....
    now                   |window|              expected: the references' mean, a window long

What is expected is a negative binomial: its mean is the references' (or, if that is more, that of the windows alone: at
opening time what lies around them is less), its variance the mean's times the dispersion, plus
what few references leave uncertain (Noufaily et al. 2013 take the same quantile; with dispersion 1 it is the posterior
predictive of the Bayes system of Riebler 2004, Gamma(1/2, 0) before any contact). The dispersion is how much more than
Poisson's the same half-hours of two weeks differ. The verdict is in powers of ten: a surprise of 4 is a count as high
as this, or higher, once in ten thousand windows.

C. P. Farrington et al., A statistical algorithm for the early detection of outbreaks of infectious disease. JRSS A 159
(1996) 547-563. A. Noufaily et al., An improved algorithm for outbreak detection in multiple surveillance systems.
Statistics in Medicine 32 (2013) 1206-1222. A. Riebler, as `algo.bayes` of the R package surveillance.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from math import lgamma, log, log10
from statistics import median
from typing import NamedTuple
from zoneinfo import ZoneInfo

from streams.desk.policy.rules import Rule
from streams.desk.window_rules.measures import Verdict, limits, width
from streams.models.instants import DAY, HOUR, QUARTER, WEEK

WEEKS = 4  # how far the usual looks back
FEW_WEEKS = 2  # with fewer, the days before count as well
AROUND = HOUR // 2  # of a reference, before and after the window
KEPT = WEEKS * WEEK + 2 * DAY  # of the usual: the references, and what may come late
HALF_HOUR, A_DAY = 2, DAY // QUARTER  # quarters
FAR, NEAR = 1.5, 1.25  # times the usual: to be raised a surge is above the one, below the other it is over


class Expected(NamedTuple):
    """What a window should bring: `mean` contacts, by so many reference `windows`; variance is `dispersion` means."""

    mean: float
    windows: float
    dispersion: float

    def surprise(self, n: int) -> float:
        """How unlikely `n` contacts or more are: -log10 of their probability."""
        p = 1 / (self.dispersion * (1 + 1 / self.windows))
        return -log10_tail(n, self.mean * p / (1 - p), p)


def judge_surge(rule: Rule, usual: "Baseline", category: str, at: int, contacts: int, zone: ZoneInfo) -> Verdict:
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


class Baseline:
    """Contacts by category and quarter of an hour. `changed`: (category, day) to be written at the next checkpoint."""

    def __init__(self) -> None:
        self.days: dict[str, dict[int, dict[int, int]]] = {}  # category -> day -> quarter -> contacts
        self.since: int | None = None  # the first quarter with any contact at all
        self.changed: set[tuple[str, int]] = set()

    def add(self, category: str, minute: int, n: int) -> None:
        """Count contacts of a minute (ms), or take them back (n < 0); without a category they only begin the record."""
        quarter = minute // QUARTER
        if self.since is None or quarter < self.since:
            self.since = quarter
        if not category:
            return
        day = minute // DAY
        quarters = self.days.setdefault(category, {}).setdefault(day, {})
        quarters[quarter] = quarters.get(quarter, 0) + n
        self.changed.add((category, day))

    def begin(self, minutes: Iterable[int]) -> None:
        """Let the record begin with the first of these minutes (ms)."""
        self.since = min((minute // QUARTER for minute in minutes), default=None)

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
        found: list[_Reference] = []
        for days in (7, 14, 21, 28):
            found += self._reference(category, at, width, days, zone)
        for days in range(1, 7) if len(found) < FEW_WEEKS else ():
            found += self._reference(category, at, width, days, zone)
        if not found:
            return None
        windows = sum(each.quarters for each in found) * QUARTER / width
        around = (sum(each.contacts for each in found) + 0.5) / windows
        within = sum(each.within for each in found) * width / (sum(each.quarters_within for each in found) * QUARTER)
        return Expected(max(around, within), windows, 1.0)

    def dispersion(self, category: str, at: int) -> float:
        """How many times Poisson's the variance is: the half-hours of a week, up to the day before, and a week earlier.

        Of two Poisson counts a, b of one mean, (a - b)² is expected to be a + b. The median of the seven days counts:
        a holiday, an outage or a surge is one day. A record shorter than two weeks compares day with day. At least 1.
        """
        if self.since is None:
            return 1.0
        end = at // QUARTER - A_DAY
        lag = 7 * A_DAY if end - 14 * A_DAY >= self.since else A_DAY
        days, found = self.days.get(category, {}), []
        for last in range(end, max(end - 7 * A_DAY, self.since + lag), -A_DAY):
            squares = total = 0
            for first in range(max(last - A_DAY, self.since + lag), last - HALF_HOUR + 1, HALF_HOUR):
                a = _between(days, first, first + HALF_HOUR)
                b = _between(days, first - lag, first - lag + HALF_HOUR)
                squares += (a - b) ** 2
                total += a + b
            if total:
                found.append(squares / total)
        return max(1.0, median(found)) if found else 1.0

    def _reference(self, category: str, at: int, width: int, days: int, zone: ZoneInfo) -> list["_Reference"]:
        """The reference so many days before, at the same time of the wall; none before the record."""
        then = _days_before(at, days, zone)
        first, last = (then - width - AROUND) // QUARTER, (then + AROUND) // QUARTER
        if self.since is None or first < self.since:
            return []
        counts, begin, end = self.days.get(category, {}), (then - width) // QUARTER, -(-then // QUARTER)
        return [_Reference(_between(counts, first, last), last - first, _between(counts, begin, end), end - begin)]


class _Reference(NamedTuple):
    """Contacts and quarters of the window with what lies around it, and of the window alone."""

    contacts: int
    quarters: int
    within: int
    quarters_within: int


def _between(days: dict[int, dict[int, int]], first: int, last: int) -> int:
    """Contacts of the quarters [first, last)."""
    quarters = days.get(first // A_DAY)
    if first // A_DAY == (last - 1) // A_DAY:
        return sum(quarters.get(quarter, 0) for quarter in range(first, last)) if quarters else 0
    return sum(days.get(quarter // A_DAY, {}).get(quarter, 0) for quarter in range(first, last))


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
