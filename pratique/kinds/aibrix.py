"""AIBrix (vllm-project/aibrix api/model/v1alpha1/modeladapter_types.go, api/orchestration/v1alpha1: podset_types.go,
roleset_types.go, stormservice_types.go, rayclusterfleet_types.go, kvcache_types.go; v0.5).

Pods are nested: a StormService is `replicas` RoleSets, each role of one `replicas` PodSets of `podGroupSize` pods. A
ModelAdapter loads a LoRA adapter into pods that are there.
"""

from __future__ import annotations

from pratique.kinds.models import ModelField, model_fields
from pratique.kinds.ray import cluster
from pratique.kinds.table import Kind, PodTemplate, scaled, times


def _roles(root: str, *outer: str) -> PodTemplate:
    role = f"{root}/roles/*"
    return PodTemplate(
        f"{role}/template/spec",
        f"{role}/template/metadata",
        times(*(scaled(path) for path in outer), scaled(f"{role}/replicas"), scaled(f"{role}/podGroupSize")),
    )


_FLEET = tuple(cluster("/spec/template/spec", copies=scaled("/spec/replicas")))

KINDS = (
    Kind(
        "model.aibrix.ai",
        "ModelAdapter",
        serving=model_fields(ModelField("/spec/artifactURL", role="lora")),
    ),
    Kind(
        "orchestration.aibrix.ai",
        "PodSet",
        (PodTemplate("/spec/template/spec", "/spec/template/metadata", scaled("/spec/podGroupSize"), required=True),),
    ),
    Kind("orchestration.aibrix.ai", "RoleSet", (_roles("/spec"),)),
    Kind(
        "orchestration.aibrix.ai",
        "StormService",
        (_roles("/spec/template/spec", "/spec/replicas"),),
        scale="/spec/replicas",
    ),
    Kind("orchestration.aibrix.ai", "RayClusterFleet", _FLEET, scale="/spec/replicas"),
    Kind("orchestration.aibrix.ai", "RayClusterReplicaSet", _FLEET, scale="/spec/replicas"),
    Kind(
        "orchestration.aibrix.ai",
        "KVCache",
        tuple(
            PodTemplate(
                f"/spec/{part}",
                "/metadata",
                scaled(f"/spec/{part}/replicas"),
                empty="keep",
                partial=True,
                inline=("",),
            )
            for part in ("cache", "watcher")
        ),
    ),
)
