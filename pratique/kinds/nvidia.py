"""NVIDIA: NIM, NeMo, Dynamo.

* NVIDIA/k8s-nim-operator api/apps/v1alpha1/nimservice_types.go, nimcache_types.go, common_types.go, dra_types.go
  (0464933f and later): a NIMService is container and pod in one, its image is split into repository and tag. With
  `multiNode`, a replica is a LeaderWorkerSet of `parallelism.pipeline` pods (`size` before v3.0) with
  `parallelism.tensor` GPUs each (`gpusPerPod`). Where the resources name no GPU, the operator adds those of the
  profile, at least one. A NIMCache runs one Job with the image `modelPuller`.
* ai-dynamo/dynamo deploy/operator/api/v1alpha1/dynamocomponentdeployment_types.go, common.go: `services`, an object,
  each with `extraPodSpec` (a pod spec and `mainContainer`), and GPUs in `resources.limits.gpu`; v1beta1:
  `components`, a list, each with a `podTemplate`, in groups that have replicas too. `multinode.nodeCount` pods are
  one replica.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from pratique.errors import InputError
from pratique.gpu import devices_per_unit
from pratique.kinds.models import ModelField, ReferenceField, model_fields
from pratique.kinds.table import Kind, Place, PodTemplate, ReadDevices, ReadReplicas, Serving, ranged, scaled, times
from pratique.models.reference import parse_model
from pratique.quantity import parse_quantity
from pratique.shape import list_at, mapping_at
from pratique.subject import Replicas

_GPU = "nvidia.com/gpu"

# NIM


def _nim(root: str) -> PodTemplate:
    node = f"{root}/multiNode"

    def group(place: Place) -> Replicas:
        size = place.count(f"{node}/parallelism/pipeline", default=place.count(f"{node}/size", default=1))
        return Replicas(max(size, 1), max(size, 1))

    def devices(place: Place) -> Mapping[str, Fraction]:
        if place.value(f"{root}/draResources"):
            return {}
        per_pod = place.count(f"{node}/parallelism/tensor", default=place.count(f"{node}/gpusPerPod", default=1))
        return {_GPU: Fraction(max(per_pod, 1))}

    hpa = f"{root}/scale/hpa"
    return PodTemplate(
        root,
        root,
        times(ranged((f"{root}/replicas", f"{hpa}/minReplicas"), f"{hpa}/maxReplicas"), group),
        anchor=root,
        required="*" not in root,
        empty="keep",
        partial=True,
        inline=("",),
        devices=devices,
    )


def _nim_cache(place: Place) -> Serving:
    """A NIM holds the model that its name says; a model of a hub has a namespace and a name."""
    found = []
    endpoint = place.text("/spec/source/ngc/modelEndpoint")
    if endpoint:
        found.append(parse_model(endpoint, place.at("/spec/source/ngc/modelEndpoint"), default="ngc", framework="nim"))
    for hub in ("hf", "dataStore"):
        root = f"/spec/source/{hub}"
        for field in ("modelName", "datasetName"):
            name, namespace = place.text(f"{root}/{field}"), place.text(f"{root}/namespace")
            if name:
                found.append(
                    parse_model(
                        f"{namespace}/{name}" if namespace else name,
                        place.at(f"{root}/{field}"),
                        revision=place.text(f"{root}/revision"),
                        role="model" if field == "modelName" else "dataset",
                        framework="nim",
                    )
                )
    return Serving(tuple(found))


def _nemo(kind: str) -> Kind:
    return Kind(
        "apps.nvidia.com",
        kind,
        (
            PodTemplate(
                "/spec",
                "/spec",
                ranged(("/spec/replicas", "/spec/scale/hpa/minReplicas"), "/spec/scale/hpa/maxReplicas"),
                required=True,
                empty="keep",
                partial=True,
                inline=("",),
            ),
        ),
    )


# Dynamo


def _nodes(root: str) -> ReadReplicas:
    def read(place: Place) -> Replicas:
        if place.value(f"{root}/multinode") is None:
            return Replicas(1, 1)
        nodes = place.count(f"{root}/multinode/nodeCount", default=2)
        return Replicas(nodes, nodes)

    return read


def _group_replicas(root: str) -> ReadReplicas:
    """The replicas of the group that a component is in (`experimental.componentGroups`, v1beta1)."""

    def read(place: Place) -> Replicas:
        name = place.value(f"{root}/name")
        groups = "/spec/experimental/componentGroups"
        for index, value in enumerate(list_at(place.value(groups), place.at(groups))):
            members = mapping_at(value, place.at(f"{groups}/{index}")).get("components")
            for member in list_at(members, place.at(f"{groups}/{index}/components")):
                if mapping_at(member, place.at(f"{groups}/{index}/components")).get("name") == name:
                    count = place.count(f"{groups}/{index}/replicas", default=1)
                    return Replicas(count, count)
        return Replicas(1, 1)

    return read


def _dynamo_devices(root: str) -> ReadDevices:
    def devices(place: Place) -> Mapping[str, Fraction]:
        found: dict[str, Fraction] = {}
        for section in ("limits", "requests"):
            item = f"{root}/resources/{section}"
            amounts = place.mapping(item)
            wanted = {str(amounts.get("gpuType") or _GPU): (amounts.get("gpu"), Fraction(1), f"{item}/gpu")}
            for name, value in place.mapping(f"{item}/custom").items():
                wanted[name] = (value, devices_per_unit(name), f"{item}/custom")
            for name, (value, unit, path) in wanted.items():
                if value is not None and unit:
                    found[name] = max(found.get(name, Fraction(0)), unit * _amount(value, place.at(path)))
        return found

    return devices


def _amount(value: object, path: str) -> Fraction:
    try:
        amount = parse_quantity(value)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    if amount < 0:
        raise InputError(f"{path}: {value!r} is negative; ask for 0 or more")
    return amount


def _service(root: str) -> PodTemplate:
    """v1alpha1"""
    scaling = ranged((f"{root}/replicas", f"{root}/autoscaling/minReplicas"), f"{root}/autoscaling/maxReplicas")
    return PodTemplate(
        f"{root}/extraPodSpec",
        f"{root}/extraPodMetadata",
        times(scaling, _nodes(root)),
        anchor=root,
        empty="keep",
        partial=True,
        inline=("mainContainer",),
        devices=_dynamo_devices(root),
    )


def _component(root: str) -> PodTemplate:
    """v1beta1"""
    return PodTemplate(
        f"{root}/podTemplate/spec",
        f"{root}/podTemplate/metadata",
        times(scaled(f"{root}/replicas"), _nodes(root), _group_replicas(root)),
        anchor=f"{root}/podTemplate",
        empty="keep",
        partial=True,
    )


_SERVICES, _COMPONENTS = "/spec/services/*", "/spec/components/*"

KINDS = (
    Kind(
        "apps.nvidia.com",
        "NIMService",
        (_nim("/spec"),),
        serving=model_fields(
            ReferenceField("/spec/storage/nimCache/name", "NIMCache"),
            ReferenceField("/spec/nimCache/name", "NIMCache"),
        ),
        scale="/spec/replicas",
    ),
    Kind(
        "apps.nvidia.com",
        "NIMPipeline",
        (_nim("/spec/services/*/spec"),),
        serving=model_fields(ReferenceField("/spec/services/*/spec/storage/nimCache/name", "NIMCache")),
    ),
    Kind(
        "apps.nvidia.com",
        "NIMCache",
        images=(
            "/spec/source/ngc/modelPuller",
            "/spec/source/dataStore/modelPuller",
            "/spec/source/hf/modelPuller",
        ),
        serving=_nim_cache,
    ),
    Kind("apps.nvidia.com", "NIMBuild", serving=model_fields(ReferenceField("/spec/nimCache/name", "NIMCache"))),
    _nemo("NemoCustomizer"),
    _nemo("NemoDatastore"),
    _nemo("NemoEntitystore"),
    _nemo("NemoEvaluator"),
    _nemo("NemoGuardrail"),
    Kind(
        "nvidia.com",
        "DynamoGraphDeployment",
        (_service(_SERVICES), _component(_COMPONENTS)),
        serving=model_fields(
            ModelField(f"{_SERVICES}/modelRef/name", revision=f"{_SERVICES}/modelRef/revision"),
            ModelField(f"{_COMPONENTS}/modelRef/name", revision=f"{_COMPONENTS}/modelRef/revision"),
        ),
    ),
    Kind(
        "nvidia.com",
        "DynamoComponentDeployment",
        (
            PodTemplate(
                "/spec/extraPodSpec",
                "/spec/extraPodMetadata",
                _service("/spec").replicas,
                anchor="/spec",
                empty="keep",
                partial=True,
                inline=("mainContainer",),
                lists=_service("/spec").lists,
                devices=_dynamo_devices("/spec"),
            ),
            _component("/spec"),
        ),
        serving=model_fields(ModelField("/spec/modelRef/name", revision="/spec/modelRef/revision")),
        scale="/spec/replicas",
    ),
)
