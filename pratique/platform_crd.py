"""CustomResourceDefinitions of the platform's own kinds, for clusters whose platform does not bring them itself.

They say of what type a field is and nothing of what it may hold: that is for policies, which explain, can be waived and
only warn where a binding says so. Fields that are not listed stay: the controller may have more.
"""

from __future__ import annotations

from typing import Any

from pratique.crd import AGE, column, definition

GROUP, VERSION = "ai.platform.internal", "v1"

PLURALS = {"AIModel": "aimodels", "AIWorkspace": "aiworkspaces", "ModelRegistry": "modelregistries"}


def _object(description: str = "", **fields: dict[str, Any]) -> dict[str, Any]:
    about = {"description": description} if description else {}
    return {**about, "type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": fields}


def _field(type: str, description: str) -> dict[str, Any]:
    return {"description": description, "type": type}


def _list(description: str, items: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "type": "array", "items": items}


def _quantity(description: str) -> dict[str, Any]:
    return {"description": description, "x-kubernetes-int-or-string": True}


_STATUS = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def definitions() -> dict[str, dict[str, Any]]:
    """The definitions by file name."""
    return {
        "aimodels.yaml": _definition(
            "AIModel",
            "A model and how it is served; a controller makes Deployment, Service, autoscaler and the rest of it.",
            scope="Namespaced",
            columns=[
                column("Model", ".spec.model.source"),
                column("GPU", ".spec.serving.gpu"),
                column("Min", ".spec.serving.replicas.min", type="integer"),
                column("Max", ".spec.serving.replicas.max", type="integer"),
                column("Latency P99", ".spec.monitoring.slo.latencyP99", priority=1),
                column("Availability", ".spec.monitoring.slo.availabilityTarget", type="number", priority=1),
                AGE,
            ],
            spec=_object(
                model=_object(
                    source=_field("string", "The model as an OCI-style reference: registry.internal/models/x:v2.0."),
                    quantization=_field("string", "Such as awq-int4."),
                ),
                serving=_object(
                    replicas=_object(
                        min=_field("integer", "Pods at the least."),
                        max=_field("integer", "Pods at the most."),
                    ),
                    gpu=_field("string", "The type of accelerator, such as nvidia-a10g."),
                    gpuCount=_field("integer", "Accelerators of one replica; 1 where it is not given."),
                    maxConcurrency=_field("integer", "Requests that one replica takes at a time."),
                ),
                scaling=_object(
                    metric=_field("string", "What the autoscaler looks at, such as requestsPerSecond."),
                    targetValue={
                        "description": "The value of the metric that one replica is to have.",
                        "x-kubernetes-preserve-unknown-fields": True,
                    },
                ),
                monitoring=_object(
                    slo=_object(
                        latencyP99=_field("string", "How long 99 of 100 requests take at the most, such as 500ms."),
                        availabilityTarget=_field("number", "Per cent of the time, such as 99.9."),
                    )
                ),
            ),
        ),
        "aiworkspaces.yaml": _definition(
            "AIWorkspace",
            "What a team works in; a controller makes namespace, quota, network policies and capabilities of it.",
            scope="Cluster",
            columns=[
                column("Team", ".spec.team"),
                column("Environment", ".spec.environment"),
                column("GPUs", ".spec.resources.gpuQuota", type="integer"),
                column("Expiry", ".spec.expiry"),
                column("Capabilities", ".spec.capabilities", priority=1),
                AGE,
            ],
            spec=_object(
                team=_field("string", "The team whose workspace it is."),
                environment=_field("string", "development, staging or production."),
                resources=_object(
                    gpuQuota=_field("integer", "GPUs that all of it may use together."),
                    memoryQuota=_quantity("Memory that all of it may use together, such as 64Gi."),
                    cpuQuota=_quantity("CPUs that all of it may use together, such as 32."),
                ),
                capabilities=_list("What is provided in it.", {"type": "string"}),
                expiry=_field("string", "After which time it is removed, such as 30d."),
            ),
        ),
        "modelregistries.yaml": _definition(
            "ModelRegistry",
            "Where models are kept, and which rules a model has to meet.",
            scope="Cluster",
            columns=[
                column("Storage", ".spec.storage.type"),
                column("Bucket", ".spec.storage.bucket"),
                column("Region", ".spec.storage.region"),
                column("Rules", ".spec.policies[*].name", priority=1),
                AGE,
            ],
            spec=_object(
                storage=_object(
                    type=_field("string", "Such as s3."),
                    bucket=_field("string", "The name of the bucket."),
                    region=_field("string", "The region that the bucket is in."),
                ),
                policies=_list(
                    "Rules, all of which a model has to meet.",
                    _object(
                        name=_field("string", "What the rule is called."),
                        rule=_field("string", "A condition, such as model.size_gb < 200."),
                    ),
                ),
            ),
        ),
    }


def _definition(
    kind: str, description: str, *, scope: str, columns: list[dict[str, Any]], spec: dict[str, Any]
) -> dict[str, Any]:
    return definition(
        kind,
        description,
        api=(GROUP, VERSION),
        plural=PLURALS[kind],
        scope=scope,
        category="ai-platform",
        columns=columns,
        spec=spec,
        status=_STATUS,
    )
