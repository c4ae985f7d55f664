"""The receiver of a due step, its earliest send time, and the message. Pure."""

from collections.abc import Collection, Sequence
from hashlib import blake2b
from typing import NamedTuple

from streams.desk.escalation.chain import FAILED, Chain, Step
from streams.desk.escalation.notification import Renderer, render_digest, render_notification
from streams.desk.escalation.rota import on_shift
from streams.desk.policy.receivers import EXPERTS, Receiver
from streams.desk.policy.versions import Policy
from streams.models.rows import WarningRow


class Due(NamedTuple):
    """A due step, and its chain."""

    chain: Chain
    step: Step


class Message(NamedTuple):
    """A message to a receiver. `id` is `warning_id/step`, or a digest's id; a digest lists the ids of its steps."""

    receiver: str
    url_env: str
    id: str
    digest: str
    title: str
    body: str
    steps: tuple[Due, ...]


class Addressee(NamedTuple):
    """The receiver and the earliest send time, or the `reason` for skipping the step."""

    receiver: str
    opens_at: int = 0
    reason: str = ""


def addressee(step: Step, warning: WarningRow, policy: Policy, at: int, addresses: Collection[str]) -> Addressee:
    """Return the addressee of a step at the instant `at`.

    `addresses`: the variables (`url_env`) that are set.
    """
    receiver, reason = _chosen(step, warning, policy, at)
    if reason:
        return Addressee(receiver, reason=reason)
    described = policy.receivers.get(receiver)
    if described is None:
        return Addressee(receiver, reason=f"the policy has no receiver {receiver}")
    if described.url_env not in addresses:
        return Addressee(receiver, reason=f"no address: {described.url_env} is not set")
    return Addressee(receiver, opens_at(described, policy, at))


def opens_at(receiver: Receiver, policy: Policy, at: int) -> int:
    """Return the first instant from `at` on within the receiver's hours."""
    if receiver.hours is None:
        return at
    return policy.calendars[receiver.hours].due(at, 1) - 1  # the first open millisecond


def _chosen(step: Step, warning: WarningRow, policy: Policy, at: int) -> tuple[str, str]:
    """Resolve the step's `to` at the instant `at`: the receiver, or "" and the reason."""
    if step.state == FAILED:
        return step.receiver, ""  # a retry goes to the same receiver
    if step.to in policy.rotas:
        found = on_shift(policy.rotas[step.to], at, policy.timezone)
        return (found, "") if found is not None else ("", f"nobody is on shift in {step.to}")
    if step.to != EXPERTS:
        return step.to, ""
    tags = _tags(warning)
    for pool in policy.experts.values():
        if tags.intersection(pool.tags):
            first = int.from_bytes(blake2b(warning.warning_id.encode(), digest_size=4).digest(), "big") + step.turn
            turns = [pool.members[(first + n) % len(pool.members)] for n in range(len(pool.members))]
            available = (name for name in turns if opens_at(policy.receivers[name], policy, at) <= at)
            return next(available, turns[0]), ""
    return "", "no expert pool has a tag of the warning"


def _tags(warning: WarningRow) -> set[str]:
    """The tags by which expert pools match the warning."""
    about = (
        warning.rule,
        warning.team,
        warning.kind,
        warning.segment,
        warning.category,
        warning.product,
        warning.value,
    )
    return {*filter(None, about)}


def message_of(due: Sequence[Due], receiver: str, digest: str, policy: Policy, board_url: str) -> Message:
    """Return the message for these steps, in the receiver's language: a digest if `digest` (its id) is not ""."""
    described = policy.receivers.get(receiver)
    language = "en" if described is None else described.language
    renderer = Renderer(language, policy.timezone, board_url)
    entries = [(each.chain.warning, f"{each.chain.warning.warning_id}/{each.step.number}") for each in due]
    if digest:
        title, body = render_digest(entries, digest, renderer)
    else:
        title, body = render_notification(*entries[0], renderer, due[0].chain.folds)
    url_env = "" if described is None else described.url_env
    return Message(receiver, url_env, digest or entries[0][1], digest, title, body, tuple(due))
