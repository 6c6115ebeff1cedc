"""Whatever holds a private key and signs with it: a PEM file, or the agent of OpenSSH.

The agent is asked over its own protocol (draft-miller-ssh-agent), which needs no program and no
library of ssh. What it signs begins with `DSSEv1`, so it can never be taken for a login, whose text begins with a
length (RFC 4252 7).
"""

from __future__ import annotations

import socket
import struct
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from pratique.dsse import Envelope, Signature, pre_authentication_encoding
from pratique.errors import ConfigError, EvidenceUnavailable, InputError, Problem
from pratique.keys import PublicKey, checked_key, curve_hash, key_id, read_public_key

AGENT_SECONDS = 60.0
"""How long an agent may take: it may ask its owner first, or wait for a token to be touched."""

MAX_AGENT_MESSAGE_BYTES = 256 * 1024
"""The most that OpenSSH's own agent sends (ssh-agent.c, AGENT_MAX_LEN)."""

_FAILURE, _REQUEST_IDENTITIES, _IDENTITIES, _SIGN_REQUEST, _SIGN_RESPONSE = 5, 11, 12, 13, 14


class Signer(Protocol):
    """Signs with one key. Implemented by `FileSigner` and `AgentSigner`."""

    @property
    def public_key(self) -> PublicKey:
        """The key that proves its signatures."""

    def sign(self, message: bytes) -> bytes:
        """A signature as `pratique.keys.verify` takes it. Raises: EvidenceUnavailable."""


def signed_envelope(payload_type: str, payload: bytes, signer: Signer) -> Envelope:
    """`payload` in a DSSE envelope that `signer` signed. Raises: EvidenceUnavailable."""
    value = signer.sign(pre_authentication_encoding(payload_type, payload))
    return Envelope(payload_type, payload, (Signature(key_id(signer.public_key), value),))


@dataclass(frozen=True, slots=True)
class FileSigner:
    """A private key in memory."""

    key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey

    @property
    def public_key(self) -> PublicKey:
        return self.key.public_key()

    def sign(self, message: bytes) -> bytes:
        """A signature as `pratique.keys.verify` takes it."""
        if isinstance(self.key, Ed25519PrivateKey):
            return self.key.sign(message)
        return self.key.sign(message, ec.ECDSA(curve_hash(self.key.curve)))


def signer_of(path: Path, *, password: bytes | None = None) -> FileSigner:
    """The private key in the PEM file at `path`: PKCS 8, SEC 1, or OpenSSH's own format where it is not encrypted.

    Raises:
        ConfigError: there is none that can be used; `PasswordNeeded` where it is encrypted and no password is given.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(Problem(str(path), "", f"the key cannot be read: {error.strerror}")) from error
    openssh = b"BEGIN OPENSSH PRIVATE KEY" in content
    load = serialization.load_ssh_private_key if openssh else serialization.load_pem_private_key
    try:
        key = load(content, password)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        if openssh and not isinstance(error, ValueError):
            what = "OpenSSH's own encryption of keys is not read; add the key to the ssh agent, and use --ssh-agent"
        elif isinstance(error, TypeError) and password is None:
            raise PasswordNeeded(Problem(str(path), "", "the key is encrypted, and there is no password")) from error
        elif isinstance(error, TypeError):
            what = "there is a password, and the key is not encrypted"
        else:
            what = f"{'the password is wrong, or ' if password else ''}this is no private key in PEM"
        raise ConfigError(Problem(str(path), "", what)) from error
    try:
        checked_key(key.public_key())
    except InputError as error:
        raise ConfigError(Problem(str(path), "", str(error))) from error
    if not isinstance(key, Ed25519PrivateKey | ec.EllipticCurvePrivateKey):
        raise TypeError(type(key))  # checked_key has let nothing else through
    return FileSigner(key)


class PasswordNeeded(ConfigError):
    """The key is encrypted."""


# The agent of OpenSSH


@dataclass(frozen=True, slots=True)
class AgentSigner:
    """A key that an agent holds. `blob` is the public key as ssh has it on the wire."""

    socket_path: Path
    blob: bytes
    comment: str
    public_key: PublicKey

    def sign(self, message: bytes) -> bytes:
        """A signature as `pratique.keys.verify` takes it.

        Raises:
            EvidenceUnavailable: the agent refuses, or its owner did.
        """
        request = bytes([_SIGN_REQUEST]) + _string(self.blob) + _string(message) + struct.pack(">I", 0)
        fields = _Fields(_asked(self.socket_path, request, expected=_SIGN_RESPONSE))
        signature = _Fields(fields.string())
        algorithm, value = signature.string(), signature.string()
        if isinstance(self.public_key, ec.EllipticCurvePublicKey):
            if not algorithm.startswith(b"ecdsa-sha2-nistp"):
                raise EvidenceUnavailable(f"the agent signed as {algorithm.decode(errors='replace')}, not with ECDSA")
            numbers = _Fields(value)  # RFC 5656 3.1.2: two mpint
            r, s = numbers.string(), numbers.string()
            return encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
        if algorithm != b"ssh-ed25519":
            raise EvidenceUnavailable(f"the agent signed as {algorithm.decode(errors='replace')}, not with Ed25519")
        return value


def agent_signers(socket_path: Path) -> list[AgentSigner]:
    """The keys of the agent at `socket_path` that can approve; those of other kinds are passed over.

    Raises:
        EvidenceUnavailable: there is no agent.
    """
    fields = _Fields(_asked(socket_path, bytes([_REQUEST_IDENTITIES]), expected=_IDENTITIES))
    found = []
    for blob, comment in fields.identities():
        try:
            key = read_public_key(_openssh_line(blob))
        except InputError:
            continue
        found.append(AgentSigner(socket_path, blob, comment.decode(errors="replace"), key))
    return found


def _openssh_line(blob: bytes) -> str:
    return f"{_Fields(blob).string().decode(errors='replace')} {b64encode(blob).decode()}"


def _string(value: bytes) -> bytes:
    """RFC 4251 5: `string`."""
    return struct.pack(">I", len(value)) + value


class _Fields:
    """Reads the fields of a message (RFC 4251 5)."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def string(self) -> bytes:
        end = self._at + 4 + self.number(peek=True)
        if end > len(self._data):
            raise EvidenceUnavailable("the agent's answer is cut off")
        value = self._data[self._at + 4 : end]
        self._at = end
        return value

    def number(self, *, peek: bool = False) -> int:
        if self._at + 4 > len(self._data):
            raise EvidenceUnavailable("the agent's answer is cut off")
        (value,) = struct.unpack_from(">I", self._data, self._at)
        if not peek:
            self._at += 4
        return int(value)

    def identities(self) -> Iterator[tuple[bytes, bytes]]:
        for _ in range(self.number()):
            yield self.string(), self.string()


def _asked(path: Path, request: bytes, *, expected: int) -> bytes:
    """The body of the agent's answer to `request`, which has the type `expected`. Raises: EvidenceUnavailable."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(AGENT_SECONDS)
            connection.connect(str(path))
            connection.sendall(_string(request))
            (length,) = struct.unpack(">I", _received(connection, 4))
            if not 0 < length <= MAX_AGENT_MESSAGE_BYTES:
                raise EvidenceUnavailable(f"the agent at {path} sent a message of {length} bytes")
            answer = _received(connection, length)
    except OSError as error:
        raise EvidenceUnavailable(f"the ssh agent at {path} cannot be asked: {error.strerror or error}") from error
    if answer[0] == _FAILURE:
        raise EvidenceUnavailable(f"the ssh agent at {path} refused, or its owner did")
    if answer[0] != expected:
        raise EvidenceUnavailable(f"the ssh agent at {path} answered with message {answer[0]}, not {expected}")
    return answer[1:]


def _received(connection: socket.socket, length: int) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        part = connection.recv(length - len(parts))
        if not part:
            raise OSError("it hung up")
        parts += part
    return bytes(parts)
