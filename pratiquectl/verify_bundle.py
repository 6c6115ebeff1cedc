"""`pratique verify-bundle`: whether a Sigstore bundle signs a file, or what has a digest.

The command line and the exit code are those that Sigstore's conformance tests expect of a client
(github.com/sigstore/sigstore-conformance, docs/cli_protocol.md).
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pratique.errors import ConfigError, InputError, Problem
from pratiquectl.__main__ import EXIT_DENIED, EXIT_DONE, EXIT_ERROR, Subparsers
from reports.text import visible

if TYPE_CHECKING:
    from attestations.evidence import SignedBy
    from attestations.trust import Signer, TrustConfiguration

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}")
_ALGORITHMS = ("sha256", "sha384", "sha512")
_CHUNK_BYTES = 2**20

_MAX_FILE_BYTES = 4 * 2**20
"""Protects from a path that was given by mistake; what is longer is refused by whoever reads it."""


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb's parser."""
    parser = subparsers.add_parser(
        "verify-bundle",
        help="verify a Sigstore bundle of a file",
        description="Verify that a Sigstore bundle signs a file, or what has a digest, by whom you say; without any "
        "network. Exit code 0 if it does, 1 if it does not, 2 if that cannot be looked at.",
        epilog="Example: pratique verify-bundle --bundle model.sigstore.json --key release.pub model.safetensors",
        allow_abbrev=False,
    )
    parser.add_argument("--bundle", type=Path, required=True, metavar="FILE", help="the bundle, versions 0.1 to 0.3")
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--key", type=Path, metavar="FILE", help="the public key that signed, in PEM")
    who.add_argument("--certificate-identity", metavar="NAME", help="who signed, as the certificate names them")
    parser.add_argument("--certificate-oidc-issuer", metavar="URL", help="who vouched for that identity; goes with it")
    parser.add_argument(
        "--trusted-root",
        type=Path,
        metavar="FILE",
        help="the trusted_root.json of a Sigstore instance (default: that of the public one); a signature by --key has "
        "to be in its log then",
    )
    parser.add_argument("subject", metavar="FILE_OR_DIGEST", help="what is signed: a file, or sha256:HEX")


def run(args: argparse.Namespace) -> int:
    """Say whether it is signed.

    Raises:
        ConfigError, InputError: something that is named cannot be read or used. OSError: a file cannot be read.
    """
    # Imported here: `pratique --help` is to cost next to nothing, and this is cryptography.
    from attestations.bundle import MAX_PIECE_BYTES
    from attestations.evidence import Layout, Piece, Reason, Verified
    from attestations.verification import Verifier

    trust = _trust(args)
    digests = _digests(args.subject)
    with args.bundle.open("rb") as stream:
        content = stream.read(MAX_PIECE_BYTES + 1)
    piece = Piece(Layout.BUNDLE, digests[0], "", "", content, "", "")
    unusable = False
    for result in Verifier(trust, datetime.now(UTC)).verify(piece, digests):
        if isinstance(result, Verified):
            for by in result.signed_by:
                print(f"verified: {result.subject} is signed by {_who(by)} ({visible(result.predicate_type)})")
            return EXIT_DONE
        print(f"not verified ({result.reason.value}): {visible(result.message, limit=2000)}", file=sys.stderr)
        unusable = unusable or result.reason in (Reason.MALFORMED, Reason.TOO_LARGE)
    return EXIT_ERROR if unusable else EXIT_DENIED


def _who(by: SignedBy) -> str:
    name = f"the key {by.key_id}" if by.key_id else f"{visible(by.identity)} (issuer {visible(by.issuer)})"
    return f"{name} at {by.at.isoformat()}" if by.at is not None else name


def _digests(subject: str) -> list[str]:
    """The digests of the file `subject`, or the one that it is if there is no file of that name."""
    if _DIGEST.fullmatch(subject) and not Path(subject).exists():
        return [subject]
    hashes = [hashlib.new(algorithm) for algorithm in _ALGORITHMS]
    with Path(subject).open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            for each in hashes:
                each.update(chunk)
    return [f"{each.name}:{each.hexdigest()}" for each in hashes]


def _trust(args: argparse.Namespace) -> TrustConfiguration:
    """Trust in whom the options name, and in nobody else. Raises: ConfigError, InputError, OSError."""
    from attestations.trust import PUBLIC_GOOD, TrustConfiguration, TrustRoot

    signer = _key_signer(args) if args.key is not None else _identity_signer(args)
    if args.trusted_root is None:
        return TrustConfiguration((signer,))
    try:
        # In place of the public root: what is given is all that counts.
        root = TrustRoot(PUBLIC_GOOD, _read(args.trusted_root))
    except InputError as error:
        raise ConfigError(Problem(str(args.trusted_root), "", str(error))) from error
    return TrustConfiguration((signer,), (root,))


def _key_signer(args: argparse.Namespace) -> Signer:
    from attestations.public_keys import read_pem_key
    from attestations.trust import LogUse, Signer, TrustedKey

    if args.certificate_oidc_issuer is not None:
        raise InputError("--certificate-oidc-issuer goes with --certificate-identity; a key has no issuer")
    try:
        key = read_pem_key(_read(args.key).decode(errors="replace"))
    except InputError as error:
        raise ConfigError(Problem(str(args.key), "", str(error))) from error
    log = LogUse.OPTIONAL if args.trusted_root is None else LogUse.REQUIRED
    return Signer("given", keys=(TrustedKey(args.key.name, key, log=log),))


def _identity_signer(args: argparse.Namespace) -> Signer:
    from attestations.trust import Signer, TrustedIdentity, exact

    if args.certificate_oidc_issuer is None:
        raise InputError("name who vouches for the identity with --certificate-oidc-issuer: anybody can run an issuer")
    identity = TrustedIdentity(exact(args.certificate_identity), exact(args.certificate_oidc_issuer))
    return Signer("given", identities=(identity,))


def _read(path: Path) -> bytes:
    """The file at `path`, up to more than any key or trust root has."""
    with path.open("rb") as stream:
        return stream.read(_MAX_FILE_BYTES)
