"""The manifests under `examples/` and what the baseline makes of each: `examples.yaml` beside this file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.cluster import REPOSITORY

EXAMPLES: Path = REPOSITORY / "examples"
_EXPECTED = Path(__file__).with_suffix(".yaml")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one object comes to: `failed` names every policy that finds something, those that only warn included."""

    kind: str
    name: str
    outcome: str
    failed: tuple[str, ...]


def expected_verdicts() -> Mapping[Path, tuple[Verdict, ...]]:
    """The verdicts on the objects of each example, in the order of the file."""
    return {
        EXAMPLES / file: tuple(
            Verdict(
                kind=entry["object"].split()[0],
                name=entry["object"].split()[1],
                outcome=entry["outcome"],
                failed=tuple(entry["failed"]),
            )
            for entry in entries
        )
        for file, entries in yaml.safe_load(_EXPECTED.read_text()).items()
    }


def namespaces_of_examples() -> list[str]:
    """Every namespace that an example is written for."""
    documents = (obj for file in expected_verdicts() for obj in _objects(file))
    return sorted({obj["metadata"]["namespace"] for obj in documents if "namespace" in obj["metadata"]})


def _objects(file: Path) -> Iterator[Mapping[str, Any]]:
    for document in yaml.safe_load_all(file.read_text()):
        if document is not None:
            yield from document["items"] if document["kind"] == "List" else [document]
