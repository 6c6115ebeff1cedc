"""`pratique pull`: policies from a registry, by git, by HTTP or from this machine, as conftest stores them."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from pratiquectl.__main__ import Subparsers
from pratiquectl.conftest import flags
from pratiquectl.conftest.command import EXIT_ERROR, add_help, execute
from pratiquectl.conftest.errors import ConftestError
from pratiquectl.conftest.options import Flag, Options

FLAGS = (
    Flag(name="policy", short="p", kind="text", default="policy", help="folder to write the policies to"),
    flags.TLS,
    Flag(name="absolute-paths", kind="bool", help="take an absolute --policy as it is"),
)


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb's parser."""
    add_help(
        subparsers,
        "pull",
        FLAGS,
        usage="pratique pull REPOSITORY [REPOSITORY ...] [flags]",
        help="pull conftest policies from a registry, git or HTTP",
        description="Write policies and data into a folder: those of an artifact (oci://...), of a repository "
        "(git::...), a file or archive (https://...), or of this machine. A file that is there with other content is "
        "never overwritten, and a layer whose digest is wrong is refused.",
        example="pratique pull 127.0.0.1:5000/policies:v1 --policy pulled",
    )


def run_arguments(arguments: Sequence[str]) -> int:
    """Pull."""
    return execute(arguments, FLAGS, _run)


def _run(options: Options) -> int:
    from pratiquectl.conftest.checking import tls_setting
    from pratiquectl.conftest.download import download

    if not options.arguments:
        print("usage: pratique pull REPOSITORY [REPOSITORY ...] [flags]", file=sys.stderr)
        print("Error: missing required arguments", file=sys.stderr)
        return EXIT_ERROR
    folder = options.text("policy")
    if not (options.on("absolute-paths") and folder.startswith("/")):
        folder = os.path.normpath(f"./{folder}")  # as conftest does: /a is a below the working directory
    try:
        download(options.arguments, folder, tls=tls_setting(options))
    except ConftestError as error:
        raise ConftestError(f"download policies: {error}") from error
    return 0
