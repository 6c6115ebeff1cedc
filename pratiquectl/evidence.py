"""`pratique evidence`: look at what hangs on images, read it ahead, carry it elsewhere, and add our own decision."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from attestations.evidence import Found
from attestations.evidence_config import EvidenceConfiguration
from attestations.evidence_file import IMPORTED_NAME, merged, read_evidence, write_evidence
from attestations.image_reader import Registries
from attestations.images import images_of, reference_of
from attestations.in_force import EvidenceInForce, credentials_of, read_all_evidence
from attestations.store import FACT_NAMES, MAX_READINGS
from pratique.decision import Decision, Door, Patch
from pratique.errors import ConfigError, EvidenceUnavailable, InputError, PratiqueError, Problem
from pratique.facts import Absent, Known
from pratique.image import parse_image
from pratique.kinds import subject_of
from pratique.patches import apply, find, tokens
from pratique.replace_file import replace_file
from pratique.subject import ImageRef, Workload
from pratiquectl.__main__ import EXIT_DONE, EXIT_ERROR, Subparsers
from pratiquectl.check import DECISION_SECONDS, engine_over
from pratiquectl.evidence_text import write_examination
from pratiquectl.manifests import Manifest, read_manifests
from pratiquectl.options import (
    add_engine,
    add_evidence,
    add_evidence_config,
    add_judging,
    add_state,
    clock,
    load_judging,
    request_of,
)
from reports.text import visible

SECONDS = 60.0
"""How long one image may take to be read."""
_LONGEST = 2_000
"""Characters of a reason why one could not."""

T = TypeVar("T")


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb's parser."""
    parser = subparsers.add_parser(
        "evidence",
        help="look at signatures, SBOMs, scans and provenance of images, or carry them elsewhere",
        description="What hangs on images in registries: signatures, SBOMs, scans for vulnerabilities, provenance. "
        "docs/evidence.md has the configuration that says who is trusted.",
        epilog="Example: pratique evidence show registry.internal/serving/vllm:0.11.0 --evidence-config evidence.yaml",
        allow_abbrev=False,
    )
    what = parser.add_subparsers(title="what", dest="what", metavar="show|prefetch|export|import|attest", required=True)
    shown = what.add_parser(
        "show",
        help="everything that hangs on an image, verified or not, and why",
        description="Show everything that hangs on an image: what counts, what does not, and why.",
        epilog="Example: pratique evidence show registry.internal/serving/vllm:0.11.0 --evidence-config evidence.yaml",
        allow_abbrev=False,
    )
    shown.add_argument("image", metavar="IMAGE", help="an image reference, or oci:// and a model")
    shown.add_argument("-o", "--output", default="text", choices=("text", "json"), help="format (default: text)")
    fetched = what.add_parser(
        "prefetch",
        help="read what hangs on images before anybody waits for it",
        description="Read what hangs on the images of manifests, and keep it in the state folder of the server. Exit "
        "code 2: something could not be read.",
        epilog="Example: pratique evidence prefetch registry.internal/serving/vllm:0.11.0 "
        "--evidence-config evidence.yaml",
        allow_abbrev=False,
    )
    exported = what.add_parser(
        "export",
        help="write what hangs on images into a file, byte by byte",
        description="Write what hangs on images into a file, to be read where no registry can be asked: with "
        "--evidence of check, or by import. Nothing in it has to be believed: who reads it verifies it.",
        epilog="Example: pratique evidence export registry.internal/serving/vllm:0.11.0 -f evidence.json "
        "--evidence-config evidence.yaml",
        allow_abbrev=False,
    )
    for each in (fetched, exported):
        each.add_argument("paths", nargs="+", metavar="PATH|IMAGE", help="manifests, or image references")
    exported.add_argument("-f", "--file", type=Path, required=True, metavar="FILE", help="the file to write")
    imported = what.add_parser(
        "import",
        help="put exported evidence into the state folder of a server",
        description="Put exported evidence into the state folder of a server, beside what is there. It counts beside "
        "what hangs in the registry, and alone where that does not answer.",
        epilog="Example: pratique evidence import evidence.json",
        allow_abbrev=False,
    )
    imported.add_argument("files", nargs="+", type=Path, metavar="FILE", help="what export wrote")
    attested = what.add_parser(
        "attest",
        help="sign what we decide about an image, as evidence for others",
        description="Judge an object that runs an image, and write the policies that passed as a signed in-toto "
        "statement (Simple Verification Result) in a Sigstore bundle: into a file, which `cosign "
        "verify-blob-attestation` and `pratique verify-bundle` verify, or beside the image in its registry, where "
        "`cosign verify-attestation` and `pratique evidence show` find it.",
        epilog="Example: pratique evidence attest registry.internal/serving/vllm:0.11.0 --key grace.pem "
        "-f decision.sigstore.json --evidence-config evidence.yaml",
        allow_abbrev=False,
    )
    attested.add_argument("image", metavar="IMAGE")
    attested.add_argument(
        "--manifest", metavar="FILE", help="the object that runs it (default: a Pod with one container)"
    )
    attested.add_argument("--key", type=Path, required=True, metavar="FILE", help="private key in PEM")
    attested.add_argument("-f", "--file", type=Path, metavar="FILE", help="the bundle to write")
    attested.add_argument(
        "--push", action="store_true", help="hang the bundle on the image in its registry, with the logins for it"
    )
    attested.add_argument(
        "--namespace", default="default", metavar="NS", help="for objects that do not name theirs (default: default)"
    )
    add_engine(attested)
    add_judging(attested)
    for each in (fetched, imported):
        add_state(each)
    add_evidence(shown)
    for each in (fetched, exported):
        add_evidence_config(each)
        each.set_defaults(evidence=[])


def run(args: argparse.Namespace) -> int:
    """Do what is asked for.

    Raises:
        LoadError, InputError, EvidenceUnavailable, EvaluationError: it cannot be done.
    """
    match args.what:
        case "show":
            return asyncio.run(_show(args))
        case "prefetch":
            return asyncio.run(_prefetch(args))
        case "export":
            return asyncio.run(_export(args))
        case "import":
            return _import(args)
    return asyncio.run(_attest(args))


# Show


async def _show(args: argparse.Namespace) -> int:
    image = _image(args.image)
    async with _reading(args) as evidence:
        digest, deadline = await _resolved(evidence, image)
        examination = await evidence.reader.examine(image, digest, deadline=deadline)
    write_examination(examination, args.image, sys.stdout, output=args.output)
    return EXIT_DONE


@asynccontextmanager
async def _reading(args: argparse.Namespace, *, state: Path | None = None) -> AsyncIterator[EvidenceInForce]:
    """The evidence that the options say, without any as found where nobody is trusted; closed at the end.

    Raises:
        ConfigError: they cannot be used.
    """
    recorded = read_all_evidence(args.evidence)
    evidence = EvidenceInForce(args.evidence_config, environ=os.environ, state=state, recorded=recorded)
    try:
        yield evidence
    finally:
        await evidence.aclose()


def _image(text: str) -> ImageRef:
    """Raises: InputError."""
    image = parse_image(reference_of(text), "")
    if image.error:
        raise InputError(f"{visible(text)} is not an image reference: {image.error}")
    return image


async def _resolved(evidence: EvidenceInForce, image: ImageRef) -> tuple[str, float]:
    """The digest of the image, and by when it is to be read. Raises: NotFound, EvidenceUnavailable."""
    deadline = time.monotonic() + SECONDS
    return image.digest or await evidence.reader.resolve(image, deadline=deadline), deadline


# Several images


def _images(paths: Sequence[str]) -> dict[str, ImageRef]:
    """The images that are named, and those of the manifests at paths, by reference.

    Raises:
        ConfigError: something cannot be read. InputError: what is no path is no image either, or there are no images.
    """
    images: dict[str, ImageRef] = {}
    problems: list[Problem] = []
    for path in paths:
        if not Path(path).exists():
            images[path] = _image(path)
            continue
        for item in read_manifests([path]):
            if isinstance(item, Problem):
                problems.append(item)
            elif isinstance(item, Manifest):
                try:
                    images |= images_of(subject_of(item.object, namespace="default"))
                except InputError as error:
                    problems.append(Problem(item.file, f"line {item.line}", str(error)))
    if problems:
        raise ConfigError(*problems)
    if not images:
        raise InputError("there is no image in these manifests")
    return images


async def _each(images: Mapping[str, ImageRef], read: Callable[[str, ImageRef], Awaitable[T]]) -> list[T]:
    """What `read` says of each image, in their order; some are read at one time, so that each has all of its time."""
    places = asyncio.Semaphore(MAX_READINGS)

    async def one(reference: str, image: ImageRef) -> T:
        async with places:
            return await read(reference, image)

    return await asyncio.gather(*(one(*each) for each in sorted(images.items())))


async def _prefetch(args: argparse.Namespace) -> int:
    images = _images(args.paths)
    args.state.mkdir(parents=True, exist_ok=True)
    async with _reading(args, state=args.state) as evidence:

        async def read(reference: str, image: ImageRef) -> str:
            try:
                known = await evidence.store.get(image, FACT_NAMES, deadline=time.monotonic() + SECONDS)
            except PratiqueError as error:
                print(f"pratique: {visible(reference)}: {visible(str(error), limit=_LONGEST)}", file=sys.stderr)
                return ""
            has = [name for name in FACT_NAMES[1:] if isinstance(known.facts[name], Known)]
            lacks = [name for name in FACT_NAMES[1:] if isinstance(known.facts[name], Absent)]
            said = ", ".join(has) or "nothing"
            return f"{reference}: {said}{' (no ' + ', '.join(lacks) + ')' if lacks else ''}"

        lines = await _each(images, read)
    for line in filter(None, lines):
        print(visible(line))
    return EXIT_DONE if all(lines) else EXIT_ERROR


async def _export(args: argparse.Namespace) -> int:
    images = _images(args.paths)
    found: dict[str, Found] = {}
    async with _reading(args) as evidence:

        async def read(reference: str, image: ImageRef) -> bool:
            try:
                digest, deadline = await _resolved(evidence, image)
                examination = await evidence.reader.examine(image, digest, deadline=deadline)
            except PratiqueError as error:
                print(f"pratique: {visible(str(error), limit=_LONGEST)}", file=sys.stderr)
                return False
            found[reference_of(reference)] = examination.found
            return True

        failures = (await _each(images, read)).count(False)
    if failures:
        raise EvidenceUnavailable(f"{args.file} was not written, because {failures} images could not be read")
    write_evidence(args.file, found)
    pieces = sum(len(each.pieces) for each in found.values())
    print(f"{args.file}: {pieces} pieces of evidence about {len(found)} images", file=sys.stderr)
    return EXIT_DONE


def _import(args: argparse.Namespace) -> int:
    args.state.mkdir(parents=True, exist_ok=True)
    target = args.state / IMPORTED_NAME
    files = [read_evidence(file) for file in ([target] if target.exists() else []) + args.files]
    images = merged(files).images
    write_evidence(target, images)
    print(f"{target}: evidence about {len(images)} images", file=sys.stderr)
    return EXIT_DONE


# Attest


async def _attest(args: argparse.Namespace) -> int:
    # Imported here: only this needs a private key.
    from attestations.bundle_writing import bundle_annotations, signed_bundle
    from attestations.decision_statement import STATEMENT_MEDIA_TYPE, statement_bytes, statement_of_decision
    from attestations.signers import signer_of

    if args.file is None and not args.push:
        raise InputError("say where the bundle goes: into a file with -f, to the image's registry with --push, or both")
    signer = signer_of(args.key)
    image = _image(args.image)
    policies, configuration = load_judging(args)
    async with _reading(args) as evidence:
        digest, _ = await _resolved(evidence, image)
        trusted = evidence.reader.configuration
    found = [_pinned(_manifest(args, image), image, digest, namespace=args.namespace)]
    async with engine_over(found, args, policies, configuration, clock=clock(args)) as engine:
        subject = subject_of(found[0].object, namespace=args.namespace)
        decision: Decision = await engine.decide(
            subject, Door.CI, request=request_of(args), deadline=time.monotonic() + DECISION_SECONDS
        )
    statement = statement_of_decision(decision, [(f"{image.registry}/{image.repository}", digest)])
    bundle = signed_bundle(STATEMENT_MEDIA_TYPE, statement_bytes(statement), signer)
    properties: Iterable[str] = statement["predicate"]["properties"]
    said = f"{', '.join(properties)} about {image.repository}@{digest}"
    content = json.dumps(bundle, indent=2).encode() + b"\n"
    if args.file is not None:
        replace_file(args.file, content, mode=0o644)
        print(f"{args.file}: {said}", file=sys.stderr)
    if args.push:
        annotations = bundle_annotations(statement["predicateType"], decision.time)
        made = await _push(trusted, image, digest, content, annotations)
        print(f"{image.registry}/{image.repository}@{made}: {said}", file=sys.stderr)
    return EXIT_DONE


async def _push(
    trusted: EvidenceConfiguration, image: ImageRef, digest: str, content: bytes, annotations: Mapping[str, str]
) -> str:
    """The digest of the manifest that hangs the bundle on the image.

    Raises:
        NotFound, RegistryFailure: the registry does not take it.
    """
    # Imported here: only this writes to registries.
    from attestations.bundle_writing import MEDIA_TYPE
    from attestations.upload import UploadClient

    client = UploadClient(trusted.registries, credentials_of(trusted, os.environ))
    try:
        Registries(client, trusted.allowed).check(image)
        return await client.attach(
            *(image.registry, image.repository, digest, content),
            media_type=MEDIA_TYPE,
            annotations=annotations,
            deadline=time.monotonic() + SECONDS,
        )
    finally:
        await client.aclose()


def _manifest(args: argparse.Namespace, image: ImageRef) -> Manifest:
    """The object that runs the image. Raises: ConfigError, InputError."""
    if args.manifest is None:
        return Manifest("(a Pod)", 0, _pod(image.reference))
    items = list(read_manifests([args.manifest]))
    if problems := [item for item in items if isinstance(item, Problem)]:
        raise ConfigError(*problems)
    running = [
        item
        for item in items
        if isinstance(item, Manifest)
        and image.reference in images_of(subject_of(item.object, namespace=args.namespace))
    ]
    if len(running) != 1:
        raise InputError(f"{args.manifest} holds {len(running)} objects that run {image.reference}; name one with one")
    return running[0]


def _pinned(manifest: Manifest, image: ImageRef, digest: str, *, namespace: str) -> Manifest:
    """The object with the digest behind the image's tag: what is judged is what is attested, whatever the tag names by
    then. Raises: InputError."""
    if image.digest:
        return manifest
    subject = subject_of(manifest.object, namespace=namespace)
    images = subject.content.images if isinstance(subject, Workload) else ()
    places = [each.path for each in images if each.reference == image.reference]
    if any(find(manifest.object, tokens(place)) != image.reference for place in places):
        raise InputError(f"{manifest.file} does not write {image.reference} in one piece; name the image by its digest")
    patches = [Patch("replace", place, f"{image.reference}@{digest}") for place in places]
    return replace(manifest, object=apply(manifest.object, patches))


def _pod(reference: str) -> dict[str, Any]:
    metadata: Mapping[str, str] = {"name": "image"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"containers": [{"name": "image", "image": reference}]},
    }
