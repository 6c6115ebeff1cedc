"""When a signature existed, proven by a time stamp authority (RFC 3161).

The reply is verified by `rfc3161-client`: status, the CMS signature of the token (RFC 5652 5.6), the chain from the
authority's certificate to its root at the time of the stamp, the extended key usage (RFC 3161 2.3), the imprint.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from attestations.evidence import Reason
from attestations.public_keys import ASN1_ERRORS
from attestations.refusal import Refusal
from attestations.trusted_root import Authority, TrustedRoot

if TYPE_CHECKING:
    from rfc3161_client import Verifier

MAX_REPLY_BYTES = 64 * 1024
"""Protects the parser of ASN.1: a reply with its certificates has about 5 kB."""


def check_timestamp(reply: bytes, root: TrustedRoot, stamped: bytes) -> datetime:
    """When `stamped` (a signature) existed, as `reply` proves.

    Raises:
        Refusal: it proves nothing to who trusts `root`.
    """
    from rfc3161_client import VerificationError, decode_timestamp_response

    if len(reply) > MAX_REPLY_BYTES:
        raise Refusal(Reason.TOO_LARGE, f"a time stamp has more than {MAX_REPLY_BYTES} bytes, and is not read")
    try:
        decoded = decode_timestamp_response(reply)
        time = decoded.tst_info.gen_time.astimezone(UTC)
    except (*ASN1_ERRORS, OverflowError) as error:
        raise Refusal(Reason.MALFORMED, "a time stamp is not a reply as RFC 3161 has them") from error
    if not root.timestamp_authorities:
        raise Refusal(Reason.TRUST_ROOT, "there is a time stamp, and the trust root has no authority for those")
    for authority in root.timestamp_authorities:
        try:
            _verifier(authority).verify_message(decoded, stamped)
        except (VerificationError, *ASN1_ERRORS):
            continue
        if time in authority.period:
            return time
    raise Refusal(
        Reason.TRUST_ROOT, "the time stamp is not for this signature, or not by an authority of the trust root"
    )


def _verifier(authority: Authority) -> Verifier:
    from rfc3161_client import VerifierBuilder

    signer, *above = authority.chain
    builder = VerifierBuilder(tsa_certificate=signer, roots=[authority.chain[-1]], intermediates=above[:-1])
    return builder.build()
