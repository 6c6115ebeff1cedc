"""Signatures by a certificate that says who signed: Fulcio's identity and issuer, a log's or an authority's time.

What is checked, and where it is written (sigstore client-spec, section 4; sigstore_bundle.proto):

1. times at which the signature existed: of log entries that the log promised, of time stamps; at least one
2. the certificate comes from the trust root, and was valid at each of these times
3. a log of certificates promised to show the certificate, if the trust root has such logs
4. a transparency log shows this very signature, if the trust root has such logs
5. the signature is by the certificate's key

The sigstore library verifies the same bundle again, and has to agree, wherever it can read it: it refuses bundles
without a log entry, entries without proof, keys that are not on P-256, and all layouts from before there were bundles.
So our checks give the reason in our words, and no mistake in one of the two lets in what both can read.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

import orjson
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from attestations.bundle import LogEntry, Material
from attestations.certificates import Leaf, check_logged, check_path
from attestations.evidence import Reason
from attestations.public_keys import ASN1_ERRORS, PublicKey
from attestations.refusal import Refusal, quoted
from attestations.timestamps import check_timestamp
from attestations.transparency import Claim, check_entry, is_known
from attestations.trust import TrustRoot
from attestations.trusted_root import MEDIA_TYPES, TrustedRoot
from pratique.dsse import Envelope

if TYPE_CHECKING:
    from sigstore.verify import Verifier

_LIBRARY_READS = {("hashedrekord", "0.0.1"), ("hashedrekord", "0.0.2"), ("dsse", "0.0.1")}
"""The kinds of log entries that the library understands (sigstore.verify.verifier)."""


def check_material(leaf: Leaf, material: Material, claim: Claim, root: TrustedRoot) -> datetime:
    """When the signature that `claim` tells of existed, at the latest, by a certificate that `root` vouches for.

    Raises:
        Refusal: it does not hold. That the signature is by the key of `leaf` is for the caller to check.
    """
    # 1. and 4. Entries of logs that the trust root does not have prove nothing, and do no harm beside one that does.
    known = [entry for entry in material.entries if is_known(entry, root)]
    if root.logs and not known:
        raise Refusal(Reason.NOT_IN_LOG, "the signature is in no transparency log that the trust root has")
    stamps = [check_timestamp(reply, root, claim.stamped) for reply in material.timestamps]
    stamped = min(stamps, default=None)
    times = stamps + [time for entry in known if (time := check_entry(entry, root, claim, stamped=stamped)) is not None]
    if not times:
        raise Refusal(Reason.NOT_IN_LOG, "nothing proves when it was signed: no promise of a log, and no time stamp")
    # 2.
    issuers = [check_path(leaf, root, time) for time in times]
    # 3.
    check_logged(leaf, issuers[0], root)
    return min(times)


def library_can_read(
    key: PublicKey, entries: Collection[LogEntry], root: TrustedRoot, signed: Envelope | tuple[str, bytes]
) -> bool:
    """Whether the sigstore library takes a bundle with these log entries about what was `signed` by `key`; it verifies
    with ECDSA and SHA-256, whatever the key."""
    return (
        isinstance(key, ec.EllipticCurvePublicKey)
        and isinstance(key.curve, ec.SECP256R1)
        and (isinstance(signed, Envelope) or signed[0] == "sha256")
        and len(entries) == 1
        and all(entry.proof is not None and (entry.kind, entry.version) in _LIBRARY_READS for entry in entries)
        and bool(root.logs and root.certificate_logs and root.authorities)
    )


def check_with_library(content: bytes, leaf: Leaf, root: TrustRoot, signed: Envelope | tuple[str, bytes]) -> None:
    """Ensure that the sigstore library takes the bundle `content` too, and reads the same in it: the certificate of
    `leaf`, and what was `signed`, an envelope or the algorithm and digest of bytes.

    Raises:
        Refusal: it does not.
    """
    from cryptography.exceptions import InvalidSignature
    from sigstore.errors import Error
    from sigstore.hashes import Hashed
    from sigstore.models import Bundle
    from sigstore_models.common.v1 import HashAlgorithm

    policy = _SameCertificate(leaf)
    try:
        verifier = _library_verifier(root.content)
    except (Error, *ASN1_ERRORS) as error:
        message = f"the sigstore library cannot read the trust root {root.name}: {quoted(error)}"
        raise Refusal(Reason.TRUST_ROOT, message) from error
    try:
        bundle = Bundle.from_json(content)
        if isinstance(signed, Envelope):
            same = verifier.verify_dsse(bundle, policy) == (signed.payload_type, signed.payload)
        else:
            algorithm, digest = signed
            hashed = Hashed(algorithm=HashAlgorithm(f"SHA2_{algorithm.removeprefix('sha')}"), digest=digest)
            verifier.verify_artifact(hashed, bundle, policy)
            same = True
    except (Error, InvalidSignature, *ASN1_ERRORS) as error:
        message = f"the sigstore library does not take the bundle: {quoted(error)}"
        raise Refusal(Reason.TRUST_ROOT, message) from error
    if not same:
        raise Refusal(Reason.MALFORMED, "the sigstore library reads another payload in the bundle than we do")


class _SameCertificate:
    """The library's `VerificationPolicy`: who signed is for the trust configuration to judge, if both read the same."""

    def __init__(self, leaf: Leaf) -> None:
        self._leaf = leaf

    def verify(self, cert: x509.Certificate) -> None:
        """Raises: Refusal."""
        if cert.public_bytes(Encoding.DER) != self._leaf.der:
            raise Refusal(Reason.MALFORMED, "the sigstore library reads another certificate in the bundle than we do")


@lru_cache(maxsize=32)
def _library_verifier(root: bytes) -> Verifier:
    from sigstore.models import TrustedRoot
    from sigstore.verify import Verifier
    from sigstore_models.trustroot.v1 import TrustedRoot as Inner

    return Verifier(trusted_root=TrustedRoot(Inner.from_json(_for_library(root))))


def _for_library(root: bytes) -> bytes:
    """`root` as the library's stricter model wants it: with names of authorities, though a name that is empty is left
    out in ProtoJSON, and with the media type of version 0.1, from which 0.2 differs in its name only."""
    document = orjson.loads(root)
    document["mediaType"] = MEDIA_TYPES[0]
    for name in ("certificateAuthorities", "timestampAuthorities"):
        document[name] = document.get(name) or []
    for authority in [*document["certificateAuthorities"], *document["timestampAuthorities"]]:
        authority["subject"] = {"organization": "", "commonName": "", **(authority.get("subject") or {})}
    return orjson.dumps(document)
