"""Seldon.

* SeldonIO/seldon-core operator/apis/machinelearning.seldon.io/v1/seldondeployment_types.go (00908a96): each of a
  predictor's `componentSpecs` is a Deployment, with `replicas` of its own or of the predictor or of the whole; its
  containers need no image where the graph names a prepackaged server. The graph is a tree, each node with a
  `modelUri`.
* operator/apis/mlops/v1alpha1/model_types.go, server_types.go, serverconfig_types.go, seldonruntime_types.go
  (043fd92d, 00bd0bdc): a Model is loaded into the pods of a Server.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pratique.kinds.models import ModelField, model_fields
from pratique.kinds.table import Kind, Place, PodTemplate, Serving, fixed, places, ranged
from pratique.models.reference import parse_model
from pratique.shape import list_at, mapping_at
from pratique.subject import ModelRef, Replicas, Server

_PREDICTOR = "/spec/predictors/*"
_COMPONENT = f"{_PREDICTOR}/componentSpecs/*"
_KEDA_DEFAULT_REPLICAS = 100
_MAX_DEPTH = 50


def _replicas(place: Place) -> Replicas:
    count = place.count("/spec/replicas", default=1)
    count = place.count(f"{_PREDICTOR}/replicas", default=count)
    count = place.count(f"{_COMPONENT}/replicas", default=count)
    most = place.count(f"{_COMPONENT}/hpaSpec/maxReplicas", default=0)
    if place.value(f"{_COMPONENT}/kedaSpec") is not None:
        most = max(most, place.count(f"{_COMPONENT}/kedaSpec/maxReplicaCount", default=_KEDA_DEFAULT_REPLICAS))
    return Replicas(count, max(count, most))


def _explainer(place: Place) -> Replicas:
    count = place.count(f"{_PREDICTOR}/explainer/replicas", default=1)
    return Replicas(count, count)


def _graph(root: Place) -> Serving:
    models: list[ModelRef] = []
    servers: list[Server] = []
    for place in places(root.root, f"{_PREDICTOR}/graph", base=root.base):
        where = place.at(f"{_PREDICTOR}/graph")
        for path, node in _nodes(place.value(f"{_PREDICTOR}/graph"), where, 0):
            uri = node.get("modelUri")
            if isinstance(uri, str) and uri:
                models.append(parse_model(uri, f"{path}/modelUri", default="file"))
            implementation = node.get("implementation")
            if isinstance(implementation, str) and implementation.endswith("_SERVER"):
                servers.append(Server(path, implementation.removesuffix("_SERVER").lower()))
    explained = model_fields(ModelField(f"{_PREDICTOR}/explainer/modelUri", scheme="file"))(root)
    return Serving((*models, *explained.models), tuple(servers))


def _nodes(value: Any, path: str, depth: int) -> Iterator[tuple[str, Any]]:
    node = mapping_at(value, path)
    yield path, node
    if depth < _MAX_DEPTH:
        for index, child in enumerate(list_at(node.get("children"), f"{path}/children")):
            yield from _nodes(child, f"{path}/children/{index}", depth + 1)


def _pods(kind: str, path: str, *, runs: bool) -> Kind:
    replicas = ranged(("/spec/replicas", "/spec/minReplicas"), "/spec/maxReplicas") if runs else fixed(0)
    return Kind(
        "mlops.seldon.io",
        kind,
        (PodTemplate(path, "/metadata", replicas, empty="keep", partial=True),),
        scale="/spec/replicas" if runs else "",
    )


KINDS = (
    Kind(
        "machinelearning.seldon.io",
        "SeldonDeployment",
        (
            PodTemplate(f"{_COMPONENT}/spec", f"{_COMPONENT}/metadata", _replicas, empty="keep", partial=True),
            PodTemplate(
                f"{_PREDICTOR}/explainer",
                "/metadata",
                _explainer,
                anchor=f"{_PREDICTOR}/explainer",
                empty="keep",
                partial=True,
                inline=("containerSpec",),
            ),
        ),
        serving=_graph,
    ),
    Kind(
        "mlops.seldon.io",
        "Model",
        serving=model_fields(ModelField("/spec/storageUri", scheme="file", revision="/spec/artifactVersion")),
    ),
    _pods("Server", "/spec/podSpec", runs=True),
    _pods("ServerConfig", "/spec/podSpec", runs=False),
    _pods("SeldonRuntime", "/spec/overrides/*/podSpec", runs=False),
    _pods("SeldonConfig", "/spec/components/*/podSpec", runs=False),
)
