"""The warnings of tickets that have one parent escalate as one: one chain leads, the others are folded into it. Pure.

    parent p     raised ──step 1───────────── cleared
    child t1        raised · folded ............ leads ────step 2──── cleared
    child t2             raised · folded .................................. leads ──step 3──>

A family is a rule and a clock of the parent: the warning `sla.breached` of t1/resolution/1 folds into that of
p/resolution/1. Whichever of them is heard of first leads; a graver one takes the lead, and when the leader is cleared
the gravest of those that stand goes on where it stopped. So each message names a warning that stands, and what people
do about any of them is done about the family.
"""

from msgspec.structs import replace

from streams.desk.escalation import chain as chains
from streams.desk.escalation.chain import Chain, Key, Write
from streams.desk.escalation.received_warning import Warned
from streams.desk.policy.versions import Policy

SEVERITY_RANK = {"info": 0, "warning": 1, "critical": 2}


class IncidentGroups:
    """Who leads, and who is folded: known from the `chains` of a partition alone. Keeps `folds` of who leads."""

    def __init__(self, chains: dict[Key, Chain]) -> None:
        self._chains = chains
        self._leads: dict[Key, Key] = {}  # the chain that leads a family, or did last; not here: the parent's
        self._folded: dict[Key, set[Key]] = {}

    def lead(self, family: Key) -> Chain | None:
        """Return the chain that leads a family, or, cleared, did last."""
        return self._chains.get(self._leads.get(family, family))

    def stands(self, chain: Chain) -> None:
        """The chain stands: folded, or at the head of its family."""
        family = chain.warned.family
        if chain.folded:
            self._folded.setdefault(family, set()).add(chain.key)
        elif family != chain.key or family in self._leads:
            self._leads[family] = chain.key
        self._count(family)

    def leave(self, chain: Chain) -> None:
        """The chain is not folded any more."""
        family = chain.warned.family
        if family in self._folded:
            self._folded[family].discard(chain.key)
            if not self._folded[family]:
                del self._folded[family]
            self._count(family)

    def heir(self, family: Key) -> Chain | None:
        """Return who is to lead of those that are folded: the gravest, of these the one that was raised first."""
        folded = (self._chains[key] for key in self._folded.get(family, ()))
        return min(folded, key=_place, default=None)

    def forget(self, chain: Chain) -> None:
        """The chain, cleared, is gone."""
        if self._leads.get(chain.warned.family) == chain.key:
            del self._leads[chain.warned.family]

    def restored(self) -> None:
        """Learn from the chains who leads and who is folded."""

        def since(chain: Chain) -> tuple[bool, int, Key]:
            standing = chain.cleared_at is None
            return standing, chain.warned.raised_at if standing else chain.cleared_at or 0, chain.key

        for chain in sorted(self._chains.values(), key=since):
            if chain.cleared_at is None or not chain.folded:
                self.stands(chain)

    def _count(self, family: Key) -> None:
        lead = self.lead(family)
        if lead is not None:
            lead.folds = len(self._folded.get(family, ()))


def _place(chain: Chain) -> tuple[int, int, Key]:
    """The order in which those that are folded come to lead."""
    return -SEVERITY_RANK.get(chain.warned.severity, 0), chain.warned.raised_at, chain.key


def member(own: Chain | None, warned: Warned, policy: Policy) -> Chain:
    """Return the chain of a warning whose family has one already: its `own` former one, if there is one."""
    if own is None:
        return Chain(warned, warned.raised_at, policy.version, warned.severity, [])
    if own.warned.warning_id != warned.warning_id:
        own.seq, own.escalated = 0, False
    own.warned = warned
    return own


def fold(chain: Chain, lead: Chain, at: int, to: Write) -> None:
    """From `at` on `lead` stands for this chain, whose own steps do not fall due."""
    for step in chain.steps:
        if step.open:
            step.state, step.again_at = "skipped", 0
            chains.write(chain, step, at, to, why="folded")
    chain.folded, chain.cleared_at, chain.exhausted, chain.folds = True, None, False, 0
    chain.acknowledged_at, chain.lapses_at, chain.severity = None, 0, chain.warned.severity
    chains.write(chain, None, at, to, state="folded", why=f"folded into {lead.warned.warning_id}")


def take_over(chain: Chain, lead: Chain, policy: Policy, at: int, to: Write) -> None:
    """The chain leads from `at` on, and goes on where `lead` stopped.

    Its steps get numbers that none of its own had, and those under way count as sent: `lead` says what came of them.
    """
    pause = 0 if lead.cleared_at is None else max(0, at - lead.cleared_at)
    first = max((step.number for step in chain.steps), default=0)
    for step in chain.steps:
        step.state, step.again_at = "skipped" if step.open else step.state, 0
    chain.steps += [
        replace(step, number=first + step.number, state="sent" if step.state == "sending" else step.state)
        for step in lead.steps
    ]
    chain.folded, chain.cleared_at, chain.exhausted, chain.stopped = False, None, lead.exhausted, lead.stopped
    chain.severity, chain.policy_version, chain.began_at = lead.severity, lead.policy_version, lead.began_at + pause
    chain.acknowledged_at = None if lead.acknowledged_at is None else lead.acknowledged_at + pause
    chain.lapses_at = lead.lapses_at + pause if lead.lapses_at else 0
    chain.done = [*chain.done, *(each for each in lead.done if each not in chain.done)]
    chains.write(chain, None, at, to, state="leads", why=f"goes on for {lead.warned.warning_id}")
    chains.resume(chain, at, to)
    if chain.warned.severity != chain.severity:
        chains.replan(chain, policy, at, to)
