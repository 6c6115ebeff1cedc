"""Every case gives exactly its findings on both engines; every deny case has a twin that one change makes compliant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import jsonschema_rs
import pytest
from _pytest.mark import ParameterSet

from pratique.decision import Result
from pratique.patches import apply
from pratique.policy import PolicySet
from tests.policies.cases import REPOSITORY, Case, differences, load_cases, load_one, patched
from tests.policies.conftest import ENGINES, Outcomes

_CASES = load_cases()
_DENY = [name for name, case in _CASES.items() if case.verdict == "deny"]
_FIRST = {case.policy: name for name, case in reversed([*_CASES.items()]) if case.verdict == "deny"}
_QUICK = {twin for name in _FIRST.values() for twin in (name, name.replace("/deny_", "/allow_"))}


def _on_both_engines(names: Iterable[str]) -> list[ParameterSet]:
    """Of each policy, the first denial and its twin are quick, on OPA."""
    return [
        pytest.param(name, engine, marks=() if engine == "opa" and name in _QUICK else pytest.mark.slow)
        for name in names
        for engine in ENGINES
    ]


_PROBES = ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle/postStart", "lifecycle/preStop")
_EVERY_ROLE = (': container "', ': init container "', ': sidecar "', ': ephemeral container "')
_EVERY_IMAGE = (*_EVERY_ROLE, ": image volume", "is attached to the image")
_EVERY_OWNER = (*_EVERY_ROLE, ": the pod sets ")
_NO_LIST_NO_OBJECT = ("required is a list", "required is an object")

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "data/approved-claims": ("/persistentVolumeClaim/claimName", "is missing", "pvc://"),
    "data/approved-sources": (
        *(
            "/args/",
            "/env/0/value",
            "/initContainers/",
            "/spec/entrypoint",
            "/spec/initializer/",
            "cannot be seen here",
        ),
        *("hf://", "gs://", "hostpath://"),
    ),
    "data/dataset-tags": ("carries no version", "carries no class", "carries the class", "the stricter one"),
    "data/encrypted-classes": ("/parameters/encrypted",),
    "data/encrypted-volumes": (
        *("/volumeClaimTemplates/0/", "/volumeClaimTemplate/spec", "/storageClass: ", "/metadata/annotations/"),
        "is missing",
    ),
    "data/public-buckets": (
        *("in a public bucket", "without a signature", "the model ", "the dataset "),
        *("in args", "in command", "the variable", ': init container "'),
    ),
    "data/storage-endpoints": ("the variable ", "in args", "in command", "cannot be seen here", ': init container "'),
    "defaults/gpu-toleration": ("asks for nvidia.com/gpu", "asks for amd.com/gpu", ":NoExecute"),
    "defaults/image-digest": (
        *(*_EVERY_ROLE, ": image volume", "its tag leads to", "/spec/template/spec/containers/0/image"),
    ),
    "defaults/job-deadline": ("/spec/activeDeadlineSeconds", "/spec/jobTemplate/spec/activeDeadlineSeconds"),
    "defaults/namespace-labels": (
        "/metadata/labels/cost-center",
        "/metadata/labels/data-classification",
        "/metadata/labels/team",
        "/spec/template/metadata/labels/cost-center",
    ),
    "defaults/queue-label": ("/metadata/labels/kueue.x-k8s.io~1queue-name",),
    "defaults/run-as-non-root": ("/spec/securityContext/runAsNonRoot",),
    "defaults/seccomp": ("/spec/securityContext/seccompProfile", "/spec/template/spec/securityContext/seccompProfile"),
    "defaults/service-account-token": ("/spec/template/spec/automountServiceAccountToken",),
    "defaults/topology-spread": ("/spec/template/spec/topologySpreadConstraints",),
    "gpu/approved-types": ("asks for", '"nvidia.com/gpu.product"', "/nodeSelector/", "/affinity/"),
    "gpu/budget": ("is missing", "the only workload", "the 2 workloads", "/metadata/labels/example.com~1team"),
    "gpu/limit": ("nvidia.com/gpu", "amd.com/gpu", "gpu.intel.com/", "nvidia.com/mig-"),
    "gpu/mig": ("one slice for each container", "one kind of the two", "the MIG profile"),
    "gpu/notebooks": ("/spec: this Notebook is a notebook and can use", "is missing", "this Pod", "this StatefulSet"),
    "gpu/queue-label": ("is missing", "the name of a queue", "one of "),
    "gpu/requests-equal-limits": ("of memory", "of cpu", "of nvidia.com/gpu", "its limit is missing"),
    "gpu/runtime-limit": ("this Job", "this CronJob", "this Pod", "has no activeDeadlineSeconds"),
    "image/ai-packages-scanned": (
        *(*_EVERY_IMAGE, "and no scan of it counts", "which no scan looked at", "no scan says which packages"),
        "not all known",
    ),
    "image/approved-registries": (
        ': container "',
        ': init container "',
        ': sidecar "',
        ': ephemeral container "',
        ": image volume",
    ),
    "image/denied-licences": (
        *(*_EVERY_IMAGE, "under the licence", "without a known licence", "more than a fact can hold", "as trees"),
    ),
    "image/denied-packages": (
        *(*_EVERY_IMAGE, "has the package pkg:", "has the package ultralytics", "not all known", "lists no components"),
    ),
    "image/digest": (': container "', ': init container "', ': sidecar "', ': ephemeral container "', ": image volume"),
    "image/mutable-tag": (
        *(': container "', ': init container "', ': sidecar "', ': ephemeral container "'),
        *(": image volume", "cannot be read"),
    ),
    "image/provenance": (
        *(
            *_EVERY_IMAGE,
            "is of the builder",
            "is not one of",
            "has the build type",
            "is built from",
            "names no source",
        ),
        *("names no commit", "is of the verifier", "one is signed by nobody", "more sources", "refused the image"),
    ),
    "image/pull-policy": (*_EVERY_ROLE, "with a digest", "without a digest", "no imagePullPolicy"),
    "image/sbom-complete": (
        *(*_EVERY_IMAGE, "is dated", "has no date", "lists no components", "says nothing of its", "lacks "),
        *("one is signed by nobody", "that its dependencies are complete"),
    ),
    "image/sbom-present": (
        *(*_EVERY_IMAGE, "cannot be read", "one is signed by nobody", "one is signed by dev", "one was refused"),
        *("for linux/arm64", "for linux/x86_64", "in the format", "not every SBOM"),
    ),
    "image/serving-images": (': container "',),
    "image/signed": (
        *(*_EVERY_ROLE, ": image volume", "cannot be read"),
        *("is not signed", "no signature that counts", "is signed by", "platform or release", "platform and search"),
    ),
    "image/signed-by-owner": (
        *(*_EVERY_ROLE, ": image volume", "cannot be read"),
        *(
            "is not signed",
            "no signature that counts",
            "of payments",
            "of unit-search",
            'label "unit" of the namespace',
        ),
    ),
    "image/vulnerabilities": (
        *(*_EVERY_IMAGE, "the critical vulnerability", "the medium vulnerability", "the unknown vulnerability"),
        *("(no fix yet)", "(fixed in", "without a date", "is of ", "with a database of", "more vulnerabilities"),
        *("one is signed by nobody", "for linux/arm64", "that OpenVEX takes away"),
    ),
    "labels/cost-attribution": ("/metadata/labels/cost-center", "/metadata/labels/team"),
    "labels/data-classification": ("/data-classification", "is missing"),
    "labels/environment": ("/environment", "is missing"),
    "labels/expiry": ("is past", "too far ahead", "is missing"),
    "labels/owner": ("/metadata/labels/owner", "/metadata/annotations/owner", "neither"),
    "serving/approved-frameworks": ("the model server is", "names the runtime", "/initContainers/"),
    "serving/model-named": ("nothing in it names a model", "cannot be seen here"),
    "serving/model-revision": (
        *("the model ", "the tokenizer ", "the LoRA adapter ", "the draft model ", "cannot be seen here"),
        *("names no revision", "a commit", "a digest", "the number of a version", "the version of the object"),
    ),
    "serving/model-source": (
        *("the model ", "the tokenizer ", "the LoRA adapter ", "the draft model ", "cannot be seen here"),
        *("hf://", "s3://", "oci://", "hostpath://", "nfs://"),
    ),
    "serving/safe-formats": ("is a .", "the LoRA adapter ", "the format "),
    "serving/trust-remote-code": ("/args/", "/command/", "/env/0/value", "/env/0/valueFrom", "/trustRemoteCode"),
    "model/signed": (
        *("the model ", "the image volume ", "is not signed", "no signature that counts", "is signed by"),
        "/spec/volumes/0/image/reference",
    ),
    "network/allow-all": (
        "names no peer",
        'from "0.0.0.0/0"',
        'to "::/0"',
        "all pods of all namespaces",
        "/spec/egress/",
        "cannot be read",
    ),
    "network/exposed-services": (
        "/spec/type",
        "/spec/externalIPs",
        "the name ",
        "the label ",
        "the selector ",
        "the port ",
    ),
    "network/external-egress": ("names no peer", "/ipBlock", "/spec/hosts", "empty peer", "cannot be read"),
    "network/ingress": (
        "covered by TLS",
        "answers for every host",
        "names the host",
        "names the wildcard",
        "/spec/defaultBackend",
        "/spec/backend",
        "the annotation ",
        "/protocol",
        "/hostname",
        "/spec/hostnames/",
        "the Route has no tls",
        "insecureEdgeTerminationPolicy",
        "wildcardPolicy",
        "cannot be read",
    ),
    "rbac/cluster-admin": ("the group ", "the user ", "the service account ", "cannot be read"),
    "rbac/create-pods": ("create pods;", "deployments.apps", "pods/exec", "jobs.batch", "cannot be read"),
    "rbac/default-service-accounts": ("the service account ", "the group ", "the user ", "cannot be read"),
    "rbac/escalation": (
        "to bind ",
        "to escalate ",
        "to impersonate ",
        "impersonate:user-info",
        "userextras/scopes",
        "cannot be read",
    ),
    "rbac/everyone": ("system:authenticated", "system:unauthenticated", "system:anonymous", "cannot be read"),
    "rbac/onward-rights": (
        "persistentvolumes",
        "nodes/proxy",
        "/approval",
        "signers.",
        "serviceaccounts/token",
        "cannot be read",
    ),
    "rbac/own-webhook": (
        "failurePolicy is",
        "matchPolicy is",
        "timeoutSeconds is",
        "/objectSelector",
        "/namespaceSelector",
        "/matchConditions",
        "/clientConfig",
        "asks about CREATE",
        "asks about UPDATE",
        "cannot be read",
    ),
    "rbac/secrets": ("grants get", "grants list", "watch", "cannot be read"),
    "rbac/system-masters": ("system:masters", "cannot be read"),
    "rbac/webhook-configurations": (
        "create",
        "update",
        "patch",
        "delete",
        "deletecollection",
        "validatingwebhookconfigurations",
        "mutatingwebhookconfigurations",
        "validatingadmissionpolicies",
        "validatingadmissionpolicybindings",
        "mutatingadmissionpolicies",
        "mutatingadmissionpolicybindings",
        "cannot be read",
    ),
    "rbac/wildcards": (
        "under verbs",
        "under resources",
        "under apiGroups",
        "under nonResourceURLs",
        "every ClusterRole",
        "cannot be read",
    ),
    "platform/model-accelerator": ("/spec/serving/gpu:", "/spec/serving/gpuCount:", "of what gpuCount counts"),
    "platform/model-replicas": ("/replicas/max: ", "/replicas/min: ", "is missing"),
    "platform/model-slo": ("/latencyP99", "/availabilityTarget", "is missing", "required is an object"),
    "platform/model-source": ("a reference such as", "a model from", "the tag of a release"),
    "platform/registry-rules": (
        *("/spec/policies:", "/rule", "/name", "cannot be read", "was not read", "says nothing of a model", "is about"),
        *("as is that of a rule before it", "required is an object with name and rule"),
    ),
    "platform/registry-storage": ("/type", "/bucket", "/region", "required is an object"),
    "platform/workspace-capabilities": ("required is one of", "required is a list"),
    "platform/workspace-expiry": ("is missing", "at most 30d"),
    "platform/workspace-owner": ("/team", "/environment", "is missing"),
    "platform/workspace-quota": ("/gpuQuota", "/memoryQuota", "/cpuQuota", "/environment", "required is an object"),
    "network/policy-present": (
        *("for ingress", "for egress", "allows all ingress", "allows all egress", "are not known"),
        *("/metadata/labels/data-classification", "/metadata/namespace"),
    ),
    "workload/allow-privilege-escalation": (*_EVERY_ROLE, "does not set", "to true", "required is an object"),
    "workload/apparmor": (*_EVERY_OWNER, ": the annotation ", "without a type"),
    "workload/capabilities-baseline": (*_EVERY_ROLE, "adds the capabilities", *_NO_LIST_NO_OBJECT),
    "workload/capabilities-restricted": (*_EVERY_ROLE, "does not drop", "adds the capabilities", *_NO_LIST_NO_OBJECT),
    "workload/default-service-account": ('the service account "default"', "the service account a list"),
    "workload/disruption-budget": ("/spec/maxUnavailable", "/spec/minAvailable", "neither", "cannot be read"),
    "workload/health-checks": ("/readinessProbe", "/livenessProbe", "/startupProbe"),
    "workload/host-namespaces": ("/hostIPC", "/hostNetwork", "/hostPID"),
    "workload/host-path-volumes": ("is the path", "is a path"),
    "workload/host-ports": (*_EVERY_ROLE, *_NO_LIST_NO_OBJECT),
    "workload/host-probes": (
        *_EVERY_ROLE,
        *(f"/{probe}/{handler}/host" for probe in _PROBES for handler in ("httpGet", "tcpSocket")),
        "required is an object",
    ),
    "workload/host-process": (*_EVERY_OWNER, "required is an object"),
    "workload/literal-secrets": (
        *(': container "', ': init container "', ': sidecar "', ': ephemeral container "'),
        *("in the variable", "in args", "in command", "something else than a list"),
        *("a GitHub token", "a GitLab token", "a Google API key", "a Hugging Face token", "a JSON Web Token"),
        *("a Slack token", "a key of a model API", "a password in an address", "a private key", "an AWS access key"),
        *("an NVIDIA API key", "a password in the variable", "what looks like a random key"),
    ),
    "workload/privileged": _EVERY_ROLE,
    "workload/proc-mount": (*_EVERY_ROLE, "unless the pod sets hostUsers", "required is an object"),
    "workload/proc-mount-restricted": (*_EVERY_ROLE, "required is an object"),
    "workload/read-only-root-file-system": (': container "', ': init container "', ': sidecar "', "does not set"),
    "workload/replicas": ("this Deployment", "this StatefulSet"),
    "workload/resource-limits": ("/limits/cpu", "/limits/memory", ': container "', ': init container "', ': sidecar "'),
    "workload/run-as-non-root": (*_EVERY_OWNER, "neither the pod nor", "required is an object"),
    "workload/run-as-user": (*_EVERY_OWNER, "required is an object"),
    "workload/seccomp-baseline": (*_EVERY_OWNER, "without a type"),
    "workload/seccomp-restricted": (*_EVERY_OWNER, "neither the pod nor", "without a type"),
    "workload/selinux": (*_EVERY_OWNER, "/type", "/user", "/role", "required is an object"),
    "workload/service-account-token": ("does not set", "to true"),
    "workload/sysctls": ("sets the sysctls", "required is a list"),
    "workload/topology-spread": ("required are topologySpreadConstraints",),
    "workload/volume-types": ("has the type", "has no type"),
}
"""What each policy requires or looks at, as its findings show it; each must be in a finding of some deny case."""


@pytest.mark.parametrize(("name", "engine"), _on_both_engines(_CASES))
def test_a_case_gives_exactly_its_findings(outcomes: Outcomes, name: str, engine: str) -> None:
    case, evaluation = _CASES[name], outcomes.of(engine, name).evaluation

    assert (evaluation.result, evaluation.reason) == (Result.FAIL if case.verdict == "deny" else Result.PASS, "")
    assert tuple((finding.path, finding.message) for finding in evaluation.findings) == case.findings
    patches = [patch for finding in evaluation.findings for patch in finding.patches]
    assert bool(patches) == bool(case.patches)
    assert apply(case.object, patches) == patched(case).object, "the patches, as printed, do what the case says"


@pytest.mark.slow
def test_both_engines_are_given_the_same_document(outcomes: Outcomes) -> None:
    given = {name: [outcomes.of(engine, name).documents for engine in ENGINES] for name in _CASES}
    assert {name: documents for name, documents in given.items() if documents[0] != documents[1]} == {}


@pytest.mark.slow
def test_documents_are_what_the_schema_says(outcomes: Outcomes) -> None:
    validator = jsonschema_rs.Draft7Validator(load_one(REPOSITORY / "policies" / "schemas" / "input.json"))
    wrong = {
        (name, error.message)
        for name in _CASES
        for document in outcomes.of("opa", name).documents
        for error in validator.iter_errors(document)
    }
    assert wrong == set()


def test_a_deny_case_has_a_twin_that_differs_in_one_place() -> None:
    found = {name: differences(_CASES[name].judged, _CASES[name.replace("/deny_", "/allow_")].judged) for name in _DENY}
    assert {name: places for name, places in found.items() if len(places) != 1} == {}


def test_a_deny_case_shows_its_findings() -> None:
    assert [name for name in _DENY if not _CASES[name].findings] == []
    assert [name for name, case in _CASES.items() if case.verdict == "allow" and (case.findings or case.patches)] == []


def test_every_policy_shows_each_thing_that_it_requires(policies: PolicySet) -> None:
    assert REQUIRED.keys() == policies.policies.keys()
    missing = {
        (policy, thing)
        for policy, things in REQUIRED.items()
        for thing in things
        if not any(_shows(_CASES[name], thing) for name in _DENY if _CASES[name].policy == policy)
    }
    assert missing == set()


@pytest.mark.parametrize(("name", "engine"), _on_both_engines(name for name in _DENY if _CASES[name].patches))
def test_patches_make_the_object_comply(outcomes: Outcomes, name: str, engine: str) -> None:
    assert outcomes.of_patched(engine, name).evaluation.result is Result.PASS


def _shows(case: Case, thing: str) -> bool:
    return any(thing in f"{path}: {message}" for path, message in case.findings)
