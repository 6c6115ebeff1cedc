"""Signatures by keys that a signer keeps: which key it is, and whether it was good then."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from attestations.bundle import Material
from attestations.evidence import Reason
from attestations.refusal import Refusal
from attestations.timestamps import check_timestamp
from attestations.transparency import Claim, check_entry, is_known
from attestations.trust import LogUse, Signer, TrustedKey
from attestations.trusted_root import TrustedRoot

KeyUses = tuple[tuple[Signer, TrustedKey], ...]
"""Whose a key is: more than one signer may list it."""


def uses_of_keys(signers: Iterable[Signer]) -> Mapping[str, KeyUses]:
    """The trusted keys by id, each with whose it is."""
    uses: dict[str, KeyUses] = {}
    for signer in signers:
        for key in signer.keys:
            uses[key.id] = (*uses.get(key.id, ()), (signer, key))
    return uses


def proven_time(material: Material, roots: Collection[TrustedRoot], claim: Claim) -> tuple[datetime | None, bool]:
    """When the signature that `claim` tells of existed, None where nothing proves it; and whether it is in a log.

    Logs and authorities that none of `roots` has prove nothing, and are passed over: the key vouches for the signature.

    Raises:
        Refusal: an entry of a log that is trusted does not hold, so somebody altered it.
    """
    times = [time for reply in material.timestamps if (time := _stamped(reply, roots, claim)) is not None]
    stamped = min(times, default=None)
    logged = False
    for entry in material.entries:
        for root in roots:
            if is_known(entry, root):
                time = check_entry(entry, root, claim, stamped=stamped)
                logged = True
                times += [] if time is None else [time]
                break
    return min(times, default=None), logged


def _stamped(reply: bytes, roots: Collection[TrustedRoot], claim: Claim) -> datetime | None:
    for root in roots:
        try:
            return check_timestamp(reply, root, claim.stamped)
        except Refusal as refusal:
            if refusal.reason is not Reason.TRUST_ROOT:
                raise
    return None


def check_not_revoked(key: TrustedKey) -> None:
    """Raises: Refusal."""
    if key.revoked:
        raise Refusal(Reason.REVOKED_KEY, f"it is signed with the key {key.name} ({key.id}), which is revoked")


def check_use(key: TrustedKey, *, at: datetime | None, logged: bool, now: datetime) -> None:
    """Ensure that a signature by `key` counts that was made `at` a proven time, or is no older than it is known (None).

    Raises:
        Refusal: it does not.
    """
    check_not_revoked(key)
    if key.log is LogUse.REQUIRED and not logged:
        raise Refusal(
            Reason.NOT_IN_LOG, f"a signature with the key {key.name} has to be in a transparency log that is trusted"
        )
    time = now if at is None else at
    if (key.valid_from is not None and time < key.valid_from) or (
        key.valid_until is not None and time > key.valid_until
    ):
        start = "always" if key.valid_from is None else key.valid_from.isoformat()
        end = "for ever" if key.valid_until is None else key.valid_until.isoformat()
        when = f"is of {time.isoformat()}" if at is not None else "has no proven time, so that now counts"
        raise Refusal(Reason.EXPIRED, f"the key {key.name} is good from {start} to {end}, and the signature {when}")
