"""TLS: the serving side, whose certificate is replaced without dropping a connection, and the making of
certificates."""

from __future__ import annotations

import ipaddress
import logging
import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pratique.errors import ConfigError, Problem
from pratique.replace_file import replace_file
from pratique.watching import signature

log = logging.getLogger(__name__)

# Serving


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: a certificate with its chain, its key, and optionally the CA whose clients alone are served."""

    certificate: Path
    key: Path
    client_ca: Path | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        return (self.certificate, self.key, *([self.client_ca] if self.client_ca else []))


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """A context for TLS 1.2 or newer; with a client CA, for TLS 1.3 and clients with a certificate of that CA.

    With a client CA no session is ever resumed, because a resumed session is not checked against the CA again: TLS
    1.3 with no tickets is how OpenSSL is told so.

    Raises:
        ConfigError: a file cannot be read, is not PEM, or the key is not that of the certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(files.certificate, files.key, password=_no_password)
    except ssl.SSLError as error:
        message = (
            f"is no certificate for the key in {files.key} ({_reason(error)}); give the pair that belongs together"
        )
        raise _problem(files.certificate, message) from error
    except (OSError, ValueError) as error:
        unreadable = next((path for path in files.paths if not os.access(path, os.R_OK)), files.certificate)
        raise _problem(unreadable, f"cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if files.client_ca is not None:
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.num_tickets = 0
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_verify_locations(files.client_ca)
        except ssl.SSLError as error:
            raise _problem(files.client_ca, f"holds no CA certificate ({_reason(error)})") from error
        except OSError as error:
            raise _problem(files.client_ca, f"cannot be read: {error.strerror}") from error
    return context


class ServingCertificate:
    """The certificate in use: `context` stays the same for the life of the server, what it serves follows the files.

    Each handshake takes the context that was loaded last; connections that are open stay as they are. Files that are
    broken, or a key that is not that of the certificate, leave the former pair in use, and `problem` says why.
    """

    def __init__(self, files: TlsFiles) -> None:
        """Raises: ConfigError, see `server_context`; also where the certificate has expired."""
        self.problem = ""
        """Why what is in use is not what is in the files; empty if it is."""
        self.rotations = 0
        """How often another pair was taken into use."""
        self._files = files
        self._tried = signature(*files.paths)
        self._current = server_context(files)
        self.expires = _expiry(files.certificate)
        """When the certificate in use ends."""
        if self.expires <= datetime.now(UTC):
            raise _problem(files.certificate, f"expired at {self.expires:%Y-%m-%dT%H:%M:%SZ}; renew it")
        self.context = server_context(files)
        self.context.sni_callback = self._hand_over

    def state(self) -> dict[str, object]:
        """For people who look at the server."""
        return {"expires": f"{self.expires:%Y-%m-%dT%H:%M:%SZ}", "rotations": self.rotations, "problem": self.problem}

    def poll(self) -> None:
        """Take the files into use if they changed and are a pair. Milliseconds; to be called on the event loop."""
        seen = signature(*self._files.paths)
        if seen == self._tried:
            return
        try:
            fresh = server_context(self._files)
            expires = _expiry(self._files.certificate)
            problem = ""
        except ConfigError as error:
            problem = str(error)
        if signature(*self._files.paths) != seen:
            return  # being written: looked at again next time
        self._tried = seen
        if problem:
            if problem != self.problem:
                log.error("the serving certificate was not replaced: %s", problem)
            self.problem = problem
            return
        self._current, self.expires, self.problem = fresh, expires, ""
        self.rotations += 1
        log.info("the serving certificate was replaced; the new one ends at %s", f"{expires:%Y-%m-%dT%H:%M:%SZ}")

    def _hand_over(self, connection: ssl.SSLSocket | ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        # OpenSSL asks this in every handshake, also where the client names no server.
        connection.context = self._current


def _no_password() -> str:
    raise ValueError("the key is encrypted; give a key without a password")


def _expiry(certificate: Path) -> datetime:
    """Raises: ConfigError."""
    try:
        return x509.load_pem_x509_certificates(certificate.read_bytes())[0].not_valid_after_utc
    except (OSError, ValueError) as error:
        raise _problem(certificate, f"is no certificate: {error}") from error


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).lower().replace("_", " ")


def _problem(file: Path, message: str) -> ConfigError:
    return ConfigError(Problem(str(file), "", message))


# Making

CA_CERTIFICATE, CA_KEY, CERTIFICATE, KEY = "ca.crt", "ca.key", "tls.crt", "tls.key"
"""The names under which `kubernetes.io/tls` Secrets and cert-manager keep them too."""
CA_DAYS = 3650
BACKDATED = timedelta(minutes=5)
"""For clients whose clock is behind."""


@dataclass(frozen=True, slots=True)
class Made:
    """What `make_certificates` left in its folder."""

    folder: Path
    hosts: tuple[str, ...]
    expires: datetime
    new_authority: bool


def make_certificates(folder: Path, *, hosts: Sequence[str], days: int, force: bool) -> Made:
    """A serving certificate for `hosts` (DNS names and IP addresses), signed by the CA in `folder`, which is made if
    there is none.

    ECDSA P-256. Keys are readable by their owner alone; each file is replaced in one step, the certificate last. A
    certificate does not outlive its CA.

    Raises:
        ConfigError: there is a serving certificate and not `force`; the CA there is broken or expired; a host is no
        host. OSError: a file cannot be written.
    """
    names = [_general_name(host) for host in hosts]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in (CERTIFICATE, KEY):
        if (folder / name).exists() and not force:
            raise _problem(folder / name, "is there already; --force replaces it, and keeps the CA")
    authority = _read_authority(folder)
    new = authority is None
    authority = authority or _new_authority(folder)
    certificate, signer = authority
    now = datetime.now(UTC)
    expires = min(now + timedelta(days=days), certificate.not_valid_after_utc)
    key = ec.generate_private_key(ec.SECP256R1())
    signed = (
        x509.CertificateBuilder()
        .subject_name(_common_name(hosts[0]))
        .issuer_name(certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(max(now - BACKDATED, certificate.not_valid_before_utc))
        .not_valid_after(expires)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, hashes.SHA256())
    )
    replace_file(folder / KEY, _pem_of_key(key), mode=0o600)
    replace_file(folder / CERTIFICATE, signed.public_bytes(serialization.Encoding.PEM), mode=0o644)
    return Made(folder, tuple(hosts), expires, new)


_Authority = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def _new_authority(folder: Path) -> _Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _common_name("Pratique webhook CA")
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + timedelta(days=CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    replace_file(folder / CA_KEY, _pem_of_key(key), mode=0o600)
    replace_file(folder / CA_CERTIFICATE, certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)
    return certificate, key


def _read_authority(folder: Path) -> _Authority | None:
    """Raises: ConfigError."""
    paths = (folder / CA_CERTIFICATE, folder / CA_KEY)
    there = [path for path in paths if path.exists()]
    if not there:
        return None
    if len(there) == 1:
        (missing,) = set(paths) - set(there)
        raise _problem(
            missing, f"is missing beside {there[0].name}; put it back, or take {there[0].name} away for a new CA"
        )
    try:
        certificate = x509.load_pem_x509_certificate(paths[0].read_bytes())
        key = serialization.load_pem_private_key(paths[1].read_bytes(), password=None)
        certificate.verify_directly_issued_by(certificate)
    except (OSError, ValueError, TypeError, InvalidSignature) as error:
        raise _problem(folder, f"{CA_CERTIFICATE} and {CA_KEY} cannot be used: {error}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise _problem(paths[1], f"is not the elliptic key of {CA_CERTIFICATE}; take both away for a new CA")
    if certificate.not_valid_after_utc <= datetime.now(UTC):
        raise _problem(paths[0], f"expired at {certificate.not_valid_after_utc:%Y-%m-%d}; take it away for a new CA")
    return certificate, key


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])  # X.520: at most 64 characters


def _general_name(host: str) -> x509.GeneralName:
    """Raises: ConfigError."""
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    labels = host.removeprefix("*.").split(".")
    if len(host) > 253 or not all(_is_label(label) for label in labels):
        raise ConfigError(Problem("--host", "", f"{host!r} is neither a DNS name nor an IP address"))
    return x509.DNSName(host)


def _is_label(label: str) -> bool:
    letters = label.replace("-", "")
    return 0 < len(label) <= 63 and label.isascii() and letters.isalnum() and label[0] != "-" and label[-1] != "-"


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _pem_of_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
