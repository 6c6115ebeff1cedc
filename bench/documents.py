"""`python -m bench.documents`: how long documents of evidence take to become facts.

Each is made here, of the size that the images of model servers have, and read from its bytes to its element of a fact,
as once for each digest. Times are of the processor, in this one process: nothing waits. The table is printed and, with
`--write`, kept in bench/README.md. An aim that is missed is said there and fails nothing: how fast it is depends on the
machine.

Exit codes: 0 measured, 1 a fact is not what its document says.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from attestations.reading import parsed
from attestations.sbom import sbom_fact
from attestations.scanners import read_report
from attestations.vex import Statements
from attestations.vulnerabilities import vulnerability_fact
from bench.table import README, write_between_marks

COMPONENTS, FINDINGS = 5_000, 2_000
AIM_SECONDS = 0.05
"""For the SBOM in CycloneDX: once for each digest, and still nothing that anybody waits for."""

_LICENCES = ("MIT", "Apache-2.0", "BSD-3-Clause", "GPL-2.0-only WITH Classpath-exception-2.0", "MIT OR Apache-2.0")


@dataclass(slots=True)
class Measured:
    """The processor times of one document, by step, the bytes of it and of its fact, and what the fact counts in it."""

    name: str
    size: int
    fact: int = 0
    seconds: dict[str, list[float]] = field(default_factory=lambda: {"parse": [], "digest": []})
    counted: int = 0

    def median(self, step: str) -> float:
        return statistics.median(self.seconds[step])

    @property
    def whole(self) -> float:
        return self.median("parse") + self.median("digest")


def cyclonedx() -> dict[str, Any]:
    """As syft writes it."""
    components = [
        {
            "bom-ref": f"pkg:pypi/package-{number}@1.{number}?package-id={number:016x}",
            "type": "library",
            "name": f"package-{number}",
            "version": f"1.{number}",
            "cpe": f"cpe:2.3:a:package-{number}:package-{number}:1.{number}:*:*:*:*:*:*:*",
            "purl": f"pkg:pypi/package-{number}@1.{number}",
            "supplier": {"name": "PyPI"},
            "licenses": [{"license": {"id": _LICENCES[number % 3]}}]
            if number % 5 < 3
            else [{"expression": _LICENCES[number % 5]}],
            "hashes": [{"alg": "SHA-256", "content": _hash(number)}],
            "properties": [
                {"name": "syft:package:foundBy", "value": "python-installed-package-cataloger"},
                {"name": "syft:location:0:path", "value": f"/usr/lib/python3/site-packages/package_{number}/METADATA"},
            ],
        }
        for number in range(COMPONENTS)
    ]
    references = [component["bom-ref"] for component in components]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "metadata": {"timestamp": "2026-11-20T08:00:00Z", "component": {"type": "container", "name": "vllm"}},
        "components": components,
        "dependencies": [
            {"ref": reference, "dependsOn": [references[(number + 1) % COMPONENTS]]}
            for number, reference in enumerate(references)
        ],
    }


def spdx() -> dict[str, Any]:
    """As syft and BuildKit write it."""
    packages = [
        {
            "SPDXID": f"SPDXRef-Package-{number}",
            "name": f"package-{number}",
            "versionInfo": f"1.{number}",
            "supplier": "Organization: PyPI",
            "downloadLocation": "NOASSERTION",
            "filesAnalyzed": False,
            "licenseConcluded": "NOASSERTION",
            "licenseDeclared": _LICENCES[number % 5],
            "checksums": [{"algorithm": "SHA256", "checksumValue": _hash(number)}],
            "externalRefs": [
                {
                    "referenceCategory": "PACKAGE-MANAGER",
                    "referenceType": "purl",
                    "referenceLocator": f"pkg:pypi/package-{number}@1.{number}",
                }
            ],
        }
        for number in range(COMPONENTS)
    ]
    return {
        "spdxVersion": "SPDX-2.3",
        "creationInfo": {"created": "2026-11-20T08:00:00Z", "creators": ["Tool: syft-1.38.0"]},
        "packages": packages,
        "relationships": [
            {
                "spdxElementId": "SPDXRef-DOCUMENT",
                "relationshipType": "DESCRIBES",
                "relatedSpdxElement": package["SPDXID"],
            }
            for package in packages
        ],
    }


def trivy() -> dict[str, Any]:
    """As trivy writes it with `--list-all-pkgs`."""
    packages = [
        {"Name": f"package-{number}", "Version": "1", "Identifier": {"PURL": f"pkg:pypi/package-{number}@1"}}
        for number in range(COMPONENTS)
    ]
    found = [
        {
            "VulnerabilityID": f"CVE-2026-{number}",
            "PkgName": f"package-{number}",
            "PkgIdentifier": {"PURL": f"pkg:pypi/package-{number}@1"},
            "InstalledVersion": "1",
            "FixedVersion": "2",
            "Severity": ("LOW", "MEDIUM", "HIGH", "CRITICAL")[number % 4],
            "Description": "It does what it should not. " * 20,
            "References": [f"https://example.com/{number}/{reference}" for reference in range(5)],
            "PublishedDate": "2026-10-01T00:00:00Z",
        }
        for number in range(FINDINGS)
    ]
    return {"SchemaVersion": 2, "ArtifactName": "vllm", "Results": [{"Packages": packages, "Vulnerabilities": found}]}


def _hash(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


DOCUMENTS: Mapping[str, tuple[Callable[[], dict[str, Any]], Callable[[Any], dict[str, Any]], int]] = {
    f"CycloneDX 1.6, {COMPONENTS:,} components": (cyclonedx, sbom_fact, COMPONENTS),
    f"SPDX 2.3, {COMPONENTS:,} packages": (spdx, sbom_fact, COMPONENTS),
    f"trivy, {FINDINGS:,} findings in {COMPONENTS:,} packages": (
        trivy,
        lambda value: vulnerability_fact(read_report(value), Statements([]), digests=frozenset()),
        FINDINGS,
    ),
}
"""By name: what makes it, what makes a fact of it, and what that has to count."""


def measure(rounds: int) -> list[Measured]:
    """Each document, so many times."""
    measured = []
    for name, (make, digest, _) in DOCUMENTS.items():
        content = orjson.dumps(make())
        entry = Measured(name, len(content))
        for _ in range(rounds):
            started = time.process_time()
            value = parsed(content)
            between = time.process_time()
            fact = digest(value)
            ended = time.process_time()
            entry.seconds["parse"].append(between - started)
            entry.seconds["digest"].append(ended - between)
            entry.fact = len(orjson.dumps(fact))
            entry.counted = fact["components"] if "components" in fact else sum(fact["counts"].values())
        measured.append(entry)
    return measured


def table_of(measured: Sequence[Measured], rounds: int) -> str:
    day, load = f"{datetime.now(UTC):%Y-%m-%d}", os.getloadavg()[0]
    lines = [
        f"{day}: {os.cpu_count()} cores, load {load:.1f}; medians of {rounds} runs (lowest, highest), processor time.",
        "",
        "| document | MB | parse, ms | check and digest, ms | together, ms | fact, KB |",
        "|---|---|---|---|---|---|",
    ]
    for entry in measured:
        steps = [
            f"{entry.median(step) * 1e3:.0f} ({min(times) * 1e3:.0f} to {max(times) * 1e3:.0f})"
            for step, times in entry.seconds.items()
        ]
        sizes = f"{entry.size / 1e6:.1f}", f"{entry.fact / 1e3:.0f}"
        lines.append(f"| {entry.name} | {sizes[0]} | {' | '.join(steps)} | {entry.whole * 1e3:.0f} | {sizes[1]} |")
    met = "met" if measured[0].whole < AIM_SECONDS else "**missed** on this machine"
    lines += ["", f"Aim: {measured[0].name} in less than {AIM_SECONDS * 1e3:.0f} ms: {met}."]
    return "\n".join(lines) + "\n"


def are_right(measured: Sequence[Measured]) -> bool:
    """Whether each fact counts what its document lists."""
    return all(entry.counted == DOCUMENTS[entry.name][2] for entry in measured)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.documents", description="from documents to facts")
    parser.add_argument("--rounds", type=int, default=15, help="runs of each document (default: 15)")
    parser.add_argument("--write", action="store_true", help="write the table into bench/README.md")
    given = parser.parse_args(arguments)
    measured = measure(given.rounds)
    table = table_of(measured, given.rounds)
    print(table)
    if given.write:
        write_between_marks(README, table, "documents")
    return int(not are_right(measured))


if __name__ == "__main__":
    sys.exit(main())
