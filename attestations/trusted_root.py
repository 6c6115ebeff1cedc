"""A trust root of Sigstore, parsed: whose certificates, logs and time stamps are believed
(github.com/sigstore/protobuf-specs, sigstore_trustroot.proto, TrustedRoot)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509

from attestations.protojson import child, children, octets, optional_child, read_object, text
from attestations.public_keys import ASN1_ERRORS, PublicKey, checked_key, read_der_key, spki
from attestations.refusal import malformed
from pratique.errors import InputError

MAX_TRUSTED_ROOT_BYTES = 2**20
"""Protects from a path that was given by mistake; the public root has 7 kB."""

MEDIA_TYPES = (
    "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
    "application/vnd.dev.sigstore.trustedroot.v0.2+json",
)

_FIELDS = frozenset({"mediaType", "tlogs", "certificateAuthorities", "ctlogs", "timestampAuthorities"})

_ALWAYS_BEFORE = datetime.min.replace(tzinfo=UTC)
_ALWAYS_AFTER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Period:
    """When something may be relied on; both ends belong to it (sigstore_common.proto, TimeRange)."""

    start: datetime = _ALWAYS_BEFORE
    end: datetime = _ALWAYS_AFTER

    def __contains__(self, time: datetime) -> bool:
        return self.start <= time <= self.end


@dataclass(frozen=True, slots=True)
class Log:
    """A log of signatures or of certificates. `host` is where it answers, empty where the trust root does not say;
    `ids` are those by which entries and certificates name it."""

    host: str
    key: PublicKey
    ids: frozenset[bytes]
    period: Period


@dataclass(frozen=True, slots=True)
class Authority:
    """Who makes certificates or time stamps: `chain` goes from the one that signs to the root."""

    chain: tuple[x509.Certificate, ...]
    period: Period


@dataclass(frozen=True, slots=True)
class TrustedRoot:
    """`digest` is over the bytes that it was parsed from."""

    digest: str
    authorities: tuple[Authority, ...]
    certificate_logs: tuple[Log, ...]
    logs: tuple[Log, ...]
    timestamp_authorities: tuple[Authority, ...]

    def logs_named(self, name: bytes) -> tuple[Log, ...]:
        """Rekor's logs with the id `name`."""
        return tuple(log for log in self.logs if name in log.ids)


def public_good_root() -> bytes:
    """The `trusted_root.json` of Sigstore's public instance, as the sigstore library ships it."""
    store = resources.files("sigstore._store").joinpath("https%3A%2F%2Ftuf-repo-cdn.sigstore.dev")
    return store.joinpath("trusted_root.json").read_bytes()


@lru_cache(maxsize=64)
def parse_trusted_root(content: bytes) -> TrustedRoot:
    """The trust root that `content` is.

    Raises:
        Refusal: it is none, or holds a key or a certificate that cannot be used.
    """
    document = read_object(content, "the trust root", MAX_TRUSTED_ROOT_BYTES)
    if text(document, "mediaType") not in MEDIA_TYPES:
        raise malformed(f"the trust root has the media type {text(document, 'mediaType')[:100]!r}, which is not known")
    if unknown := sorted(document.keys() - _FIELDS):  # `ctLogs` would be a root without logs, which demands nothing
        raise malformed(f"the trust root has the field {unknown[0][:100]!r}, and may have {', '.join(sorted(_FIELDS))}")
    try:
        root = TrustedRoot(
            f"sha256:{hashlib.sha256(content).hexdigest()}",
            tuple(_authority(each) for each in children(document, "certificateAuthorities")),
            tuple(_log(each) for each in children(document, "ctlogs")),
            tuple(_log(each) for each in children(document, "tlogs")),
            tuple(_authority(each) for each in children(document, "timestampAuthorities")),
        )
    except (InputError, *ASN1_ERRORS) as error:  # of keys and of certificates
        raise malformed(f"the trust root holds what cannot be used: {error}") from error
    if not root.authorities and not root.logs and not root.timestamp_authorities:
        raise malformed("the trust root has neither certificate authorities nor logs: nothing could be trusted")
    return root


def _log(document: Mapping[str, Any]) -> Log:
    public_key = child(document, "publicKey")
    key = read_der_key(octets(public_key, "rawBytes"))
    # logId is deprecated in favour of checkpointKeyId, and entries have either (sigstore_trustroot.proto).
    ids = [octets(named, "keyId") for name in ("logId", "checkpointKeyId") if (named := optional_child(document, name))]
    return Log(
        host=urlsplit(text(document, "baseUrl", "")).hostname or "",
        key=key,
        ids=frozenset([hashlib.sha256(spki(key)).digest(), *ids]),
        period=_period(optional_child(public_key, "validFor")),
    )


def _authority(document: Mapping[str, Any]) -> Authority:
    certificates = children(child(document, "certChain"), "certificates")
    if not certificates:
        raise malformed("an authority of the trust root has no certificates")
    chain = tuple(_certificate(octets(each, "rawBytes")) for each in certificates)
    return Authority(chain, _period(optional_child(document, "validFor")))


def _certificate(der: bytes) -> x509.Certificate:
    """The certificate that `der` is, every part of which can be read: `cryptography` looks at them when they are asked
    for, and `rfc3161-client` panics at a name that cannot be read."""
    certificate = x509.load_der_x509_certificate(der)
    checked_key(certificate.public_key())
    _ = certificate.subject, certificate.issuer, certificate.extensions
    return certificate


def _period(document: Mapping[str, Any] | None) -> Period:
    """The period that a `validFor` says; its start has to be there, its end need not (sigstore_common.proto,
    TimeRange)."""
    if document is None:
        return Period()
    end = text(document, "end", "")
    return Period(read_time(text(document, "start")), read_time(end) if end else _ALWAYS_AFTER)


def read_time(value: str) -> datetime:
    """The moment that `value` names (RFC 3339), in UTC. Raises: Refusal."""
    try:
        time = datetime.fromisoformat(value)
        if time.tzinfo is None:
            raise ValueError("it has no offset from UTC")
        return time.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise malformed(f"{value[:40]!r} is not a time as RFC 3339 writes it") from error
