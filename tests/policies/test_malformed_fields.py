"""What no API server would let through, one policy at a time: a value of every kind on the way to what it looks at.

Both engines say the same of each, and a finding is lost only where what is left really complies.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from pratique.evaluator import Evaluator, Results
from pratique.policy import PolicyMetadata, PolicySet
from tests.policies.conftest import ENGINES, SECONDS, Engines
from tests.policies.pods import changed
from tests.policies.test_malformed import MISSING, POLICIES, VALUES

pytestmark = pytest.mark.slow

_NOTHING = ("missing", "None", "{}", "{'x': 1}")
_ODD_TEXTS = ("'\"'", "'\\\\d\\n'", "'ü\\u2028'")
_TEXTS = ("'x'", *_ODD_TEXTS)
_NO_LIST = ("missing", "None", "[]")
_ALL = tuple("missing" if value is MISSING else repr(value) for value in VALUES)
_NO_ELEMENT = ("missing", "{}", "{'x': 1}")


@dataclass(frozen=True, slots=True)
class Broken:
    """A document that breaks one policy by `value` at `place`; `fine` are, by place, the replacements that mend it.

    On the way to the place, nothing at all mends it, too, unless `silence_complies` is false.
    """

    place: tuple[str | int, ...]
    value: Any
    fine: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    silence_complies: bool = True

    def mends(self, place: str, replacement: str) -> bool:
        if place in self.fine:
            return replacement in self.fine[place]
        return self.silence_complies and replacement in _NOTHING


_P: tuple[str | int, ...] = ("subject", "pods", 0)
_C: tuple[str | int, ...] = (*_P, "containers", 0)
_POD_CONTEXT = (*_P, "securityContext")
_LABELS = ("subject", "labels")
_SPEC = ("object", "spec")
_CONTEXT = (*_C, "securityContext")
_MODEL, _DATASET = (("subject", "models", index) for index in range(2))
_SERVER = ("subject", "servers", 0)
_SBOM, _SCAN, _STATEMENT = (
    ("facts", source, "r", "value", field, 0)
    for source, field in (("sbom", "documents"), ("vulnerabilities", "scans"), ("provenance", "statements"))
)
_SIGNERS = ("facts", "signatures", "r", "value", "signers")
_BROKEN: dict[str, Broken] = {
    "data/approved-claims": Broken(
        (*_P, "volumes", 0, "persistentVolumeClaim", "claimName"),
        "jonas",
        {"volumes": _NO_LIST, "0": _NO_ELEMENT, "persistentVolumeClaim": ("missing", "None"), "claimName": ()},
    ),
    "data/approved-sources": Broken((*_DATASET, "name"), "jonas/claims", {"name": ()}),
    "data/dataset-tags": Broken((*_LABELS, "data-classification"), "secret", silence_complies=False),
    "data/encrypted-volumes": Broken(
        ("object", "spec", "storageClassName"), "gp3", {"spec": _ALL, "storageClassName": _NOTHING}
    ),
    "data/public-buckets": Broken((*_C, "args", 0), "--no-sign-request", {"args": _ALL, "0": _ALL}),
    "data/storage-endpoints": Broken((*_C, "args", 0), "--endpoint-url", {"args": _ALL, "0": _ALL}),
    "defaults/image-digest": Broken(
        ("subject", "images", 0, "digest"),
        "",
        {"digest": tuple(value for value in _ALL if value not in ("missing", "''"))},
        silence_complies=False,
    ),
    "gpu/approved-types": Broken(
        (*_P, "nodeSelector", "nvidia.com/gpu.product"), "V100", {"nvidia.com/gpu.product": ("missing", "None")}
    ),
    "gpu/budget": Broken((*_LABELS, "team"), "search", {"team": ()}),
    "gpu/mig": Broken(
        (*_C, "resources", "limits", "nvidia.com/mig-1g.10gb"),
        2,
        {"nvidia.com/mig-1g.10gb": ("missing", "None", "0")},
    ),
    "gpu/notebooks": Broken(
        ("subject", "annotations", "ai.platform.internal/cull-after-idle"), "2d", silence_complies=False
    ),
    "gpu/queue-label": Broken((*_LABELS, "kueue.x-k8s.io/queue-name"), "", {"kueue.x-k8s.io/queue-name": _TEXTS}),
    "gpu/requests-equal-limits": Broken(
        (*_C, "resources", "requests", "memory"), "1Gi", {"memory": ("missing", "None")}
    ),
    "gpu/runtime-limit": Broken(
        ("object", "spec", "activeDeadlineSeconds"),
        86400,
        {"activeDeadlineSeconds": ("7", "2.0")},
        silence_complies=False,
    ),
    "image/ai-packages-scanned": Broken(
        (*_SBOM, "ai_packages", "pkg:pypi/torch"),
        ["2.8.0"],
        {"ai_packages": ("{}",), "pkg:pypi/torch": tuple(value for value in _ALL if value != "['x']")},
        silence_complies=False,
    ),
    "image/denied-licences": Broken(
        (*_SBOM, "licences"),
        [{"expression": "AGPL-3.0-only", "choices": [["AGPL-3.0-only"]], "components": 1}],
        {"licences": ("[]",)},
        silence_complies=False,
    ),
    "image/denied-packages": Broken(
        (*_SBOM, "packages"),
        {"pkg:pypi/torchtriton": ["2.0.0"]},
        {"packages": ("{}", "{'x': 1}")},
        silence_complies=False,
    ),
    "image/mutable-tag": Broken(("subject", "images", 0, "tag"), "latest", {"tag": ("'x'", *_ODD_TEXTS)}),
    "image/provenance": Broken(
        (*_STATEMENT, "trusted_builder"), "", {"trusted_builder": _TEXTS}, silence_complies=False
    ),
    "image/pull-policy": Broken((*_C, "imagePullPolicy"), "Never", {"imagePullPolicy": ()}),
    "image/sbom-complete": Broken(
        (*_SBOM, "components"),
        0,
        {"components": ("7", "2.0", "9007199254740993", "1e+300")},
        silence_complies=False,
    ),
    "image/sbom-present": Broken((*_SBOM, "signed"), False, {"signed": ("True",)}, silence_complies=False),
    "image/serving-images": Broken((*_C, "image", "repository"), "other", silence_complies=False),
    "image/signed": Broken(_SIGNERS, [], {"signers": ("['x']",)}, silence_complies=False),
    "image/signed-by-owner": Broken(("namespace", "labels", "team"), "search", silence_complies=False),
    "image/vulnerabilities": Broken((*_SCAN, "counts"), {"critical": 1}, silence_complies=False),
    "labels/data-classification": Broken((*_LABELS, "data-classification"), "secret", silence_complies=False),
    "labels/environment": Broken((*_LABELS, "environment"), "prod", silence_complies=False),
    "labels/expiry": Broken((*_LABELS, "expires"), "2026-11-20", silence_complies=False),
    "labels/owner": Broken((*_LABELS, "owner"), "Search", {"owner": ()}),
    "model/signed": Broken(_SIGNERS, [], {"signers": ("['x']",)}, silence_complies=False),
    "network/policy-present": Broken(
        ("namespace", "labels", "data-classification"),
        "restricted",
        {"data-classification": tuple("missing" if value is MISSING else repr(value) for value in VALUES)},
    ),
    "platform/model-accelerator": Broken((*_SPEC, "serving", "gpu"), "nvidia-v100", {"gpu": ("missing", "None")}),
    "platform/model-replicas": Broken(
        (*_SPEC, "serving", "replicas", "max"), 51, {"max": ("7", "2.0")}, silence_complies=False
    ),
    "platform/model-slo": Broken((*_SPEC, "monitoring", "slo", "latencyP99"), "500", silence_complies=False),
    "platform/model-source": Broken((*_SPEC, "model", "source"), "mistral-7b", silence_complies=False),
    "platform/registry-rules": Broken((*_SPEC, "policies", 0, "rule"), "model.size_gb <", silence_complies=False),
    "platform/registry-storage": Broken((*_SPEC, "storage", "bucket"), "Models", silence_complies=False),
    "platform/workspace-capabilities": Broken(
        (*_SPEC, "capabilities", 0), "root-shell", {"capabilities": _NO_LIST, "0": ("missing",)}
    ),
    "platform/workspace-expiry": Broken((*_SPEC, "expiry"), "31d", silence_complies=False),
    "platform/workspace-owner": Broken((*_SPEC, "team"), "Search", silence_complies=False),
    "platform/workspace-quota": Broken((*_SPEC, "resources", "gpuQuota"), 9, silence_complies=False),
    "serving/approved-frameworks": Broken((*_SERVER, "framework"), "ollama", {"framework": ("''",)}),
    "serving/model-named": Broken((*_MODEL, "unresolved"), "why", {"unresolved": ("missing", "None", "''")}),
    "serving/model-revision": Broken((*_MODEL, "pinned"), False, {"pinned": ("True",)}),
    "serving/model-source": Broken((*_MODEL, "name"), "acme/llm", {"name": ()}),
    "serving/safe-formats": Broken((*_MODEL, "uri"), "/models/llm.pt", {"uri": _ALL}),
    "serving/trust-remote-code": Broken((*_C, "args", 0), "--trust-remote-code", silence_complies=False),
    "workload/allow-privilege-escalation": Broken(
        (*_CONTEXT, "allowPrivilegeEscalation"), True, {"allowPrivilegeEscalation": ("False",)}, silence_complies=False
    ),
    "workload/apparmor": Broken(
        (*_CONTEXT, "appArmorProfile", "type"), "Unconfined", {"type": (), "appArmorProfile": ("missing", "None")}
    ),
    "workload/capabilities-baseline": Broken(
        (*_CONTEXT, "capabilities", "add", 0), "SYS_ADMIN", {"add": _NO_LIST, "0": ("missing",)}
    ),
    "workload/capabilities-restricted": Broken(
        (*_CONTEXT, "capabilities", "drop", 0), "NET_RAW", silence_complies=False
    ),
    "workload/default-service-account": Broken(
        (*_P, "serviceAccountName"), "default", {"serviceAccountName": ("'x'", "'\"'", "'\\\\d\\n'", "'ü\\u2028'")}
    ),
    "workload/host-namespaces": Broken((*_P, "hostPID"), True, {"hostPID": ("missing", "None", "False")}),
    "workload/host-path-volumes": Broken(
        (*_P, "volumes", 0, "hostPath"),
        {"path": "/"},
        {"volumes": _NO_LIST, "0": _NO_ELEMENT, "hostPath": ("missing", "None")},
    ),
    "workload/host-ports": Broken(
        (*_C, "ports", 0, "hostPort"),
        80,
        {"ports": _NO_LIST, "0": _NO_ELEMENT, "hostPort": ("missing", "None", "0")},
    ),
    "workload/host-probes": Broken(
        (*_C, "lifecycle", "preStop", "httpGet", "host"), "localhost", {"host": ("missing", "None", "''")}
    ),
    "workload/host-process": Broken(
        (*_CONTEXT, "windowsOptions", "hostProcess"), True, {"hostProcess": ("missing", "None", "False")}
    ),
    "workload/literal-secrets": Broken(
        (*_C, "env"),
        [{"name": "DB_PASSWORD", "value": "hunter2"}],
        {"env": _NO_LIST},
    ),
    "workload/privileged": Broken((*_CONTEXT, "privileged"), True, {"privileged": ("missing", "None", "False")}),
    "workload/proc-mount": Broken((*_CONTEXT, "procMount"), "Unmasked", {"procMount": ("missing", "None")}),
    "workload/proc-mount-restricted": Broken((*_CONTEXT, "procMount"), "Unmasked", {"procMount": ("missing", "None")}),
    "workload/read-only-root-file-system": Broken(
        (*_CONTEXT, "readOnlyRootFilesystem"), False, {"readOnlyRootFilesystem": ("True",)}, silence_complies=False
    ),
    "workload/replicas": Broken(
        (*_P, "replicas", "min"), 1, {"min": ("7", "2.0", "9007199254740993", "1e+300")}, silence_complies=False
    ),
    "workload/run-as-non-root": Broken(
        (*_POD_CONTEXT, "runAsNonRoot"), False, {"runAsNonRoot": ("True",)}, silence_complies=False
    ),
    "workload/run-as-user": Broken(
        (*_POD_CONTEXT, "runAsUser"),
        0,
        {"runAsUser": ("missing", "None", "7", "-1.5", "2.0", "9007199254740993", "1e+300")},
    ),
    "workload/seccomp-baseline": Broken(
        (*_POD_CONTEXT, "seccompProfile", "type"), "Unconfined", {"type": (), "seccompProfile": ("missing", "None")}
    ),
    "workload/seccomp-restricted": Broken(
        (*_POD_CONTEXT, "seccompProfile", "type"), "Unconfined", silence_complies=False
    ),
    "workload/selinux": Broken((*_POD_CONTEXT, "seLinuxOptions", "type"), "spc_t", {"type": ("missing", "None", "''")}),
    "workload/service-account-token": Broken(
        (*_P, "automountServiceAccountToken"), True, {"automountServiceAccountToken": ("False",)}
    ),
    "workload/sysctls": Broken(
        (*_POD_CONTEXT, "sysctls", 0, "name"),
        "kernel.msgmax",
        {"sysctls": _NO_LIST, "0": ("missing",), "name": ()},
    ),
    "workload/topology-spread": Broken(
        (*_P, "topologySpreadConstraints", 0, "topologyKey"), "rack", silence_complies=False
    ),
    "workload/volume-types": Broken(
        (*_P, "volumes", 0, "nfs"), {"server": "s"}, {"volumes": _NO_LIST, "0": ("missing",), "nfs": ()}
    ),
}

_COVERS = f"sha256:{'4a' * 32}"


def _evidence(field: str, **says: Any) -> dict[str, Any]:
    """What a source knows of the image `r`: one document, which counts."""
    document = {"covers": _COVERS, "platform": "linux/amd64", "signed": True, "signers": ["ci"], **says}
    value = {"digest": _COVERS, "platforms": {_COVERS: "linux/amd64"}, field: [document], "refused": []}
    return {"r": {"status": "known", "value": value}}


_DOCUMENT: dict[str, Any] = {
    "subject": {
        "type": "workload",
        "apiVersion": "batch/v1",
        "kind": "Job",
        "namespace": "sandbox",
        "labels": {},
        "annotations": {},
        "pods": [
            {
                "path": "/spec/template/spec",
                "replicas": {"min": 1, "max": 2},
                "labels": {},
                "annotations": {},
                "containers": [
                    {
                        "path": "/spec/template/spec/containers/0",
                        "role": "main",
                        "name": "server",
                        "image": {"registry": "registry.internal", "tag": "1", "digest": "", "error": ""},
                        "resources": {"limits": {"nvidia.com/gpu": 0}},
                    }
                ],
            }
        ],
        "images": [{"path": "/i", "reference": "r", "error": "", "digest": ""}],
        "models": [
            {
                "path": f"/{role}",
                "uri": "s3://datalake/a",
                "scheme": "s3",
                "name": "datalake/a",
                "version": "",
                "pinned": False,
                "role": role,
                "framework": "",
                "unresolved": "",
            }
            for role in ("model", "dataset")
        ],
        "servers": [
            {
                "path": "/spec/template/spec/containers/0",
                "framework": "vllm",
                "runtime": "",
                "trust_remote_code": "/spec/template/spec/containers/0/args/0",
                "load_format": "",
            }
        ],
        "gpus": {"now": 1, "peak": 1, "by_resource": {"nvidia.com/gpu": 1}},
    },
    "object": {},
    "facts": {
        "expressions": {},
        "digests": {"r": {"status": "known", "value": {"digest": "sha256:" + "d" * 64}}},
        "signatures": {"r": {"status": "known", "value": {"signers": ["platform"], "refused": []}}},
        "inventory": {"gpus/team=search": {"status": "known", "value": {"peak": 99, "objects": 3}}},
        "provenance": _evidence(
            "statements",
            builder="https://tekton.dev/chains/v2",
            trusted_builder="tekton",
            sources=[{"uri": "git+https://github.com/example/vllm", "digest": f"gitCommit:{'c0' * 20}"}],
        ),
        "sbom": _evidence(
            "documents",
            format="CycloneDX",
            created="2026-11-20T08:00:00Z",
            components=1,
            missing={"ntia-2021": {}},
            licences=[],
            packages={},
            ai_packages={},
        ),
        "vulnerabilities": _evidence(
            "scans",
            scanned="2026-11-20T08:00:00Z",
            counts={"critical": 0},
            vulnerabilities=[],
            ai_packages={"pkg:pypi/torch": ["2.9.1"]},
        ),
    },
    "namespace": {"name": "sandbox", "labels": {}},
    "now": "2026-11-21T08:00:00Z",
}
_KINDS = {
    "gpu/notebooks": "kubeflow.org/v1 Notebook",
    "image/serving-images": "apps/v1 Deployment",
    "platform/model-": "ai.platform.internal/v1 AIModel",
    "platform/registry-": "ai.platform.internal/v1 ModelRegistry",
    "platform/workspace-": "ai.platform.internal/v1 AIWorkspace",
    "workload/replicas": "apps/v1 Deployment",
    "workload/topology-spread": "apps/v1 Deployment",
}
"""What policies judge whose names begin like this; the others are given a Job."""
_HOST_MADE = (
    *(("subject",), ("subject", "pods"), _P, (*_P, "containers"), _C, (*_C, "image"), _LABELS),
    ("subject", "annotations"),
    *(("subject", "images"), ("subject", "images", 0), ("object",), ("namespace",), ("namespace", "labels")),
    *(("subject", "models"), _MODEL, _DATASET, ("subject", "servers"), _SERVER),
    *((*_C, "resources"), (*_C, "resources", "limits"), (*_C, "resources", "requests")),
)
"""The host makes these itself, and always; or refuses the object where they are of the wrong type."""

JUDGE_OBJECTS = (
    "data/encrypted-classes",
    "network/allow-all",
    "network/exposed-services",
    "network/external-egress",
    "network/ingress",
    "rbac/cluster-admin",
    "rbac/create-pods",
    "rbac/default-service-accounts",
    "rbac/escalation",
    "rbac/everyone",
    "rbac/onward-rights",
    "rbac/own-webhook",
    "rbac/secrets",
    "rbac/system-masters",
    "rbac/webhook-configurations",
    "rbac/wildcards",
    "workload/disruption-budget",
)
"""They read a plain object and not a pod; their unit tests have its values of the wrong type."""

_AT_A_TIME = 40
"""Documents in one request: the embedded engine takes milliseconds for each."""

Answers = Mapping[tuple[str, str, str], list[tuple[str, str]]]


def _variants(broken: Broken) -> Iterator[tuple[str, str, Any]]:
    """The place that was replaced, what it became, and the document that came of it; first the document as it is."""
    whole = _put(broken.place, broken.value)
    yield "", "", whole
    for length in range(1, len(broken.place) + 1):
        place = broken.place[:length]
        if place in _HOST_MADE:
            continue
        for replacement in VALUES:
            shown = "missing" if replacement is MISSING else repr(replacement)
            yield str(place[-1]), shown, _put(place, replacement, base=whole)


def _put(place: tuple[str | int, ...], value: Any, *, base: Any = _DOCUMENT) -> Any:
    """The document with the value at the place; a list that the place is in is made first."""
    for length, token in enumerate(place):
        if isinstance(token, int) and not _has(base, place[:length]):
            base = changed(base, [(place[:length], [{}])])
    if value is not MISSING:
        return changed(base, [(place, value)])
    *parents, last = place
    document = changed(base, [])
    part: Any = document
    for token in parents:
        part = part[token]
    del part[last]
    return document


def _has(document: Any, place: tuple[str | int, ...]) -> bool:
    for token in place:
        if isinstance(document, dict) and token not in document:
            return False
        document = document[token]
    return True


@pytest.fixture(scope="module")
def answers(policies: PolicySet, engines: Engines) -> Mapping[str, Answers]:
    """By engine; and then by policy, place and replacement: the findings."""
    return {engine: engines.run(engine, lambda evaluator: _answers(evaluator, policies)) for engine in ENGINES}


async def _answers(evaluator: Evaluator, policies: PolicySet) -> Answers:
    found: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
    for policy, broken in _BROKEN.items():
        variants = list(_variants(broken))
        documents = [_body(policies.policies[policy], document) for _, _, document in variants]
        results: list[Results] = []
        for first in range(0, len(documents), _AT_A_TIME):
            some = documents[first : first + _AT_A_TIME]
            results += await evaluator.evaluate(some, deadline=time.monotonic() + SECONDS)
        for (place, replacement, _), one in zip(variants, results, strict=True):
            violations = one.by_policy[policy].violations
            found[policy, place, replacement] = sorted((item["path"], item["message"]) for item in violations)
    return found


def _body(policy: PolicyMetadata, document: dict[str, Any]) -> bytes:
    for name, kind in _KINDS.items():
        if policy.name.startswith(name):
            api_version, _, kind = kind.partition(" ")
            document = changed(document, [(("subject", "kind"), kind), (("subject", "apiVersion"), api_version)])
    return orjson.dumps({"policies": [policy.name], "parameters": policy.defaults, **document})


def test_the_engines_agree(answers: Mapping[str, Answers]) -> None:
    opa, regopy = (answers[engine] for engine in ENGINES)
    assert {key: (opa[key], regopy[key]) for key in opa if opa[key] != regopy[key]} == {}


@pytest.mark.parametrize("engine", ENGINES)
def test_no_finding_is_lost(answers: Mapping[str, Answers], engine: str) -> None:
    wrong = [
        (policy, place, replacement)
        for (policy, place, replacement), found in answers[engine].items()
        if bool(found) is (place != "" and _BROKEN[policy].mends(place, replacement))
    ]
    assert wrong == []


def test_every_policy_is_here_or_in_the_whole_document(policies: PolicySet) -> None:
    assert {*_BROKEN, *POLICIES, *JUDGE_OBJECTS} == policies.policies.keys()
