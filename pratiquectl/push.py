"""`pratique push`: policies into an OCI registry, as conftest stores them."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from pratiquectl.__main__ import Subparsers
from pratiquectl.conftest import flags
from pratiquectl.conftest.command import EXIT_ERROR, add_help, execute, opa_binary
from pratiquectl.conftest.errors import ConftestError
from pratiquectl.conftest.options import Flag, Options, environment

_CONFIG = b"{}"

FLAGS = (
    Flag(name="policy", short="p", kind="text", default="policy", help="folder of policies to push"),
    Flag(name="data", short="d", kind="text", help="folder of data to push (default: that of --policy)"),
    flags.TLS,
    flags.REGO_VERSION,
)


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb's parser."""
    add_help(
        subparsers,
        "push",
        FLAGS,
        usage="pratique push REPOSITORY [flags]",
        help="push conftest policies to an OCI registry",
        description="Push the policies and data of a folder to an OCI registry, with Docker's credentials for it.",
        example="pratique push 127.0.0.1:5000/policies:v1 --policy examples/conftest",
    )


def run_arguments(arguments: Sequence[str]) -> int:
    """Push and print the digest."""
    return execute(arguments, FLAGS, _run)


def _run(options: Options) -> int:
    from attestations.manifest import digest_of
    from pratiquectl.conftest.checking import tls_setting
    from pratiquectl.conftest.registry import Registry, parse_reference

    if not options.arguments:
        print("usage: pratique push REPOSITORY [flags]", file=sys.stderr)
        print("Error: missing required arguments", file=sys.stderr)
        return EXIT_ERROR
    repository = options.arguments[0]
    if "/" not in repository:
        raise ConftestError("destination url missing repository")
    repository = repository.replace("oci://", "")
    if ":" not in repository.rpartition("/")[2]:
        repository += ":latest"
    _log(f"pushing bundle to: {repository}")
    policy, data = options.text("policy"), options.text("data")
    if not policy and not data:
        raise ConftestError("either policy or data must be set")
    try:
        reference = parse_reference(repository)
        layers = _layers(policy, data or policy, options)
        manifest = _manifest(layers)
        digest = digest_of(manifest)
        blobs = [content for _, _, content in layers]
        registry = Registry(reference, tls=tls_setting(options), environ=environment())
        registry.push([*blobs, _CONFIG], manifest, list(dict.fromkeys((digest, reference.reference))))
    except ConftestError as error:
        raise ConftestError(f"push bundle: {error}") from error
    _log(f"pushed bundle with digest: {digest}")
    return 0


def _layers(policy: str, data: str, options: Options) -> list[tuple[str, str, bytes]]:
    """Media type, title and content of each file, after seeing that the policies compile."""
    from pratiquectl.conftest.policies import find_data
    from pratiquectl.conftest.registry import DATA_LAYER_TYPE, POLICY_LAYER_TYPE
    from pratiquectl.conftest.workspace import PolicyOptions, Workspace

    layers = []
    if policy:
        binary = opa_binary("opa")
        if binary is None:
            raise ConftestError("there is no OPA to compile the policies")
        policies = PolicyOptions(policies=[policy], data=[data], rego_version=options.text("rego-version"))
        with Workspace(binary, policies) as workspace:
            workspace.check()
            layers = [(POLICY_LAYER_TYPE, each.path, each.text.encode()) for each in workspace.modules]
    for file in find_data([data]):
        layers.append((DATA_LAYER_TYPE, _clean(file.path), Path(file.path).read_bytes()))
    return layers


def _clean(path: str) -> str:
    from pratiquectl.conftest.inputs import clean

    return clean(path)


def _manifest(layers: Sequence[tuple[str, str, bytes]]) -> bytes:
    """The manifest of the layers, as conftest writes it."""
    from attestations.manifest import digest_of
    from pratiquectl.conftest.gojson import Fields, Number, dumps
    from pratiquectl.conftest.registry import CONFIG_TYPE, TITLE

    descriptors = [
        Fields(
            mediaType=media_type,
            digest=digest_of(content),
            size=Number(len(content)),
            annotations={TITLE: title},
        )
        for media_type, title, content in layers
    ]
    config = Fields(mediaType=CONFIG_TYPE, digest=digest_of(_CONFIG), size=Number(len(_CONFIG)))
    return dumps(Fields(schemaVersion=Number(2), config=config, layers=descriptors or None)).encode()


def _log(message: str) -> None:
    print(f"{time.strftime('%Y/%m/%d %H:%M:%S')} {message}", flush=True)
