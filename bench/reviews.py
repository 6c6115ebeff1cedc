"""The reviews that all peers are given: captured from the real API server, then marked where each use must differ.

| set | what the load generator changes with every request |
|---|---|
| storm | what tells one pod of a ReplicaSet from the next: name, uid, the name of the token volume |
| distinct | that, and a label, an environment variable and the digest (where there is one) of every image |
"""

from __future__ import annotations

import json
import random
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.capture import capture_bench
from tests.support.cluster import Cluster

CAPTURED = 50
"""Reviews captured for each set."""
_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"
_HEX = "0123456789abcdef"
_MARK = 12
"""Characters of a mark: long enough for every request of a run to be another object."""
_SUFFIX = 5
"""Characters that the API server puts behind a generateName."""
_TOKEN_VOLUME = re.compile(r"kube-api-access-[a-z0-9]{5}")
_DIGEST = re.compile(r"@sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Entry:
    """A body, the verdict that it must get, and the texts in it that the load generator makes unique, by alphabet."""

    body: str
    uid: str
    allowed: bool
    unique: tuple[tuple[str, str], ...]

    def line(self) -> str:
        """The entry as the load generator reads it (tools/loadgen/template.go)."""
        unique = [{"text": text, "alphabet": alphabet} for text, alphabet in self.unique]
        return json.dumps({"body": self.body, "uid": self.uid, "allowed": self.allowed, "unique": unique})


@dataclass(frozen=True, slots=True)
class ReviewSet:
    """Reviews of one shape (`distinct` or `storm`) and one verdict; `path` is their file. The object is what is left of
    a review without what only the API server has a use for (managedFields) and without white space."""

    shape: str
    verdict: str
    path: Path
    count: int
    average_bytes: int
    average_object_bytes: int

    @property
    def name(self) -> str:
        return f"{self.shape}-{self.verdict}"


def capture(folder: Path, *, count: int = CAPTURED) -> dict[str, ReviewSet]:
    """Start an API server, submit `count` pods for each of the four sets and write what it sends to `folder`.

    Raises:
        ToolMissingError: the API server has not been provisioned.
    """
    with tempfile.TemporaryDirectory(prefix="cluster-", dir=folder) as work, Cluster(Path(work) / "cluster") as cluster:
        captured = capture_bench(cluster, Path(work) / "recorder", count=count)
    return write_sets(folder, captured)


def write_sets(folder: Path, captured: Mapping[str, Iterable[bytes]]) -> dict[str, ReviewSet]:
    """The captured bodies of each set, marked and written to `folder`."""
    chance = random.Random(1)  # noqa: S311 - the same marks in every run
    sets = {}
    for name, bodies in captured.items():
        shape, _, verdict = name.partition("-")
        entries = [
            mark(body, distinct=shape == "distinct", allowed=verdict == "compliant", chance=chance) for body in bodies
        ]
        path = folder / f"{name}.jsonl"
        path.write_text("".join(entry.line() + "\n" for entry in entries))
        sizes = [len(entry.body.encode()) for entry in entries]
        objects = [_object_bytes(entry.body) for entry in entries]
        averages = sum(sizes) // len(sizes), sum(objects) // len(objects)
        sets[name] = ReviewSet(shape, verdict, path, len(entries), *averages)
    return sets


def mark(body: bytes, *, distinct: bool, allowed: bool, chance: random.Random) -> Entry:
    """One captured review of a pod, with a mark wherever the load generator has to write."""
    text = body.decode().strip()
    request = json.loads(text)["request"]
    metadata = request["object"]["metadata"]
    name, generated = metadata["name"], metadata.get("generateName")
    unique = [(metadata["uid"], "hex")]
    if distinct:
        made = _mark(text, _HEX, _MARK, chance)
        unique.append((made, "hex"))
        text = _replace(text, f'"{name}"', f'"pod-{made}"')
        text = _replace(text, f'"project":"{metadata["labels"]["project"]}"', f'"project":"p-{made}"')
        text, changed = re.subn(r'("name":"VARIANT","value":)"\d+"', rf'\1"{made}"', text)
        if changed != 1:
            raise ValueError("the review has no environment variable VARIANT")
        text = _DIGEST.sub(lambda found: f"@sha256:{found[1][:-_MARK]}{made}", text)
    elif generated is not None and name.startswith(generated):
        suffix = _mark(text, _BASE36, _SUFFIX, chance)
        unique.append((suffix, "base36"))
        text = _replace(text, f'"{name}"', f'"{generated}{suffix}"')
    else:
        raise ValueError(f"the pod {name} was not made by a controller")
    if found := _TOKEN_VOLUME.search(text):
        suffix = _mark(text, _BASE36, _SUFFIX, chance)
        unique.append((suffix, "base36"))
        text = _replace(text, found[0], f"kube-api-access-{suffix}")
    json.loads(text)
    return Entry(text, request["uid"], allowed, tuple(unique))


def _object_bytes(body: str) -> int:
    submitted = json.loads(body)["request"]["object"]
    submitted["metadata"].pop("managedFields", None)
    return len(json.dumps(submitted, separators=(",", ":"), ensure_ascii=False).encode())


def _mark(text: str, alphabet: str, length: int, chance: random.Random) -> str:
    """A text that does not occur in `text`."""
    while (made := "".join(chance.choices(alphabet, k=length))) in text:
        pass
    return made


def _replace(text: str, old: str, new: str) -> str:
    if old not in text:
        raise ValueError(f"the review does not contain {old}")
    return text.replace(old, new)
