"""The first version in which two policies differ, a sentence about it, and what depends on it."""

import tomllib
from itertools import zip_longest
from typing import Any

from streams.desk.policy.rules import RULE_SUBJECTS
from streams.desk.policy.versions import Policies, Policy
from streams.models.instants import format_instant

SECTIONS_WITHOUT_ROWS = ("goals", "receivers")
"""Sections that change no row."""


def difference(followed: Policies, given: Policies, until: int) -> str | None:
    """The first difference between two policies up to the instant `until` (ms), as a clause; None: no difference."""
    old, new = _first_pair(followed, given, until)
    if old is None and new is None:
        return None
    if old is not None and old.version not in {policy.version for policy in given.versions}:
        return f"The policy version {old.version}, in force up to now, is gone"
    if old is not None and new is not None and new.version == old.version:
        return f"The policy version {new.version} ({new.file}), in force up to now, was changed"
    if new is None:
        assert old is not None
        return f"The policy version {old.version}, in force up to now, takes effect later"
    since = "" if new.effective_from is None else f", from {format_instant(new.effective_from)} on"
    return f"The policy version {new.version} ({new.file}) takes effect in the past{since}"


def differs_since(followed: Policies, given: Policies, until: int) -> int:
    """The first instant at which two policies differ, given that they do by `until`; -1: from the start."""
    pair = _first_pair(followed, given, until)
    return min(-1 if version.effective_from is None else version.effective_from for version in pair if version)


def same_timezones(followed: Policies, given: Policies) -> bool:
    """Whether two policies have the same time zones."""
    return {policy.timezone for policy in followed.versions} == {policy.timezone for policy in given.versions}


def has_window_rules(policies: Policies, since: int, until: int) -> bool:
    """Whether a version in force in [since, until] has a window rule."""
    return any(
        rule.rule in RULE_SUBJECTS
        for version in policies.versions[policies.switched(since) : policies.switched(until) + 1]
        for rule in version.rules
    )


def _first_pair(followed: Policies, given: Policies, until: int) -> tuple[Policy | None, Policy | None]:
    """The first versions in force by `until` that differ; None: no further version; both None: no difference."""
    before = followed.versions[: followed.switched(until) + 1]
    after = given.versions[: given.switched(until) + 1]
    for old, new in zip_longest(before, after):
        if old is None or new is None or _meaning(old) != _meaning(new):
            return old, new
    return None, None


def _meaning(policy: Policy) -> dict[str, Any]:
    """What a version says: without comments, and without the sections that change no row."""
    sections = tomllib.loads(policy.text)
    return {name: section for name, section in sections.items() if name not in SECTIONS_WITHOUT_ROWS}
