"""Waivers that somebody should look at: about to end, never used, or for something that is not there any more.

What cannot be known is said as such: an empty list of reasons is never "could not look".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pratique.matching import MatchInputs
from pratique.subject import ImageRef
from pratique.waiver import Waiver, written_time

ENDS_SOON = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Target:
    """An object that a waiver may be for."""

    inputs: MatchInputs
    images: tuple[ImageRef, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a waiver stands at one time: `why_not` says why it does not count, `stale` why somebody should look at it,
    `unknown` what of that could not be found out."""

    waiver: Waiver
    why_not: str
    last_used: datetime | None = None
    stale: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def counts(self) -> bool:
        return not self.why_not


def standing(
    waiver: Waiver,
    *,
    now: datetime,
    used: Mapping[str, datetime] | None = None,
    targets: Sequence[Target] | None = None,
) -> Standing:
    """Where `waiver` stands at `now`.

    `used` is when each waiver (by reference) was last used, None where no ledger is there; `targets` are all the
    objects that there are, None where they are not known.
    """
    stale: list[str] = []
    unknown: list[str] = []
    if now >= waiver.expires:
        stale.append(f"it expired at {written_time(waiver.expires)}")
    elif waiver.expires - now <= ENDS_SOON:
        stale.append(f"it ends within {ENDS_SOON.days} days, at {written_time(waiver.expires)}")
    if used is None:
        unknown.append("whether it was ever used is not known: there is no ledger")
    elif waiver.reference not in used:
        stale.append("it was never used, as far back as the ledger goes")
    if targets is None:
        unknown.append("whether what it is for is still there is not known: no objects were named")
    else:
        found = {_covers(waiver, target) for target in targets}
        if "yes" not in found and "unknown" in found:
            unknown.append("whether what it is for is still there is not known: it depends on labels of a namespace")
        elif "yes" not in found:
            stale.append(f"what it is for is gone: it covers none of {len(targets)} objects")
    last = None if used is None else used.get(waiver.reference)
    return Standing(waiver, waiver.why_not(now), last, tuple(stale), tuple(unknown))


def _covers(waiver: Waiver, target: Target) -> str:
    inputs = replace(target.inputs, operation=min(waiver.match.operations, default=""))
    state = waiver.match.matches(inputs).state
    if state == "yes" and not any(waiver.covers(policy, inputs, target.images) for policy in waiver.policies):
        return "no"
    return state
