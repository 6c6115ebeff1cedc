"""Certificates that say who signed: Fulcio's, of whatever instance (github.com/sigstore/fulcio,
docs/certificate-specification.md).

`cryptography` builds the path (RFC 5280 6.1); the signed certificate time stamp is checked here (RFC 6962 3.2, 3.3).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from cryptography import x509
from cryptography.x509.certificate_transparency import LogEntryType, SignedCertificateTimestamp
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store
from cryptography.x509.verification import VerificationError as ChainError

from attestations.evidence import Reason
from attestations.public_keys import ASN1_ERRORS, Message, PublicKey, checked_key, is_signature, spki
from attestations.refusal import Refusal, malformed, quoted
from attestations.trusted_root import TrustedRoot
from pratique.errors import InputError

MAX_CERTIFICATE_BYTES = 64 * 1024
"""Protects the parser of ASN.1: a certificate with everything that CI systems put into one has about 3 kB."""

MAX_IDENTITY_CHARACTERS = 4096
"""Protects patterns and messages; the longest identities are URLs of workflows."""

_ISSUER_V1 = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
"""The issuer as bare text (fulcio/docs/oid-info.md, deprecated in favour of the next)."""
_ISSUER_V2 = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
"""The issuer as an ASN.1 UTF8String."""
_OTHER_NAME = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.7")
"""A user name that is neither a mail address nor a URI, as an ASN.1 UTF8String."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A signing certificate, read and not trusted. `identity` and `issuer` are as the authority wrote them."""

    der: bytes
    certificate: x509.Certificate
    key: PublicKey
    identity: str
    issuer: str


def read_leaf(der: bytes) -> Leaf:
    """The signing certificate that `der` is.

    Raises:
        Refusal: it is none, names nobody, or is not one that may sign.
    """
    if len(der) > MAX_CERTIFICATE_BYTES:
        raise Refusal(Reason.TOO_LARGE, f"the certificate has more than {MAX_CERTIFICATE_BYTES} bytes, and is not read")
    try:
        certificate = x509.load_der_x509_certificate(der)
        extensions = certificate.extensions
        key = checked_key(certificate.public_key())
    except (*ASN1_ERRORS, InputError) as error:
        raise malformed(f"the certificate cannot be used: {quoted(error)}") from error
    _check_usage(extensions)
    return Leaf(der, certificate, key, _identity(extensions), _issuer(extensions))


def _check_usage(extensions: x509.Extensions) -> None:
    """It may sign, and what it signs may be code (certificate-specification.md; RFC 5280 4.2.1.3, 4.2.1.12)."""
    try:
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
        extended = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound as error:
        raise Refusal(Reason.TRUST_ROOT, "the certificate does not say what it may be used for") from error
    if not usage.digital_signature or ExtendedKeyUsageOID.CODE_SIGNING not in extended:
        raise Refusal(Reason.TRUST_ROOT, "the certificate is not one for signing code")


def _identity(extensions: x509.Extensions) -> str:
    try:
        names = list(extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound as error:
        raise Refusal(Reason.WRONG_IDENTITY, "the certificate names nobody (subjectAltName is missing)") from error
    if len(names) != 1:
        raise Refusal(Reason.WRONG_IDENTITY, f"the certificate has {len(names)} names, where one says who signed")
    name = names[0]
    if isinstance(name, x509.RFC822Name | x509.UniformResourceIdentifier):
        identity = name.value
    elif isinstance(name, x509.OtherName) and name.type_id == _OTHER_NAME:
        identity = _utf8_string(name.value)
    else:
        raise Refusal(Reason.WRONG_IDENTITY, "the certificate names neither a mail address nor a URI nor a user")
    return _bounded(identity, "identity")


def _issuer(extensions: x509.Extensions) -> str:
    found = {
        extension.oid: extension.value.value
        for extension in extensions
        if isinstance(extension.value, x509.UnrecognizedExtension)
    }
    issuers = set()
    if _ISSUER_V2 in found:
        issuers.add(_utf8_string(found[_ISSUER_V2]))
    if _ISSUER_V1 in found:
        issuers.add(_text(found[_ISSUER_V1]))
    if len(issuers) != 1:
        what = "does not say who vouched for the identity" if not issuers else "names two issuers"
        raise Refusal(Reason.WRONG_IDENTITY, f"the certificate {what}")
    return _bounded(issuers.pop(), "issuer")


def _bounded(value: str, what: str) -> str:
    if not value or len(value) > MAX_IDENTITY_CHARACTERS or not value.isprintable():
        raise Refusal(
            Reason.WRONG_IDENTITY,
            f"the {what} in the certificate is not 1 to {MAX_IDENTITY_CHARACTERS} printable characters",
        )
    return value


def _utf8_string(der: bytes) -> str:
    """The text of an ASN.1 UTF8String in DER (X.690 8.1.3, 8.23): tag 12, length, text."""
    length, start = (der[1], 2) if len(der) > 1 else (0, 2)
    if length >= 0x80:  # the long form: the length's own length, then the length
        start = 2 + (length & 0x7F)
        length = int.from_bytes(der[2:start])
    if der[:1] != b"\x0c" or start + length != len(der):
        raise malformed("the certificate has an extension that is not an ASN.1 UTF8String")
    return _text(der[start:])


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise malformed("the certificate has an extension that is not UTF-8") from error


# The path to the root


def check_path(leaf: Leaf, root: TrustedRoot, time: datetime) -> x509.Certificate:
    """The certificate that `leaf` was issued with, after a path from it to an authority of `root` held at `time`.

    Raises:
        Refusal: there is no such path.
    """
    certificate = leaf.certificate
    if not certificate.not_valid_before_utc <= time <= certificate.not_valid_after_utc:
        raise Refusal(
            Reason.EXPIRED,
            f"the certificate was valid from {certificate.not_valid_before_utc.isoformat()} to"
            f" {certificate.not_valid_after_utc.isoformat()}, and the signature is of {time.isoformat()}",
        )
    failure = "it has no certificate authorities"
    for authority in root.authorities:
        if time not in authority.period:
            failure = f"its authority was not to be relied on at {time.isoformat()}"
            continue
        *intermediates, anchor = authority.chain
        try:
            path = _verified_path(certificate, anchor, intermediates, time)
            if len(path) > 1:
                return path[1]
            failure = "it is given as an authority itself, and nobody issued it"
        except (ChainError, *ASN1_ERRORS) as error:
            failure = quoted(error)
    raise Refusal(Reason.TRUST_ROOT, f"the certificate does not come from the trust root: {failure}")


def _verified_path(
    leaf: x509.Certificate, anchor: x509.Certificate, intermediates: list[x509.Certificate], time: datetime
) -> list[x509.Certificate]:
    # A client certificate would need the usage `client authentication`; ours have `code signing`, checked above.
    any_usage = (x509.ExtendedKeyUsage, Criticality.AGNOSTIC, None)
    verifier = (
        PolicyBuilder()
        .store(Store([anchor]))
        .time(time)
        .extension_policies(
            ca_policy=ExtensionPolicy.webpki_defaults_ca().may_be_present(*any_usage),
            ee_policy=ExtensionPolicy.webpki_defaults_ee().may_be_present(*any_usage),
        )
        .build_client_verifier()
    )
    return verifier.verify(leaf, intermediates).chain


# The log of certificates


def check_logged(leaf: Leaf, issuer: x509.Certificate, root: TrustedRoot) -> None:
    """Ensure that a log of `root` promised to show `leaf` to everybody; nothing where `root` has no such logs.

    Raises:
        Refusal: there is no such promise.
    """
    if not root.certificate_logs:
        return
    try:
        promises = leaf.certificate.extensions.get_extension_for_class(x509.PrecertificateSignedCertificateTimestamps)
    except x509.ExtensionNotFound as error:
        message = "the certificate is in no log of certificates (it has no signed certificate timestamp)"
        raise Refusal(Reason.NOT_IN_LOG, message) from error
    if not any(_is_promise(promise, leaf.certificate, issuer, root) for promise in promises.value):
        message = "the certificate is in no log of certificates that the trust root has"
        raise Refusal(Reason.NOT_IN_LOG, message)


def _is_promise(
    promise: SignedCertificateTimestamp, leaf: x509.Certificate, issuer: x509.Certificate, root: TrustedRoot
) -> bool:
    """RFC 6962 3.2: the signature is over version, type, time, the precertificate and the key that issued it."""
    try:
        issuing_key = spki(checked_key(issuer.public_key()))
        certificate = leaf.tbs_precertificate_bytes
        time = promise.timestamp.replace(tzinfo=UTC)
    except (*ASN1_ERRORS, InputError, OverflowError):
        return False
    if promise.entry_type is not LogEntryType.PRE_CERTIFICATE:
        return False
    signed = struct.pack("!BBQH", 0, 0, _milliseconds(time), 1) + sha256(issuing_key).digest()
    signed += len(certificate).to_bytes(3) + certificate
    signed += struct.pack("!H", len(promise.extension_bytes)) + promise.extension_bytes
    message = Message(signed)
    return any(
        promise.log_id in log.ids and time in log.period and is_signature(log.key, promise.signature, message)
        for log in root.certificate_logs
    )


def _milliseconds(time: datetime) -> int:
    return int(time.timestamp()) * 1000 + time.microsecond // 1000
