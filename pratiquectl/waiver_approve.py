"""`pratique waiver approve`: sign a waiver, so that it counts."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from pathlib import Path

import orjson

from attestations.signers import PasswordNeeded, Signer, agent_signers, signed_envelope, signer_of
from pratique.approvers import PAYLOAD_TYPE, Approver, ApproverList, SignedApprovals, approver_list, waiver_payload
from pratique.configuration import APPROVAL_SUFFIX, build, trusted_approvers
from pratique.dsse import envelope_document
from pratique.errors import ConfigError, InputError, Problem, VerificationError
from pratique.keys import key_id
from pratique.policy import PolicySet
from pratique.waiver import Waiver, written_time
from pratique.yamlfile import Document, load_documents
from pratiquectl.__main__ import EXIT_DONE, Subparsers
from pratiquectl.options import add_approvers, add_now, add_policies, approvers_path, clock, policies_path
from pratiquectl.waiver_new import NAME
from reports.text import visible
from reports.waivers import summary

AGENT_VARIABLE = "SSH_AUTH_SOCK"


def add_parser(subparsers: Subparsers) -> None:
    """Add the parser of `approve`."""
    parser = subparsers.add_parser(
        "approve",
        help="sign one, so that it counts",
        description="Show a waiver and sign it as the approver whose key it is. The signature is written beside the "
        "file, which is left as it is. Whatever would not count afterwards is not signed: what one asked for oneself, "
        "policies that one is no approver of, an end that is too far away.",
        epilog="Example: pratique waiver approve policies/bindings/finetune-q4.yaml --key grace.pem --approvers "
        "approvers.yaml",
        allow_abbrev=False,
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the waiver's YAML file")
    parser.add_argument("--name", default="", metavar="NAME", help="which waiver of the file, if it holds several")
    key = parser.add_mutually_exclusive_group(required=True)
    key.add_argument("--key", type=Path, metavar="FILE", help="private key: Ed25519 or ECDSA; PEM or OpenSSH's format")
    key.add_argument("--ssh-agent", action="store_true", help=f"sign with a key of the ssh agent at ${AGENT_VARIABLE}")
    parser.add_argument(
        "--password-file", type=Path, metavar="FILE", help="the key's password (default: asked for on a terminal)"
    )
    parser.add_argument("--as", dest="approver", default="", metavar="NAME", help="the approver, if several have keys")
    add_policies(parser)
    add_approvers(parser)
    add_now(parser)


def run(args: argparse.Namespace) -> int:
    """Sign and write the signature.

    Raises:
        ConfigError, InputError, EvidenceUnavailable: it cannot be signed. VerificationError: it would not count.
    """
    policies = PolicySet.load(policies_path(args))
    trusted = trusted_approvers(approvers_path(args))
    if trusted is None:
        raise ConfigError(Problem("--approvers", "", "name the list of approvers: without it, no waiver counts"))
    approvers = approver_list(trusted)
    waiver = _waiver(args.file, args.name, policies)
    if not NAME.fullmatch(waiver.name):
        raise InputError(f"{waiver.name!r} is not a name that a file can have; rename the waiver")
    signer, approver = _signer(args, approvers)
    now = clock(args)()
    if waiver.expires <= now:
        raise VerificationError(f"not signed, it would not count: it ends at {written_time(waiver.expires)}")
    spec = {**waiver.document["spec"], "approvedBy": approver.name, "approvedAt": written_time(now)}
    approved = {**waiver.document, "spec": spec}
    envelope = signed_envelope(PAYLOAD_TYPE, waiver_payload(approved), signer)
    try:
        SignedApprovals(approvers, [envelope]).approved(
            waiver.document, [policies.policies[name] for name in sorted(waiver.policies)]
        )
    except VerificationError as error:
        raise VerificationError(f"not signed, it would not count: {error}") from error
    print(f"Waiver {visible(waiver.name)}")
    print("\n".join(visible(line, limit=4000) for line in summary(waiver)))
    signature = args.file.with_name(
        f"{args.file.name}.{waiver.name}.{key_id(signer.public_key).removeprefix('sha256:')[:8]}{APPROVAL_SUFFIX}"
    )
    temporary = signature.with_name(f".{signature.name}.{os.getpid()}")
    temporary.write_bytes(orjson.dumps(envelope_document(envelope), option=orjson.OPT_INDENT_2) + b"\n")
    temporary.replace(signature)
    print(f"{signature}: approved by {approver.name}; keep it beside the waiver")
    return EXIT_DONE


def _waiver(file: Path, name: str, policies: PolicySet) -> Waiver:
    """The waiver in `file`, which others may surround. Raises: ConfigError, InputError."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ConfigError(Problem(str(file), "", f"this cannot be read: {error.strerror}")) from error
    documents = [each for each in load_documents(content, str(file)) if _concerns_waivers(each)]
    waivers = {waiver.name: waiver for waiver in build(documents, policies, unbound=True).waivers}
    if name and name in waivers:
        return waivers[name]
    if not name and len(waivers) == 1:
        return next(iter(waivers.values()))
    known = ", ".join(waivers) or "none"
    raise InputError(f"{file} holds these waivers: {known}; " + ("name one with --name" if waivers else "name another"))


def _concerns_waivers(document: Document | Problem) -> bool:
    if isinstance(document, Problem):
        return True
    return isinstance(document.value, dict) and document.value.get("kind") == "Waiver"


def _signer(args: argparse.Namespace, approvers: ApproverList) -> tuple[Signer, Approver]:
    """The key to sign with, and whose it is. Raises: ConfigError, InputError, EvidenceUnavailable."""
    owners = {key_id(key): approver for approver in approvers.approvers.values() for key in approver.keys}
    signers: list[Signer] = [*_agent_keys()] if args.ssh_agent else [_file_key(args)]
    found = [
        (signer, owner)
        for signer in signers
        if (owner := owners.get(key_id(signer.public_key))) is not None and args.approver in ("", owner.name)
    ]
    if not found:
        which = ", ".join(key_id(signer.public_key) for signer in signers) or "none at all"
        listed = f"listed for {args.approver}" if args.approver else "in the list of approvers"
        raise InputError(f"no key is {listed}; there is: {which}")
    if len({owner.name for _, owner in found}) > 1:
        names = ", ".join(sorted({owner.name for _, owner in found}))
        raise InputError(f"there are keys of several approvers: {names}; name one with --as")
    return found[0]


def _agent_keys() -> list[Signer]:
    path = os.environ.get(AGENT_VARIABLE)
    if not path:
        raise InputError(f"there is no ssh agent: {AGENT_VARIABLE} is not set")
    return list(agent_signers(Path(path)))


def _file_key(args: argparse.Namespace) -> Signer:
    password = args.password_file.read_bytes().rstrip(b"\r\n") if args.password_file is not None else None
    try:
        return signer_of(args.key, password=password)
    except PasswordNeeded:
        if not sys.stdin.isatty():
            raise
        return signer_of(args.key, password=getpass.getpass(f"Password of {args.key}: ").encode())
