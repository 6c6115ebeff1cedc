"""KAITO (kaito-project/kaito api/v1beta1/workspace_types.go, ragengine_types.go, api/v1alpha1/inferenceset_types.go,
multiroleinference_types.go, pkg/sku; at 0228438b, 289d2c43 and 0d9b555e).

A Workspace has no `spec`. A preset needs no pod spec: its pods are one for each node, and each has all GPUs of the
node type. An InferenceSet is `replicas` Workspaces, at most `nodeCountLimit` nodes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction

from pratique.kinds.table import Kind, Place, PodTemplate, ReadDevices, ReadReplicas, Serving, places, ranged, scaled
from pratique.models.reference import parse_model
from pratique.shape import list_at
from pratique.subject import ModelRef, Server

_GPUS_OF_INSTANCE: Mapping[str, int] = {
    "Standard_NC64as_T4_v3": 4, "Standard_NV72ads_A10_v5": 2, "Standard_NC48ads_A100_v4": 2,
    "Standard_NC96ads_A100_v4": 4, "Standard_ND96asr_A100_v4": 8, "Standard_ND96asr_v4": 8,
    "Standard_ND96amsr_A100_v4": 8, "Standard_NC80adis_H100_v5": 2, "Standard_ND96isr_H100_v5": 8,
    "Standard_ND96isr_H200_v5": 8, "Standard_NV24s_v3": 2, "Standard_NV48s_v3": 4, "Standard_NC12s_v3": 2,
    "Standard_NC24s_v3": 4, "Standard_NC24rs_v3": 4,
    "p2.8xlarge": 8, "p2.16xlarge": 16, "p3.8xlarge": 4, "p3.16xlarge": 8, "p3dn.24xlarge": 8, "p4d.24xlarge": 8,
    "p4de.24xlarge": 8, "p5.48xlarge": 8, "p5e.48xlarge": 8, "p5en.48xlarge": 8, "g6.12xlarge": 4, "g6.24xlarge": 4,
    "g6.48xlarge": 8, "g5g.16xlarge": 2, "g5g.metal": 2, "g5.12xlarge": 4, "g5.24xlarge": 4, "g5.48xlarge": 8,
    "g4dn.12xlarge": 4, "g4dn.metal": 8, "g4ad.8xlarge": 2, "g4ad.16xlarge": 4, "g3s.8xlarge": 2, "g3s.16xlarge": 4,
    "trn1.32xlarge": 16, "trn1n.32xlarge": 16, "inf2.24xlarge": 6, "inf2.48xlarge": 12,
}  # fmt: skip
"""Node types with more than one (pkg/sku/azure_sku_handler.go, aws_sku_handler.go)."""

_ONE_GPU = re.compile(
    r"Standard_(?:NC(?:4|8|16)as_T4|NV36ads_A10|NC24ads_A100|NC40ads_H100|NCC40ads_H100|NG32adm?s|NV12s|NV32as|NC6s)"
    r"|(?:p2\.xlarge|p3\.2xlarge|g6\.(?:2|4|8|16)?xlarge|gr6\.|g5g\.(?:2|4|8)?xlarge|g5\.(?:2|4|8|16)?xlarge"
    r"|g4dn\.(?:2|4|8|16)?xlarge|g4ad\.(?:2|4)?xlarge|g3s\.(?:4)?xlarge|trn1\.2xlarge|inf2\.(?:8)?xlarge)"
)
_GPUS_OF_UNKNOWN = 8
"""A node type that is in neither: the most that machines of one board have."""


def _devices(instance_type: str) -> ReadDevices:
    def devices(place: Place) -> Mapping[str, Fraction]:
        name = place.text(instance_type)
        # Nodes of one's own, which have no type here, are not said to have more than one.
        count = 1 if not name or _ONE_GPU.match(name) else _GPUS_OF_INSTANCE.get(name, _GPUS_OF_UNKNOWN)
        return {"nvidia.com/gpu": Fraction(count)}

    return devices


def _work(root: str, name: str, replicas: ReadReplicas, resource: str) -> PodTemplate:
    path = f"{root}/{name}"
    return PodTemplate(
        f"{path}/template/spec",
        f"{path}/template/metadata",
        replicas,
        anchor=path,
        empty="keep",
        partial=True,
        devices=_devices(f"{resource}/instanceType"),
    )


def _presets(*roots: str) -> Callable[[Place], Serving]:
    """A preset is a name of KAITO's own, or an id of the Hugging Face hub."""

    def read(place: Place) -> Serving:
        models: list[ModelRef] = []
        servers: list[Server] = []
        for root in roots:
            path = f"{root}/preset/name"
            name = place.text(path)
            if name:
                models.append(parse_model(name, place.at(path), default="hf" if "/" in name else "kaito"))
                servers.append(Server(place.at(f"{root}/preset"), "kaito"))
            claim = f"{root}/preset/presetOptions/modelWeightsPVC"
            if place.text(claim):
                models.append(parse_model(place.text(claim), place.at(claim), default="pvc"))
            inputs = f"{root}/input/urls"
            for index, url in enumerate(list_at(place.value(inputs), place.at(inputs))):
                if isinstance(url, str):
                    models.append(parse_model(url, place.at(f"{inputs}/{index}"), role="dataset"))
        return Serving(tuple(models), tuple(servers))

    return read


def _named(path: str) -> Callable[[Place], Serving]:
    def read(root: Place) -> Serving:
        found = []
        for place in places(root.root, path, base=root.base):
            name = place.text(path)
            if name:
                found.append(parse_model(name, place.at(path), default="hf" if "/" in name else "kaito"))
        return Serving(tuple(found))

    return read


_NODES = scaled("/resource/count")

KINDS = (
    Kind(
        "kaito.sh",
        "Workspace",
        (_work("", "inference", _NODES, "/resource"), _work("", "tuning", _NODES, "/resource")),
        serving=_presets("/inference", "/tuning"),
    ),
    Kind(
        "kaito.sh",
        "InferenceSet",
        (
            _work(
                "/spec/template",
                "inference",
                ranged(("/spec/replicas",), "/spec/nodeCountLimit"),
                "/spec/template/resource",
            ),
        ),
        serving=_presets("/spec/template/inference"),
        scale="/spec/replicas",
    ),
    Kind(
        "kaito.sh",
        "RAGEngine",
        (
            PodTemplate(
                "/spec/embedding/local",
                "/metadata",
                scaled("/spec/compute/count"),
                anchor="/spec/compute",
                empty="keep",
                partial=True,
                devices=_devices("/spec/compute/instanceType"),
            ),
        ),
        serving=_named("/spec/embedding/local/modelID"),
    ),
    Kind(
        "kaito.sh",
        "MultiRoleInference",
        (
            PodTemplate(
                "/spec/roles/*/template",
                "/metadata",
                scaled("/spec/roles/*/replicas"),
                anchor="/spec/roles/*",
                empty="keep",
                partial=True,
                devices=_devices("/spec/roles/*/instanceType"),
            ),
        ),
        serving=_named("/spec/model/name"),
    ),
)
