"""`pratique webhook-config`: the documents that register the webhook with an API server."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pratique.configuration import load_configuration
from pratique.errors import ConfigError, Problem
from pratique.policy import PolicySet
from pratiquectl.__main__ import EXIT_DONE, Subparsers
from webhook.guard import guard
from webhook.registration import Registration, ServiceReference, registered

OWN_NAMESPACE = "pratique-system"
"""Where the webhook is taken to run when nothing says otherwise."""


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb's parser."""
    parser = subparsers.add_parser(
        "webhook-config",
        help="print the webhook configurations for the API server",
        description="Print the ValidatingWebhookConfiguration and the MutatingWebhookConfiguration with which an API "
        "server asks about what the bindings judge, and about Waiver and PolicyBinding objects. Apply them again "
        "whenever the bindings change.",
        epilog="Example: pratique webhook-config --policies policies --config policies/bindings "
        "--service pratique-system/pratique --ca-bundle certs/ca.crt | kubectl apply -f -",
        allow_abbrev=False,
    )
    parser.add_argument("--policies", type=Path, required=True, metavar="PATH", help="folder of policies, or a bundle")
    parser.add_argument("--config", type=Path, required=True, metavar="PATH", help="folder (or file) of bindings")
    endpoint = parser.add_mutually_exclusive_group(required=True)
    endpoint.add_argument("--url", metavar="URL", help="https://HOST[:PORT][/PATH] of the webhook")
    endpoint.add_argument(
        "--service", type=_service, metavar="NS/NAME[:PORT][/PATH]", help="the Service that leads to the webhook"
    )
    parser.add_argument(
        "--ca-bundle", type=Path, required=True, metavar="FILE", help="the CA of the serving certificate, PEM"
    )
    parser.add_argument("--name", default="pratique", help="name of both configurations (default: pratique)")
    parser.add_argument(
        "--own-namespace",
        metavar="NS",
        help="the webhook's own namespace, about which it is not asked, so that it can always be started again "
        f"(default: that of --service, or {OWN_NAMESPACE})",
    )
    parser.add_argument(
        "--guard",
        action="store_true",
        help="print a ValidatingAdmissionPolicy too, by which the API server lets nobody remove or weaken them",
    )
    parser.add_argument(
        "--break-glass-user",
        action="append",
        default=[],
        metavar="NAME",
        help="a user whom the guard does not stop, as in the setting break_glass_users; can be given again",
    )
    parser.add_argument("-o", "--output", choices=("yaml", "json"), default="yaml", help="default: yaml")


def run(args: argparse.Namespace) -> int:
    """Print the documents.

    Raises:
        LoadError: policies, configuration or CA bundle cannot be used.
    """
    if args.break_glass_user and not args.guard:
        raise ConfigError(Problem("command line", "--break-glass-user", "is for --guard; give that too"))
    configuration = load_configuration(args.config, PolicySet.load(args.policies))
    own = args.own_namespace or (args.service.namespace if args.service else OWN_NAMESPACE)
    found = registered(
        configuration.bindings,
        Registration(
            endpoint=args.url or args.service,
            ca_bundle=_ca_bundle(args.ca_bundle),
            name=args.name,
            excluded_namespaces=("kube-system", own),
            own_kinds=True,
        ),
    )
    documents = found.documents
    if args.guard:
        documents += guard(args.name, break_glass_users=args.break_glass_user)
    if args.output == "json":
        for note in found.notes:
            print(f"pratique: {note}", file=sys.stderr)
        print(json.dumps({"apiVersion": "v1", "kind": "List", "items": documents}, indent=2))
    else:
        for note in found.notes:
            print(f"# {note}")
        print(_yaml(documents), end="")
    return EXIT_DONE


def _yaml(documents: Sequence[Any]) -> str:
    return yaml.safe_dump_all(documents, sort_keys=False, explicit_start=True, width=1000, allow_unicode=True)


def _ca_bundle(path: Path) -> bytes:
    """The CA certificates in `path` as PEM, without the text that may stand around them.

    Raises:
        ConfigError: there are none.
    """
    try:
        certificates = x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise ConfigError(Problem(str(path), "", f"cannot be read: {error.strerror}")) from error
    except ValueError as error:
        raise ConfigError(Problem(str(path), "", f"holds no PEM certificate: {error}")) from error
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


def _service(text: str) -> ServiceReference:
    namespace, slash, rest = text.partition("/")
    place, slash_of_path, path = rest.partition("/")
    name, colon, port = place.partition(":")
    if not (namespace and slash and name) or (
        colon and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536)
    ):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAMESPACE/NAME[:PORT][/PATH]")
    return ServiceReference(namespace, name, int(port) if colon else 443, slash_of_path + path)
