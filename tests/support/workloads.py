"""The workloads that tests and benchmarks submit: an LLM server as a platform team writes it, whole or with faults.

Without faults they comply with `policies/bindings/baseline.yaml`; each fault breaks exactly one policy of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any


class Fault(StrEnum):
    """What can be wrong with a workload."""

    TAG = "an image by tag instead of digest"
    PRIVILEGED = "a privileged container"
    NO_LIMITS = "a container without limits"
    NO_PROBES = "a serving container without probes"
    GPUS = "8 GPUs"


LABELS = {
    "app.kubernetes.io/name": "llm-server",
    "app.kubernetes.io/part-of": "customer-assistant",
    "app.kubernetes.io/managed-by": "platform",
    "team": "customer-experience",
    "owner": "customer-experience",
    "project": "customer-assistant",
    "environment": "production",
    "cost-center": "cc-4711",
}


def image(name: str) -> str:
    """A reference in the approved registry, pinned by a digest that depends on the name alone."""
    return f"registry.internal/{name}@sha256:{hashlib.sha256(name.encode()).hexdigest()}"


def server_pod_spec(*, faults: Collection[Fault] = (), gpus: int = 1, variant: int = 0) -> dict[str, Any]:
    """Three containers and an init container: model server, router, metrics exporter; `variant` makes them distinct."""
    gpus = 8 if Fault.GPUS in faults else gpus
    accelerator = {"nvidia.com/gpu": str(gpus)} if gpus else {}
    name = f"serving/vllm-{variant}" if variant else "serving/vllm"
    server = {
        "name": "server",
        "image": "registry.internal/serving/vllm:latest" if Fault.TAG in faults else image(name),
        "args": ["--model", "/models/mistral-7b", "--max-model-len", "32768", "--tensor-parallel-size", str(gpus or 1)],
        "ports": [{"name": "http", "containerPort": 8000}],
        "env": [
            {"name": "VLLM_NO_USAGE_STATS", "value": "1"},
            {"name": "HF_HUB_OFFLINE", "value": "1"},
            {"name": "CUDA_DEVICE_ORDER", "value": "PCI_BUS_ID"},
            {"name": "NCCL_DEBUG", "value": "WARN"},
            {"name": "NCCL_P2P_LEVEL", "value": "NVL"},
            {"name": "OTEL_SERVICE_NAME", "value": "llm-server"},
            {"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://otel-collector.observability:4317"},
            {"name": "VARIANT", "value": str(variant)},
            {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            {"name": "API_KEY", "valueFrom": {"secretKeyRef": {"name": "llm-server", "key": "api-key"}}},
        ],
        "resources": {
            "requests": {"cpu": "4", "memory": "32Gi"} | accelerator,
            "limits": {"cpu": "8", "memory": "48Gi"} | accelerator,
        },
        "readinessProbe": {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 5},
        "livenessProbe": {"httpGet": {"path": "/health", "port": "http"}, "failureThreshold": 6},
        "startupProbe": {"httpGet": {"path": "/health", "port": "http"}, "failureThreshold": 120},
        "securityContext": _restricted(),
        "volumeMounts": [
            {"name": "models", "mountPath": "/models", "readOnly": True},
            {"name": "cache", "mountPath": "/var/cache/server"},
            {"name": "shm", "mountPath": "/dev/shm"},
        ],
    }
    router = {
        "name": "router",
        "image": image("serving/router"),
        "ports": [{"name": "public", "containerPort": 8080}],
        "env": [{"name": "UPSTREAM", "value": "http://127.0.0.1:8000"}, {"name": "LOG_LEVEL", "value": "info"}],
        "resources": {"requests": {"cpu": "250m", "memory": "256Mi"}, "limits": {"cpu": "500m", "memory": "512Mi"}},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "public"}},
        "livenessProbe": {"httpGet": {"path": "/alive", "port": "public"}},
        "securityContext": {"privileged": True} if Fault.PRIVILEGED in faults else _restricted(),
        "volumeMounts": [{"name": "routes", "mountPath": "/etc/router"}],
    }
    exporter: dict[str, Any] = {
        "name": "exporter",
        "image": image("observability/exporter"),
        "ports": [{"name": "metrics", "containerPort": 9400}],
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": "100m", "memory": "128Mi"}},
        "readinessProbe": {"httpGet": {"path": "/metrics", "port": "metrics"}},
        "livenessProbe": {"tcpSocket": {"port": "metrics"}},
        "securityContext": _restricted(),
    }
    if Fault.NO_LIMITS in faults:
        del exporter["resources"]
    if Fault.NO_PROBES in faults:
        del exporter["readinessProbe"], exporter["livenessProbe"]
    fetch = {
        "name": "fetch-model",
        "image": image("models/fetcher"),
        "args": ["registry.internal/models/mistral-7b:v2.0", "/models"],
        "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "2Gi"}},
        "securityContext": _restricted(),
        "volumeMounts": [{"name": "models", "mountPath": "/models"}],
    }
    return {
        "initContainers": [fetch],
        "containers": [server, router, exporter],
        "volumes": [
            {"name": "models", "emptyDir": {"sizeLimit": "64Gi"}},
            {"name": "cache", "emptyDir": {}},
            {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "8Gi"}},
            {"name": "routes", "configMap": {"name": "router-routes"}},
        ],
        "affinity": {
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {
                        "weight": 100,
                        "podAffinityTerm": {
                            "topologyKey": "topology.kubernetes.io/zone",
                            "labelSelector": {"matchLabels": {"app.kubernetes.io/name": "llm-server"}},
                        },
                    }
                ]
            }
        },
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": {"app.kubernetes.io/name": "llm-server"}},
            }
        ],
        "nodeSelector": {"platform.internal/accelerator": "nvidia-a10g"},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "terminationGracePeriodSeconds": 120,
    }


def pod(
    name: str,
    *,
    namespace: str,
    labels: Mapping[str, str] = LABELS,
    faults: Collection[Fault] = (),
    gpus: int = 1,
    variant: int = 0,
) -> dict[str, Any]:
    """A pod written by hand."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(labels)},
        "spec": server_pod_spec(faults=faults, gpus=gpus, variant=variant),
    }


def deployment(
    name: str,
    *,
    namespace: str,
    replicas: int = 1,
    faults: Collection[Fault] = (),
    gpus: int = 1,
    variant: int = 0,
) -> dict[str, Any]:
    """A Deployment of the LLM server."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": LABELS},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app.kubernetes.io/instance": name}},
            "template": {
                "metadata": {"labels": LABELS | {"app.kubernetes.io/instance": name}},
                "spec": server_pod_spec(faults=faults, gpus=gpus, variant=variant),
            },
        },
    }


def owner(kind: str, name: str, *, version: str = "apps/v1") -> dict[str, Any]:
    """The owner reference that a controller writes; the uid depends on the name alone."""
    digest = hashlib.sha256(f"{kind}/{name}".encode()).hexdigest()
    uid = f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"
    reference = {"apiVersion": version, "kind": kind, "name": name, "uid": uid}
    return reference | {"controller": True, "blockOwnerDeletion": True}


def replica(of: Mapping[str, Any], *, suffix: str = "7d9f8b6c5d") -> dict[str, Any]:
    """A pod as the ReplicaSet controller makes it from a Deployment's template: the API server ends its name."""
    template, metadata = of["spec"]["template"], of["metadata"]
    replica_set = f"{metadata['name']}-{suffix}"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": f"{replica_set}-",
            "namespace": metadata["namespace"],
            "labels": template["metadata"]["labels"] | {"pod-template-hash": suffix},
            "ownerReferences": [owner("ReplicaSet", replica_set)],
        },
        "spec": template["spec"],
    }


def ordinal(name: str, index: int, *, namespace: str) -> dict[str, Any]:
    """A pod as the StatefulSet controller makes it: its name, host name and two labels say which one it is."""
    own = {
        "statefulset.kubernetes.io/pod-name": f"{name}-{index}",
        "apps.kubernetes.io/pod-index": str(index),
        "controller-revision-hash": f"{name}-5c8d9f7b64",
    }
    made = pod(f"{name}-{index}", namespace=namespace, labels=LABELS | own)
    made["metadata"] |= {"generateName": f"{name}-", "ownerReferences": [owner("StatefulSet", name)]}
    made["spec"] |= {"hostname": f"{name}-{index}", "subdomain": name}
    return made


def job_pod(name: str, index: int, *, namespace: str, gpus: int = 1) -> dict[str, Any]:
    """A pod as the Job controller makes it for one completion index."""
    reference = owner("Job", name, version="batch/v1")
    own = {
        "controller-uid": reference["uid"],
        "job-name": name,
        "batch.kubernetes.io/controller-uid": reference["uid"],
        "batch.kubernetes.io/job-name": name,
        "batch.kubernetes.io/job-completion-index": str(index),
    }
    made = pod(name, namespace=namespace, labels=LABELS | own, gpus=gpus)
    made["metadata"] |= {
        "generateName": f"{name}-{index}-",
        "annotations": {"batch.kubernetes.io/job-completion-index": str(index)},
        "ownerReferences": [reference],
        "finalizers": ["batch.kubernetes.io/job-tracking"],
    }
    del made["metadata"]["name"]
    made["spec"] |= {"restartPolicy": "Never", "hostname": f"{name}-{index}"}
    return made


def job(name: str, *, namespace: str, gpus: int = 1, parallelism: int = 1) -> dict[str, Any]:
    """A fine-tuning Job."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": namespace, "labels": LABELS},
        "spec": {
            "parallelism": parallelism,
            "completions": parallelism,
            "activeDeadlineSeconds": 12 * 3600,
            "template": {
                "metadata": {"labels": LABELS},
                "spec": server_pod_spec(gpus=gpus) | {"restartPolicy": "Never"},
            },
        },
    }


def _restricted() -> dict[str, Any]:
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
