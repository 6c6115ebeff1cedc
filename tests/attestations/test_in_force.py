"""Facts from end to end: a real registry, real signatures of cosign, the store in front, the configuration followed."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from attestations.evidence_file import merged, read_evidence, write_evidence
from attestations.in_force import EvidenceInForce
from attestations.store import FACT_NAMES
from pratique.errors import ConfigError
from pratique.facts import Absent, Fact, Known, Unavailable
from pratique.image import parse_image
from tests.support import documents
from tests.support.cosign import OLD_LAYOUT, Cosign, Key
from tests.support.oci_registry import Pushed, Repository, Running, serve

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def registry() -> Iterator[Running]:
    with serve() as running:
        yield running


@pytest.fixture(scope="module")
def cosign(tmp_path_factory: pytest.TempPathFactory) -> Cosign:
    return Cosign(tmp_path_factory.mktemp("cosign"))


@pytest.fixture(scope="module")
def keys(cosign: Cosign) -> Mapping[str, Key]:
    return {name: cosign.key(name) for name in ("ours", "theirs", "second")}


class Place:
    """A configuration file that trusts some keys, and a registry on plain HTTP."""

    def __init__(self, folder: Path, host: str) -> None:
        self.file = folder / "evidence.yaml"
        self.host = host
        self.trust({})

    def trust(self, signers: Mapping[str, list[Key]], *, threshold: int = 1, **key_fields: str) -> None:
        self.write(
            {
                "registries": [{"host": self.host, "plainHTTP": True}],
                "signers": [
                    {
                        "name": name,
                        "threshold": threshold,
                        "keys": [
                            {"name": f"k{index}", "pem": key.public.read_text(), **key_fields}
                            for index, key in enumerate(keys)
                        ],
                    }
                    for name, keys in signers.items()
                ],
            }
        )

    def write(self, spec: Mapping[str, Any]) -> None:
        document = {"apiVersion": "pratique.dev/v1alpha1", "kind": "EvidenceConfig", "spec": spec}
        self.file.write_text(yaml.safe_dump(document))


@pytest.fixture
def place(tmp_path: Path, registry: Running) -> Place:
    return Place(tmp_path, registry.host)


def within(place: Place, test: Callable[[EvidenceInForce], Awaitable[None]], **options: Any) -> None:
    async def run() -> None:
        evidence = EvidenceInForce(place.file, environ={"PATH": os.environ["PATH"]}, **options)
        try:
            await test(evidence)
        finally:
            await evidence.aclose()

    asyncio.run(asyncio.wait_for(run(), 120))


async def facts(evidence: EvidenceInForce, reference: str, *, seconds: float = 60) -> Mapping[str, Fact]:
    found = {}
    for name in FACT_NAMES:
        gathered = await evidence.sources[name].gather([reference], deadline=time.monotonic() + seconds)
        found[name] = gathered[reference]
    return found


async def signers(evidence: EvidenceInForce, reference: str) -> list[str]:
    fact = (await facts(evidence, reference))["signatures"]
    return list(fact.value["signers"]) if isinstance(fact, Known) else []


def pushed(registry: Running, name: str) -> tuple[Repository, Pushed, str]:
    repository = registry.repository(f"team/{name}")
    image = repository.image("1", content=name.encode())
    return repository, image, f"{registry.host}/team/{name}@{image.digest}"


def test_nothing_hangs_on_it(place: Place, registry: Running) -> None:
    _, image, reference = pushed(registry, "bare")

    async def test(evidence: EvidenceInForce) -> None:
        found = await facts(evidence, reference)
        assert found["digests"].value == {"digest": image.digest}  # type: ignore[union-attr]
        assert found["signatures"] == Absent(f"no signature hangs on {reference}")
        assert found["sbom"] == Absent(f"no SBOM hangs on {reference}")
        assert found["vulnerabilities"] == Absent(f"no scan for vulnerabilities hangs on {reference}")
        assert found["provenance"] == Absent(f"no provenance hangs on {reference}")
        missing = (await facts(evidence, f"{registry.host}/team/nowhere:1"))["signatures"]
        assert isinstance(missing, Absent)
        assert "team/nowhere" in missing.reason

    within(place, test)


@pytest.mark.parametrize("layout", [(), (OLD_LAYOUT,)], ids=["bundle", "sig-tag"])
def test_whose_signature_it_is(
    place: Place, registry: Running, cosign: Cosign, keys: Mapping[str, Key], layout: tuple[str, ...]
) -> None:
    _, _, reference = pushed(registry, f"signed{len(layout)}")
    cosign.sign(reference, keys["ours"], *layout)

    async def test(evidence: EvidenceInForce) -> None:
        found = (await facts(evidence, reference))["signatures"]
        assert isinstance(found, Known)
        assert found.value["signers"] == []
        assert [each["reason"] for each in found.value["refused"]] == ["unknown-key"]
        place.trust({"platform": [keys["ours"]], "others": [keys["theirs"]]})
        await evidence.poll()
        assert evidence.reloads == 1
        assert await signers(evidence, reference) == ["platform"]
        place.trust({"platform": [keys["ours"]]}, validUntil="2020-01-01T00:00:00Z")
        await evidence.poll()
        found = (await facts(evidence, reference))["signatures"]
        assert isinstance(found, Known)
        assert (found.value["signers"], found.value["refused"][0]["reason"]) == ([], "expired")

    within(place, test)


@pytest.mark.parametrize("layout", [(), (OLD_LAYOUT,)], ids=["bundle", "sig-tag"])
def test_two_of_three(
    place: Place, registry: Running, cosign: Cosign, keys: Mapping[str, Key], layout: tuple[str, ...]
) -> None:
    _, _, reference = pushed(registry, f"threshold{len(layout)}")
    place.trust({"board": list(keys.values())}, threshold=2)
    cosign.sign(reference, keys["ours"], *layout)

    async def test(evidence: EvidenceInForce) -> None:
        assert await signers(evidence, reference) == []

    within(place, test)
    cosign.sign(reference, keys["second"], *layout)

    async def again(evidence: EvidenceInForce) -> None:
        assert await signers(evidence, reference) == ["board"]

    within(place, again)


def test_an_index_is_signed_where_it_is_or_all_that_it_names(
    place: Place, registry: Running, cosign: Cosign, keys: Mapping[str, Key]
) -> None:
    repository = registry.repository("team/multi")
    platforms = {name: repository.image(content=name.encode()) for name in ("amd64", "arm64")}
    index = repository.index(
        [each.descriptor(platform={"os": "linux", "architecture": name}) for name, each in platforms.items()]
    )
    whole = f"{registry.host}/team/multi@{index.digest}"
    place.trust({"platform": [keys["ours"]]})
    cosign.sign(f"{registry.host}/team/multi@{platforms['amd64'].digest}", keys["ours"])

    async def half(evidence: EvidenceInForce) -> None:
        assert await signers(evidence, whole) == []

    within(place, half)
    cosign.sign(f"{registry.host}/team/multi@{platforms['arm64'].digest}", keys["ours"])

    async def both(evidence: EvidenceInForce) -> None:
        assert await signers(evidence, whole) == ["platform"]

    within(place, both)


def test_a_signature_of_another_image_is_none(
    place: Place, registry: Running, cosign: Cosign, keys: Mapping[str, Key]
) -> None:
    repository, _, first = pushed(registry, "moved")
    place.trust({"platform": [keys["ours"]]})
    cosign.sign(first, keys["ours"])
    tagged = f"{registry.host}/team/moved:1"

    async def test(evidence: EvidenceInForce) -> None:
        assert await signers(evidence, tagged) == ["platform"]
        other = repository.image("1", content=b"another")
        await asyncio.sleep(1.1)  # TAG_SECONDS
        found = await facts(evidence, tagged)
        assert found["digests"].value == {"digest": other.digest}  # type: ignore[union-attr]
        assert isinstance(found["signatures"], Absent)

    within(place, test)


@pytest.mark.parametrize("layout", [(), (OLD_LAYOUT,)], ids=["bundle", "att-tag"])
def test_what_is_attested_is_a_fact(
    place: Place, registry: Running, cosign: Cosign, keys: Mapping[str, Key], tmp_path: Path, layout: tuple[str, ...]
) -> None:
    _, image, reference = pushed(registry, f"attested{len(layout)}")
    place.trust({"ci": [keys["ours"]]})
    predicate = tmp_path / "sbom.json"
    predicate.write_text(json.dumps(documents.cyclonedx()))
    cosign.attest(reference, keys["ours"], *layout, kind="cyclonedx", predicate=predicate)

    async def test(evidence: EvidenceInForce) -> None:
        found = (await facts(evidence, reference))["sbom"]
        assert isinstance(found, Known)
        (document,) = found.value["documents"]
        assert (document["signed"], document["signers"], document["covers"]) == (True, ["ci"], image.digest)
        assert document["format"] == "CycloneDX"
        assert isinstance((await facts(evidence, reference))["signatures"], Absent)

    within(place, test)


def test_a_burst_is_one_reading(
    place: Place, registry: Running, cosign: Cosign, keys: Mapping[str, Key], tmp_path: Path
) -> None:
    _, _, reference = pushed(registry, "burst")
    place.trust({"platform": [keys["ours"]]})
    cosign.sign(reference, keys["ours"])

    async def test(evidence: EvidenceInForce) -> None:
        source = evidence.sources["signatures"]
        gathered = await asyncio.gather(
            *(source.gather([reference], deadline=time.monotonic() + 20) for _ in range(200))
        )
        assert {each[reference].value["signers"][0] for each in gathered} == {"platform"}  # type: ignore[union-attr]
        assert (evidence.store.readings, evidence.store.failed_readings) == (1, 0)

    within(place, test, state=tmp_path)

    async def later(evidence: EvidenceInForce) -> None:
        assert await signers(evidence, reference) == ["platform"]
        assert evidence.store.readings == 0

    within(place, later, state=tmp_path)


def test_a_registry_that_is_gone_is_not_absence(tmp_path: Path, cosign: Cosign, keys: Mapping[str, Key]) -> None:
    with serve() as running:
        place = Place(tmp_path, running.host)
        place.trust({"platform": [keys["ours"]]})
        _, _, reference = pushed(running, "gone")
        cosign.sign(reference, keys["ours"])

    async def test(evidence: EvidenceInForce) -> None:
        for fact in (await facts(evidence, reference, seconds=3)).values():
            if not isinstance(fact, Known):  # the digest is in the reference
                assert isinstance(fact, Unavailable)
                assert running.host in fact.reason

    within(place, test)


def test_hosts_that_nobody_allowed_are_not_asked(place: Place, registry: Running) -> None:
    place.write(
        {"registries": [{"host": registry.host, "plainHTTP": True}], "allowedRegistries": ["registry.internal"]}
    )
    _, _, reference = pushed(registry, "elsewhere")

    async def test(evidence: EvidenceInForce) -> None:
        for asked in (reference, f"{registry.host}/team/elsewhere:1"):
            fact = (await facts(evidence, asked))["signatures"]
            assert fact == Unavailable(
                f"{registry.host} is none of the registries that the evidence configuration allows to ask"
                " (registry.internal)"
            )

    within(place, test)


def test_a_broken_configuration_leaves_the_last_good_one(
    place: Place, registry: Running, cosign: Cosign, keys: Mapping[str, Key]
) -> None:
    _, _, reference = pushed(registry, "reload")
    place.trust({"platform": [keys["ours"]]})
    cosign.sign(reference, keys["ours"])

    async def test(evidence: EvidenceInForce) -> None:
        place.write({"signers": [{"name": "platform", "keys": [{"name": "k", "pem": "nonsense"}]}]})
        await evidence.poll()
        assert "/spec/signers/0/keys/0/pem" in evidence.problem
        assert await signers(evidence, reference) == ["platform"]
        place.trust({"platform": [keys["theirs"]]})
        await evidence.poll()
        assert evidence.problem == ""
        assert await signers(evidence, reference) == []

    within(place, test)


def test_at_the_start_a_broken_configuration_is_an_error(tmp_path: Path) -> None:
    place = Place(tmp_path, "registry.internal")
    place.write({"signers": [], "registry": [], "builders": [{"name": "b", "ids": ["*"], "signers": ["nobody"]}]})

    async def test() -> None:
        with pytest.raises(ConfigError, match="registry"):
            EvidenceInForce(place.file, environ={})

    asyncio.run(test())


def test_evidence_is_carried_to_where_there_is_no_registry(
    place: Place, registry: Running, cosign: Cosign, keys: Mapping[str, Key], tmp_path: Path
) -> None:
    _, _, reference = pushed(registry, "carried")
    cosign.sign(reference, keys["ours"])
    carried = tmp_path / "carried.json"
    image = parse_image(reference, "")

    async def export(evidence: EvidenceInForce) -> None:
        examined = await evidence.reader.examine(image, image.digest, deadline=time.monotonic() + 20)
        write_evidence(carried, {reference: examined.found})

    within(place, export)
    place.trust({"platform": [keys["ours"]]})
    recorded = merged([read_evidence(carried)])

    async def test(evidence: EvidenceInForce) -> None:
        assert await signers(evidence, reference) == ["platform"]
        other = reference.replace("carried", "bare")
        fact = (await facts(evidence, other))["signatures"]
        assert fact == Unavailable(f"{carried} says nothing of {other}; export it there too")

    within(place, test, recorded=recorded)


def test_carried_evidence_cannot_say_what_is_in_an_index(
    place: Place, registry: Running, cosign: Cosign, keys: Mapping[str, Key], tmp_path: Path
) -> None:
    """Else a signed image could vouch for any other."""
    _, good, reference = pushed(registry, "vouching")
    cosign.sign(reference, keys["ours"])
    image = parse_image(reference, "")
    carried = tmp_path / "carried.json"

    async def export(evidence: EvidenceInForce) -> None:
        examined = await evidence.reader.examine(image, image.digest, deadline=time.monotonic() + 20)
        write_evidence(carried, {reference: examined.found})

    within(place, export)
    document = json.loads(carried.read_text())
    evil = {**document["images"][0], "digest": "sha256:" + "e" * 64}
    carried.write_text(json.dumps({**document, "images": [evil]}))
    with pytest.raises(ConfigError, match="does not have the digest"):
        read_evidence(carried)
    more = {**document["images"][0], "manifests": {good.digest: "", "sha256:" + "f" * 64: "linux/amd64"}}
    carried.write_text(json.dumps({**document, "images": [more]}))
    with pytest.raises(ConfigError, match="other manifests than are said here"):
        read_evidence(carried)


def test_carried_evidence_cannot_leave_out_the_manifest_that_nobody_signed(
    place: Place, registry: Running, cosign: Cosign, keys: Mapping[str, Key], tmp_path: Path
) -> None:
    """Else an index would count as signed because all of its manifests that are left are."""
    repository = registry.repository("team/part")
    first, second = (repository.image(content=name) for name in (b"one", b"two"))
    index = repository.index(
        [each.descriptor(platform={"os": "linux", "architecture": "amd64"}) for each in (first, second)]
    )
    cosign.sign(f"{registry.host}/team/part@{first.digest}", keys["ours"])
    image = parse_image(f"{registry.host}/team/part@{index.digest}", "")
    carried = tmp_path / "carried.json"

    async def export(evidence: EvidenceInForce) -> None:
        examined = await evidence.reader.examine(image, image.digest, deadline=time.monotonic() + 20)
        write_evidence(carried, {image.reference: examined.found})

    within(place, export)
    assert read_evidence(carried).images.keys() == {image.reference}
    document = json.loads(carried.read_text())
    for left in ({first.digest: "linux/amd64"}, {}):
        part = {**document["images"][0], "manifests": left}
        carried.write_text(json.dumps({**document, "images": [part]}))
        with pytest.raises(ConfigError, match="other manifests than are said here"):
            read_evidence(carried)


def test_what_only_says_that_it_is_an_attestation_has_to_be_signed_too(
    place: Place, registry: Running, cosign: Cosign, keys: Mapping[str, Key]
) -> None:
    """A runtime chooses by platform: the note of BuildKit hides nothing from it."""
    repository = registry.repository("team/hidden")
    good, evil = (repository.image(content=name) for name in (b"good", b"evil"))
    platform = {"os": "linux", "architecture": "amd64"}
    notes = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": good.digest}
    index = repository.index(
        [evil.descriptor(platform=platform, annotations=notes), good.descriptor(platform=platform)]
    )
    place.trust({"platform": [keys["ours"]]})
    cosign.sign(f"{registry.host}/team/hidden@{good.digest}", keys["ours"])

    async def test(evidence: EvidenceInForce) -> None:
        assert await signers(evidence, f"{registry.host}/team/hidden@{index.digest}") == []

    within(place, test)
