"""`pratique certs`: a CA and a serving certificate, for clusters without a certificate manager."""

from __future__ import annotations

import argparse
from pathlib import Path

from pratiquectl.__main__ import EXIT_DONE, Subparsers
from webhook.tls import CA_CERTIFICATE, CERTIFICATE, KEY, make_certificates

MAX_DAYS = 3650


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb's parser."""
    parser = subparsers.add_parser(
        "certs",
        help="make a CA and a serving certificate for the webhook",
        description="Make a serving certificate, and the CA that signs it unless the folder holds one. "
        "Whoever has ca.key can pretend to be the webhook: keep it away from the cluster.",
        epilog="Example: pratique certs --out certs --host pratique.pratique-system.svc --host 127.0.0.1",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for ca.crt, ca.key, tls.crt, tls.key"
    )
    parser.add_argument(
        "--host",
        action="append",
        required=True,
        metavar="NAME",
        help="DNS name or IP address to serve as; repeat for more",
    )
    parser.add_argument(
        "--days", type=_days, default=365, metavar="N", help="how long the certificate is valid (default: 365)"
    )
    parser.add_argument(
        "--force", action="store_true", help="replace the serving certificate that is there; the CA is kept"
    )


def run(args: argparse.Namespace) -> int:
    """Make the files and say what was made.

    Raises:
        ConfigError, OSError: they could not be made.
    """
    made = make_certificates(args.out, hosts=args.host, days=args.days, force=args.force)
    authority = "new CA" if made.new_authority else "CA that was there"
    print(f"{made.folder / CERTIFICATE}: for {', '.join(made.hosts)}, until {made.expires:%Y-%m-%d}")
    print(f"{made.folder / KEY}: its key")
    print(f"{made.folder / CA_CERTIFICATE}: {authority}; give it to `pratique webhook-config --ca-bundle`")
    return EXIT_DONE


def _days(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MAX_DAYS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days from 1 to {MAX_DAYS}")
    return int(text)
