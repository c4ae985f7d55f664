"""Who is told: what a policy's escalation chains, receivers, rotas and expert pools may say of each other."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from streams.desk.policy_sections import Escalation, Pool, Receiver, Rota

EXPERTS = "experts"
"""The step's `to` that stands for the pool whose tags the warning has."""


def people_faults(
    chains: Sequence[Escalation],
    receivers: Mapping[str, Receiver],
    rotas: Mapping[str, Rota],
    experts: Mapping[str, Pool],
) -> Iterator[tuple[str, str]]:
    """Yield (key, what was expected) for names that nobody has, or that two have."""
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
