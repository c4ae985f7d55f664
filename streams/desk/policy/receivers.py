"""A policy's escalation chains, receivers, rotas and expert pools, and the check of their references."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Literal

from msgspec import Meta

from streams.desk.policy.rules import RuleName, Severity
from streams.desk.policy.sections import WEEKDAYS, Name, Section, Values, Weekday
from streams.desk.policy.values import Interval, Milliseconds, TimeZone

EXPERTS = "experts"
"""The value of a step's `to` for the pool whose tags match the warning."""


class Step(Section, frozen=True):
    """A step of an escalation chain: the delay after the warning, the target, and the number and interval of repeats.

    `to` names a receiver, a rota (whoever is on shift), or is "experts": the pool that matches the warning.
    """

    after_ms: Milliseconds
    to: Name
    repeat: Annotated[int, Meta(ge=1, le=100)] = 1
    every_ms: Milliseconds = Milliseconds(900_000)


class Escalation(Section, frozen=True):
    """[[escalation]]: the chain for warnings of these severities (and, if given, of these rules); the first one wins.

    `acknowledged_for`: how long an acknowledgement holds while the warning is open; by default, for good.
    """

    severity: Annotated[tuple[Severity, ...], Meta(min_length=1)]
    steps: Annotated[tuple[Step, ...], Meta(min_length=1)]
    rules: Annotated[tuple[RuleName, ...], Meta(min_length=1)] | None = None
    acknowledged_for_ms: Milliseconds | None = None


class Receiver(Section, frozen=True):
    """[receivers]: `url_env` names the environment variable that holds its Apprise URL; `hours` a calendar.

    At most `burst` messages in `digest_every`; the rest go into one digest. `idempotent`: the receiver deduplicates
    messages by id, so one that may have arrived may be sent again.
    """

    url_env: Name
    language: Literal["zh", "en"] = "en"
    hours: str | None = None
    idempotent: bool = False
    burst: Annotated[int, Meta(ge=1)] = 5
    digest_every_ms: Milliseconds = Milliseconds(120_000)


class Shift(Section, frozen=True):
    """A shift of a rota: its receiver, days and hours; one over midnight belongs to the day it starts."""

    to: Name
    hours: Interval = Interval("00:00-24:00")
    days: Annotated[tuple[Weekday, ...], Meta(min_length=1)] = WEEKDAYS


class Rota(Section, frozen=True):
    """[rotas.NAME]: shifts over the week, of which the first match wins; in a gap, `otherwise`, if given."""

    shifts: Annotated[tuple[Shift, ...], Meta(min_length=1)]
    timezone: TimeZone | None = None
    otherwise: Name | None = None


class Pool(Section, frozen=True):
    """[experts]: the experts for these tags; the members rotate."""

    tags: Values
    members: Values


def people_faults(
    chains: Sequence[Escalation],
    receivers: Mapping[str, Receiver],
    rotas: Mapping[str, Rota],
    experts: Mapping[str, Pool],
) -> Iterator[tuple[str, str]]:
    """Yield (key, what was expected) for undefined or duplicate names."""
    for name, receiver in receivers.items():
        if name in rotas or name == EXPERTS:
            yield f"receivers.{name}", "expected a name that no rota has, and not the word experts"
        if receiver.digest_every_ms == 0:
            yield f"receivers.{name}.digest_every", "expected more than 0"
    for i, chain in enumerate(chains):
        for j, step in enumerate(chain.steps):
            at = f"escalation[{i}].steps[{j}]"
            if step.to == EXPERTS and not experts:
                yield f"{at}.to", "expected a table [experts] in the file, found none"
            elif step.to != EXPERTS and step.to not in receivers and step.to not in rotas:
                yield f"{at}.to", _expected(step.to, [*receivers, *rotas, EXPERTS])
            if step.repeat > 1 and step.every_ms == 0:
                yield f"{at}.every", "expected more than 0 beside repeat"
    for name, rota in rotas.items():
        if rota.otherwise is not None and rota.otherwise not in receivers:
            yield f"rotas.{name}.otherwise", _expected(rota.otherwise, receivers)
        for i, shift in enumerate(rota.shifts):
            if shift.to not in receivers:
                yield f"rotas.{name}.shifts[{i}].to", _expected(shift.to, receivers)
    for name, pool in experts.items():
        for i, member in enumerate(pool.members):
            if member not in receivers:
                yield f"experts.{name}.members[{i}]", _expected(member, receivers)


def _expected(found: str, names: Iterable[str]) -> str:
    return f'expected one of {", ".join(names) or "the receivers (none is defined)"}; found "{found}"'
