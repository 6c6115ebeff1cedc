"""`python -m bench.evidence`: what looking up evidence costs, against a real registry that answers after 20 ms.

Each scenario is an EvidenceSource asked as the engine asks it, in one process: cold (nothing known), warm (in memory),
a pod of 40 images, a burst of 500 pods of one image, and 15 trusted keys with 3 signatures on the image. Requests are
counted on the way to the registry. With `--write`, the table is kept in bench/README.md and the figures beside the
others.

Exit codes: 0 done, 2 it could not be run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from attestations.evidence_config import EvidenceConfiguration
from attestations.image_reader import ImageReader, Registries
from attestations.registry import RegistryClient
from attestations.registry_settings import HostSettings, RegistrySettings
from attestations.store import EvidenceSource, EvidenceStore
from attestations.transport import connect
from attestations.trust import TrustConfiguration
from bench import machine
from bench.table import README, write_between_marks
from pratique.facts import Known
from tests.support import documents, signatures
from tests.support.cluster import ToolMissingError
from tests.support.oci_registry import Pushed, Repository, Running, serve

DELAY_MILLISECONDS = 20
IMAGES_OF_A_POD = 40
PODS_OF_A_BURST = 500
KEYS, SIGNATURES = 15, 3
DEADLINE_SECONDS = 60.0
COMPONENTS = 5_000
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"


class CountingTransport(httpx.AsyncBaseTransport):
    """Counts what is sent through `inner`."""

    def __init__(self, inner: httpx.AsyncBaseTransport, counter: list[str]) -> None:
        self._inner = inner
        self._counter = counter

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._counter.append(request.url.path)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


@dataclass
class Measured:
    """The times of one scenario in milliseconds, and the requests of one of its runs."""

    name: str
    milliseconds: list[float] = field(default_factory=list)
    requests: int = 0

    def quantile(self, share: float) -> float:
        ordered = sorted(self.milliseconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Place:
    """A registry, signed images in it, and sources that have never asked it."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._keys = [signatures.Key(name=name) for name in ("one", "two", "three")]
        self._others = [signatures.Key(name=f"other {number}") for number in range(KEYS)]

    def image(self, name: str, *, signed: int = 1, sbom: bytes | None = None) -> str:
        """A new image with so many signatures, and perhaps an SBOM; its reference."""
        repository = self._running.repository(f"bench/{name}")
        image = repository.image(content=name.encode())
        for key in self._keys[:signed]:
            self._bundle(repository, image, key, signatures.statement(image.digest))
        if sbom is not None:
            predicate = json.loads(sbom)
            statement = signatures.statement(
                image.digest, predicate_type="https://cyclonedx.org/bom", predicate=predicate
            )
            self._bundle(repository, image, self._keys[0], statement)
        return f"{self._running.host}/bench/{name}@{image.digest}"

    def _bundle(self, repository: Repository, image: Pushed, key: signatures.Key, statement: bytes) -> None:
        content = json.dumps(signatures.dsse_bundle(key, statement)).encode()
        repository.artifact([(BUNDLE, content, {})], subject=image, artifact_type=BUNDLE)

    def source(self, name: str, requests: list[str], *, keys: int = 1) -> tuple[EvidenceSource, RegistryClient]:
        """A source that knows nothing yet, and counts what it asks."""
        settings = RegistrySettings((HostSettings(self._running.host, plain_http=True),))

        def counted(context: Any, of: RegistrySettings) -> httpx.AsyncBaseTransport:
            return CountingTransport(connect(context, of), requests)

        client = RegistryClient(settings, connect=counted)
        trusted = [self._keys[0], *self._others[: keys - 1]]
        trust = TrustConfiguration((signatures.keys_of(*trusted),))
        reader = ImageReader(EvidenceConfiguration(settings, trust), Registries(client))
        return EvidenceSource(name, EvidenceStore(reader)), client


async def timed(what: Callable[[], Awaitable[Any]]) -> float:
    """Milliseconds."""
    started = time.perf_counter()
    await what()
    return (time.perf_counter() - started) * 1000


async def gathered(source: EvidenceSource, references: Sequence[str]) -> None:
    """One question, as the engine asks it. Raises: ValueError: there is no answer."""
    facts = await source.gather(references, deadline=time.monotonic() + DEADLINE_SECONDS)
    for reference, fact in facts.items():
        if not isinstance(fact, Known):
            raise ValueError(f"{reference}: {fact.reason}")


async def measure(place: Place, rounds: int) -> list[Measured]:
    """Each scenario `rounds` times, in turn, each time with a source that knows nothing."""
    sbom = json.dumps(
        documents.cyclonedx(*(documents.component(f"package-{number}") for number in range(COMPONENTS)))
    ).encode()
    one, signed3 = place.image("one"), place.image("three", signed=SIGNATURES)
    large = place.image("large", sbom=sbom)
    many = [place.image(f"many-{number}") for number in range(IMAGES_OF_A_POD)]
    cold, warm, of_15, pod, burst, with_sbom = (
        Measured(name)
        for name in (
            "one image, cold",
            "one image, warm",
            f"one image, {SIGNATURES} signatures, {KEYS} keys, cold",
            f"a pod of {IMAGES_OF_A_POD} images, cold",
            f"{PODS_OF_A_BURST} pods of one image at once, cold",
            f"an SBOM of {COMPONENTS:,} components, cold",
        )
    )
    for _ in range(rounds):
        for entry, references, keys in ((cold, [one], 1), (of_15, [signed3], KEYS), (pod, many, 1)):
            requests: list[str] = []
            source, client = place.source("signatures", requests, keys=keys)
            entry.milliseconds.append(await timed(lambda s=source, r=references: gathered(s, r)))  # type: ignore[misc]
            entry.requests = len(requests)
            if entry is cold:
                before = len(requests)
                warm.milliseconds += [await timed(lambda s=source: gathered(s, [one])) for _ in range(200)]  # type: ignore[misc]
                warm.requests = len(requests) - before
            await client.aclose()
        requests = []
        source, client = place.source("signatures", requests)
        times = await asyncio.gather(
            *(timed(lambda s=source: gathered(s, [one])) for _ in range(PODS_OF_A_BURST))  # type: ignore[misc]
        )
        burst.milliseconds += times
        burst.requests = len(requests)
        await client.aclose()
        requests = []
        source, client = place.source("sbom", requests)
        with_sbom.milliseconds.append(await timed(lambda s=source: gathered(s, [large])))  # type: ignore[misc]
        with_sbom.requests = len(requests)
        await client.aclose()
    return [cold, warm, of_15, pod, burst, with_sbom]


def table_of(measured: Sequence[Measured], rounds: int, memory_mb: float) -> str:
    """For bench/README.md."""
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}: {rounds} rounds; the registry answers after {DELAY_MILLISECONDS} ms."
        f" Peak memory of the process that asks and verifies: {memory_mb:.0f} MB.",
        "",
        "| scenario | p50 ms | p99 ms | requests |",
        "|---|---|---|---|",
    ]
    for each in measured:
        p50, p99 = statistics.median(each.milliseconds), each.quantile(0.99)
        lines.append(f"| {each.name} | {p50:,.2f} | {p99:,.2f} | {each.requests} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and with `--write` keep it."""
    parser = argparse.ArgumentParser(prog="python -m bench.evidence", description="what looking up evidence costs")
    parser.add_argument("--rounds", type=int, default=15, help="runs of each scenario (default: 15)")
    parser.add_argument("--write", action="store_true", help="write the table into bench/README.md, and the figures")
    given = parser.parse_args(arguments)
    try:
        with serve(delay_milliseconds=DELAY_MILLISECONDS) as running:
            measured = asyncio.run(measure(Place(running), given.rounds))
    except (ToolMissingError, AssertionError, ValueError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3  # in KiB on Linux
    table = table_of(measured, given.rounds, memory)
    print(table)
    if given.write:
        write(measured, table, memory)
    return 0


def write(measured: Sequence[Measured], table: str, memory_mb: float) -> None:
    """The table into bench/README.md, the figures into bench/results."""
    write_between_marks(README, table, "evidence")
    with tempfile.TemporaryDirectory() as folder:
        about = machine.describe(Path(folder))
    document = {
        "machine": about,
        "memory_mb": round(memory_mb, 1),
        "scenarios": {
            each.name: {
                "p50_ms": round(statistics.median(each.milliseconds), 3),
                "p99_ms": round(each.quantile(0.99), 3),
                "requests": each.requests,
            }
            for each in measured
        },
    }
    file = README.parent / "results" / f"evidence-{datetime.now(UTC):%Y-%m-%d}-{machine.slug(about)}.json"
    file.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
