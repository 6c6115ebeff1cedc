"""The platform's own kinds on a real API server: their definitions, and what the recommended bindings make of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pratique.platform_crd import PLURALS
from tests.e2e.conftest import Govern
from tests.support.cluster import REPOSITORY, Client, Cluster
from tests.support.webhook import Webhook

_BINDINGS = REPOSITORY / "policies" / "levels" / "recommended" / "platform.yaml"
_EXAMPLES = REPOSITORY / "examples"
_NAMESPACE = "customer-experience"


@pytest.fixture(scope="module", params=["opa", "regopy"])
def platform(
    request: pytest.FixtureRequest, cluster: Cluster, admin: Client, platform_kinds: None, govern: Govern
) -> Iterator[Webhook]:
    if not admin.get(f"/api/v1/namespaces/{_NAMESPACE}").ok:  # the examples have it, too
        cluster.create_namespace(_NAMESPACE)
    with govern(engine=request.param, bindings=_BINDINGS.read_text() + _MORE) as webhook:
        yield webhook


_MORE = """
---
apiVersion: pratique.dev/v1alpha1
kind: PolicyBinding
metadata: {name: gpu-limit}
spec: {policy: gpu/limit, match: {namespaces: {exclude: [kube-system, pratique-system]}}}
---
apiVersion: pratique.dev/v1alpha1
kind: PolicyBinding
metadata: {name: image-digest}
spec: {policy: image/digest, match: {namespaces: {exclude: [kube-system, pratique-system]}}}
"""
"""What counts the accelerators of an AIModel, and what refuses the pod that the webhook is probed with."""


def test_the_files_of_the_chart_are_taken_by_kubectl(cluster: Cluster, platform_kinds: None) -> None:
    for plural in PLURALS.values():
        file = REPOSITORY / "charts" / "pratique" / "crds" / f"{plural}.yaml"
        done = cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", file)
        assert (done.returncode, done.stderr) == (0, "")


def test_what_is_in_order_is_let_in_and_shown(cluster: Cluster, platform: Webhook) -> None:
    for name in ("ai-model.yaml", "ai-workspace.yaml", "model-registry.yaml"):
        done = cluster.kubectl("apply", "-f", _EXAMPLES / name)
        assert (done.returncode, done.stderr) == (0, "")
    rows = {
        kind: cluster.kubectl("get", kind, *more).stdout.split("\n")[:2]
        for kind, more in (("aimodels", ("-n", _NAMESPACE)), ("aiworkspaces", ()), ("modelregistries", ()))
    }
    shown = {kind: [re.split(r"\s{2,}", line)[:-1] for line in lines] for kind, lines in rows.items()}
    source = "registry.internal/models/mistral-7b:v2.0"
    assert shown == {
        "aimodels": [["NAME", "MODEL", "GPU", "MIN", "MAX"], ["support-assistant", source, "nvidia-a10g", "2", "4"]],
        "aiworkspaces": [
            ["NAME", "TEAM", "ENVIRONMENT", "GPUS", "EXPIRY"],
            ["customer-experience", "customer-experience", "development", "4", "30d"],
        ],
        "modelregistries": [["NAME", "STORAGE", "BUCKET", "REGION"], ["models", "s3", "models", "eu-west-1"]],
    }


def test_fields_of_the_controller_are_not_pruned(cluster: Cluster, platform: Webhook, tmp_path: Path) -> None:
    manifest = tmp_path / "model.yaml"
    text = (_EXAMPLES / "ai-model.yaml").read_text()
    manifest.write_text(
        text.replace("    maxConcurrency: 32\n", "    maxConcurrency: 32\n    tokenizer: {mode: slow}\n")
    )
    assert cluster.kubectl("apply", "-f", manifest).returncode == 0
    found = cluster.kubectl(
        *("get", "aimodel", "support-assistant", "-n", _NAMESPACE, "-o", "jsonpath={.spec.serving.tokenizer.mode}")
    )
    assert found.stdout == "slow"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ai-model-from-a-hub.yaml", {"PLATFORM-001", "PLATFORM-002", "PLATFORM-004", "GPU-001"}),
        ("ai-workspace-for-ever.yaml", {"PLATFORM-007", "PLATFORM-008", "PLATFORM-009", "PLATFORM-010"}),
        ("model-registry-misspelt.yaml", {"PLATFORM-005", "PLATFORM-006"}),
    ],
)
def test_what_is_not_is_refused_with_every_reason(
    cluster: Cluster, platform: Webhook, name: str, expected: set[str]
) -> None:
    done = cluster.kubectl("apply", "-f", _EXAMPLES / name)
    assert done.returncode == 1
    assert set(re.findall(r"(?:PLATFORM|GPU)-[0-9]{3}", done.stderr)) == expected


def test_a_rule_that_cannot_be_read_is_shown_at_its_character(cluster: Cluster, platform: Webhook) -> None:
    done = cluster.kubectl("apply", "-f", _EXAMPLES / "model-registry-misspelt.yaml")
    assert "(require-evaluation) cannot be read: `=` means nothing here; write == to compare (at character 33)" in (
        done.stderr
    )
