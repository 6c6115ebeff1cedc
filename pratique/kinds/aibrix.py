"""AIBrix (vllm-project/aibrix api/model/v1alpha1/modeladapter_types.go, api/orchestration/v1alpha1: podset_types.go,
roleset_types.go, stormservice_types.go, rayclusterfleet_types.go, kvcache_types.go; at 0a53a25f and 0c9e32d6).

Pods are nested: a StormService is `replicas` RoleSets, each role of one `replicas` PodSets of `podGroupSize` pods. A
ModelAdapter loads a LoRA adapter into pods that are there.
"""

from __future__ import annotations

from pratique.kinds.models import ModelField, model_fields
from pratique.kinds.ray import cluster
from pratique.kinds.table import Kind, PodTemplate, ranged, scaled, times


def _roles(root: str, *outer: str) -> PodTemplate:
    role = f"{root}/roles/*"
    return PodTemplate(
        f"{role}/template/spec",
        f"{role}/template/metadata",
        times(*(scaled(path) for path in outer), scaled(f"{role}/replicas"), scaled(f"{role}/podGroupSize")),
    )


_CACHE_PARTS = (
    ("cache", "/spec/replicas", 1),
    ("watcher", "/spec/watcher/replicas", 1),
    ("cacheSpec", "/spec/replicas", 1),  # of the first versions, as are the two below
    ("metadata/redis", "/spec/metadata/redis/replicas", 1),
    ("metadata/etcd", "/spec/metadata/etcd/replicas", 1),
)
"""The parts of a KVCache, where else their number can be, and how many there are by default."""

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
                ranged((f"/spec/{part}/replicas", replicas), f"/spec/{part}/replicas", default=default),
                empty="keep",
                partial=True,
                inline=("",),
            )
            for part, replicas, default in _CACHE_PARTS
        ),
    ),
)
