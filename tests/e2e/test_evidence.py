"""Who signed an image decides whether its pods are let in: a real API server, a real registry, the real cosign."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.conftest import Govern, deny_and_warn, make_namespace
from tests.support import workloads
from tests.support.cluster import Client, Cluster, location
from tests.support.cosign import Cosign, Key
from tests.support.load import all_at_once
from tests.support.oci_registry import Running, serve
from tests.support.processes import wait_until
from tests.support.webhook import Webhook

SIGNED_ONLY = {"evidence": "signed-only"}
TOLERANT = {"evidence": "tolerant"}
PINNING = {"evidence": "pinning"}


@dataclass(frozen=True, slots=True)
class Images:
    """A registry with images of each kind, and the key that is trusted."""

    registry: Running
    key: Key
    cosign: Cosign

    def pushed(self, name: str, *, tag: str = "1", signed_with: Key | None = None) -> str:
        """A new image; its reference by digest."""
        image = self.registry.repository(f"team/{name}").image(tag, content=name.encode())
        reference = f"{self.registry.host}/team/{name}@{image.digest}"
        if signed_with is not None:
            self.cosign.sign(reference, signed_with)
        return reference


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Images]:
    cosign = Cosign(tmp_path_factory.mktemp("cosign"))
    with serve() as registry:
        yield Images(registry, cosign.key("ours"), cosign)


def configuration(folder: Path, host: str, key: Key) -> Path:
    """An EvidenceConfig that trusts one key."""
    file = folder / "evidence.yaml"
    spec = {
        "registries": [{"host": host, "plainHTTP": True}],
        "signers": [{"name": "platform", "keys": [{"name": "release", "file": str(key.public)}]}],
    }
    file.write_text(yaml.safe_dump({"apiVersion": "pratique.dev/v1alpha1", "kind": "EvidenceConfig", "spec": spec}))
    return file


def binding(name: str, policy: str, labels: Mapping[str, str], **spec: Any) -> str:
    match = {"kinds": ["workload"], "namespaceSelector": {"matchLabels": dict(labels)}}
    head = {"apiVersion": "pratique.dev/v1alpha1", "kind": "PolicyBinding", "metadata": {"name": name}}
    return yaml.safe_dump({**head, "spec": {"policy": policy, "match": match, **spec}})


def bindings() -> str:
    return "---\n".join(
        (
            deny_and_warn(
                match={"namespaceSelector": {"matchExpressions": [{"key": "evidence", "operator": "DoesNotExist"}]}}
            ),
            binding("signed", "image/signed", SIGNED_ONLY, parameters={"signers": ["platform"]}),
            binding("signed-or-not-known", "image/signed", TOLERANT, onUndecided="warn"),
            binding("pin", "defaults/image-digest", PINNING, mutate=True, enforcement="audit"),
        )
    )


@pytest.fixture(scope="module", params=["opa", "regopy"])
def webhook(
    request: pytest.FixtureRequest, govern: Govern, images: Images, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Webhook]:
    file = configuration(tmp_path_factory.mktemp("evidence"), images.registry.host, images.key)
    with govern(engine=request.param, bindings=bindings(), arguments=("--evidence-config", str(file))) as running:
        yield running


def pod(name: str, namespace: str, image: str) -> dict[str, Any]:
    obj = workloads.pod(name, namespace=namespace)
    obj["spec"] = {"containers": [{"name": "main", "image": image}]}
    return obj


def deployment(name: str, namespace: str, image: str) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "main", "image": image}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": template},
    }


def readings(webhook: Webhook, result: str = "done") -> int:
    found = re.search(
        rf'^pratique_evidence_readings_total{{result="{result}"}} (\S+)$',
        webhook.get("/metrics").data.decode(),
        re.MULTILINE,
    )
    assert found is not None
    return int(float(found[1]))


def test_who_signed_decides(webhook: Webhook, cluster: Cluster, admin: Client, images: Images) -> None:
    namespace = make_namespace(cluster, **SIGNED_ONLY)
    engine = webhook.engine
    unsigned = images.pushed(f"unsigned-{engine}")
    stranger = images.pushed(f"stranger-{engine}", signed_with=images.cosign.key(f"stranger-{engine}"))
    signed = images.pushed(f"signed-{engine}", signed_with=images.key)

    refused = admin.create(pod("a", namespace, unsigned))
    assert refused.status == 403
    assert f'the image "{unsigned}" is not signed (no signature hangs on it' in refused.message.replace(
        f"on {unsigned}", "on it"
    )
    assert "required is a signature of platform" in refused.message
    refused = admin.create(pod("b", namespace, stranger))
    assert refused.status == 403
    assert "has no signature that counts (the signature is by none of the 1 keys that are trusted" in refused.message
    assert admin.create(pod("c", namespace, signed)).status == 201
    outcomes = {row.name: row.outcome for row in webhook.decisions(namespace)}
    assert outcomes == {"a": "denied", "b": "denied", "c": "allowed"}


def test_what_is_signed_afterwards_is_let_in_a_minute_later_at_most(
    webhook: Webhook, cluster: Cluster, admin: Client, images: Images
) -> None:
    """Here at once: the tag leads to another digest, of which nothing is known yet."""
    namespace = make_namespace(cluster, **SIGNED_ONLY)
    repository = f"late-{webhook.engine}"
    images.pushed(repository)
    tag = f"{images.registry.host}/team/{repository}:1"
    assert admin.create(pod("a", namespace, tag)).status == 403
    built = images.registry.repository(f"team/{repository}").image("2", content=b"built again")
    images.cosign.sign(f"{images.registry.host}/team/{repository}@{built.digest}", images.key)
    assert admin.create(pod("b", namespace, tag.removesuffix(":1") + ":2")).status == 201


def test_a_burst_of_pods_is_one_reading_and_their_deployment_has_made_it(
    webhook: Webhook, cluster: Cluster, admin: Client, images: Images
) -> None:
    namespace = make_namespace(cluster, **SIGNED_ONLY)
    signed = images.pushed(f"burst-{webhook.engine}", signed_with=images.key)
    before = readings(webhook)
    attempts = all_at_once(admin.create, [pod(f"p{number}", namespace, signed) for number in range(200)], parallel=50)
    told = Counter(done.response.status for done in attempts)
    assert told == {201: 200}, {done.reason for done in attempts if not done.admitted}
    assert readings(webhook) == before + 1

    elsewhere = make_namespace(cluster, evidence="nobody-asks")
    foreseen = images.pushed(f"foreseen-{webhook.engine}", signed_with=images.key)
    assert admin.create(deployment("server", elsewhere, foreseen)).status == 201
    wait_until(lambda: readings(webhook) > before + 1, timeout_seconds=20, what="the image is read ahead")
    assert admin.create(pod("server", namespace, foreseen)).status == 201
    assert readings(webhook) == before + 2


def test_a_tag_becomes_a_digest_and_stays_in_the_reference(
    webhook: Webhook, cluster: Cluster, admin: Client, images: Images
) -> None:
    namespace = make_namespace(cluster, **PINNING)
    reference = images.pushed(f"pinned-{webhook.engine}", tag="3.1")
    name, _, digest = reference.partition("@")
    assert admin.create(deployment("server", namespace, f"{name}:3.1")).status == 201
    path = location(
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "server", "namespace": namespace}}
    )
    made = admin.get(path).body
    (container,) = made["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"{name}:3.1@{digest}"
    assert made["metadata"]["annotations"]["pratique.dev/mutated"] == (
        '{"DEFAULT-009":["/spec/template/spec/containers/0/image"]}'
    )
    images.registry.repository(f"team/pinned-{webhook.engine}").image("3.1", content=b"moved")
    made["metadata"].pop("managedFields", None)
    made["metadata"]["labels"] = {"touched": "yes"}
    assert admin.request("PUT", path, made).status == 200
    (container,) = admin.get(path).body["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"{name}:3.1@{digest}"


def test_a_registry_that_is_down_is_undecided_and_the_binding_says_what_that_means(
    cluster: Cluster, admin: Client, govern: Govern, tmp_path: Path
) -> None:
    cosign = Cosign(tmp_path)
    key = cosign.key()
    with serve() as registry:
        image = Images(registry, key, cosign).pushed("gone", signed_with=key)
    file = configuration(tmp_path, registry.host, key)
    with govern(engine="opa", bindings=bindings(), arguments=("--evidence-config", str(file))) as webhook:
        strict, tolerant = make_namespace(cluster, **SIGNED_ONLY), make_namespace(cluster, **TOLERANT)
        refused = admin.create(pod("a", strict, image))
        assert refused.status == 500
        assert registry.host in refused.message
        allowed = admin.create(pod("b", tolerant, image))
        assert allowed.status == 201
        assert [warning for warning in allowed.warnings if "there is no connection with 127.0.0.1" in warning]
        rows = [row for namespace in (strict, tolerant) for row in webhook.decisions(namespace)]
        evaluations = [each for row in rows for each in row.record["evaluations"] if each["policy"] == "image/signed"]
        assert [each["result"] for each in evaluations] == ["error", "error"]
