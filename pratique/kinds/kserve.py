"""KServe (kserve/kserve pkg/apis/serving at 0217bdab and 01bfd238, of 2026).

* v1beta1/inference_service.go, predictor.go, component.go: a component is a pod spec with `minReplicas` (1 where it
  is not given) and `maxReplicas` beside it. The model server is a container called `model`, or as its framework; its
  image comes from a ServingRuntime unless it is given. With a `workerSpec`, one head and `pipelineParallelSize - 1`
  workers (2 where it is not given) are one replica, with `tensorParallelSize` GPUs in each.
* v1alpha1/llm_inference_service_types.go and _func.go (`GetSize`): a replica is one pod, or with `worker` a group of
  data / dataLocal pods (not `data`; integer division), else of `pipeline` pods. `replicas` and `scaling` exclude each
  other. `prefill` is a second workload; the scheduler and its tokenizer are pods of the router.
* v1alpha1/servingruntime_types.go: templates, with no pods of their own. trained_model.go: a model that is loaded
  into the pods of an InferenceService. inference_graph.go: a router whose image the controller chooses.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from pratique.kinds.models import ModelField, ReferenceField, model_fields
from pratique.kinds.table import Kind, Place, PodTemplate, ReadDevices, ReadReplicas, fixed, ranged, scaled, times
from pratique.subject import Replicas, Server

_FRAMEWORKS = (
    "sklearn", "xgboost", "tensorflow", "pytorch", "triton", "onnx", "huggingface", "pmml", "lightgbm", "paddle",
    "mlserver", "tensorrt", "custom/container",
)  # fmt: skip
_EXPLAINERS = ("art", "alibi", "aix", "aif")


def _component(path: str, *inline: str) -> PodTemplate:
    return PodTemplate(
        path,
        path,
        ranged((f"{path}/minReplicas",), f"{path}/maxReplicas"),
        anchor=path,
        empty="keep",
        partial=True,
        inline=inline,
        devices=_tensor_parallel(f"{path}/workerSpec"),
    )


def _worker(path: str) -> PodTemplate:
    worker = f"{path}/workerSpec"

    def group(place: Place) -> Replicas:
        size = max(place.count(f"{worker}/pipelineParallelSize", default=2) - 1, 1)
        return Replicas(size, size)

    return PodTemplate(
        worker,
        path,
        times(ranged((f"{path}/minReplicas",), f"{path}/maxReplicas"), group),
        empty="keep",
        partial=True,
        devices=_tensor_parallel(worker),
    )


def _tensor_parallel(worker: str) -> ReadDevices:
    def devices(place: Place) -> Mapping[str, Fraction]:
        if place.value(worker) is None:
            return {}
        return {"nvidia.com/gpu": Fraction(place.count(f"{worker}/tensorParallelSize", default=1))}

    return devices


_COMPONENTS = ("/spec", "/spec/default", "/spec/canary")
"""Where the components are: below `default` and `canary` in serving.kubeflow.org/v1alpha2."""

_INFERENCE_TEMPLATES = tuple(
    template
    for root in _COMPONENTS
    for template in (
        _component(f"{root}/predictor", "model", *_FRAMEWORKS),
        _worker(f"{root}/predictor"),
        _component(f"{root}/transformer", "custom/container"),
        _component(f"{root}/explainer", *_EXPLAINERS, "custom/container"),
    )
)


def _servers(place: Place) -> tuple[Server, ...]:
    found = []
    for root in _COMPONENTS:
        predictor = place.mapping(f"{root}/predictor")
        if predictor.get("model") is not None:
            model = f"{root}/predictor/model"
            found.append(
                Server(place.at(model), place.text(f"{model}/modelFormat/name"), place.text(f"{model}/runtime"))
            )
        found.extend(
            Server(place.at(f"{root}/predictor/{name}"), name)
            for name in _FRAMEWORKS
            if "/" not in name and predictor.get(name) is not None
        )
    return tuple(found)


_STORED = (
    field
    for root in _COMPONENTS
    for component, names in (("predictor", ("model", *_FRAMEWORKS)), ("explainer", _EXPLAINERS))
    for name in names
    for field in (
        ModelField(f"{root}/{component}/{name}/storageUri", scheme="file"),
        ModelField(f"{root}/{component}/{name}/modelUri", scheme="file"),
        ReferenceField(f"{root}/{component}/{name}/storage/path", "storage configuration"),
    )
)

_INFERENCE_SERVING = model_fields(
    *_STORED, ModelField("/spec/predictor/storageUris/*/uri", scheme="file"), servers=_servers
)


# LLMInferenceService


def _llm_replicas(root: str) -> ReadReplicas:
    return ranged((f"{root}/replicas", f"{root}/scaling/minReplicas"), f"{root}/scaling/maxReplicas")


def _llm_group(root: str, *, workers: bool) -> ReadReplicas:
    def size(place: Place) -> Replicas:
        if place.value(f"{root}/worker") is None:
            return Replicas(1, 1)
        parallelism = f"{root}/parallelism"
        data = place.count(f"{parallelism}/data", default=0)
        local = place.count(f"{parallelism}/dataLocal", default=0)
        if data or local:
            pods = max(max(data, 1) // max(local, 1), 1)
        else:
            pods = max(place.count(f"{parallelism}/pipeline", default=1), 1)
        has_leader = place.value(f"{root}/template") is not None
        if not workers:
            pods = 1 if has_leader else 0
        elif has_leader:
            pods -= 1
        return Replicas(pods, pods)

    return size


def _llm_devices(root: str) -> ReadDevices:
    def devices(place: Place) -> Mapping[str, Fraction]:
        tensor = place.count(f"{root}/parallelism/tensor", default=0)
        local = place.count(f"{root}/parallelism/dataLocal", default=1)
        return {"nvidia.com/gpu": Fraction(tensor * max(local, 1))} if tensor else {}

    return devices


def _llm_templates(*, template_only: bool) -> tuple[PodTemplate, ...]:
    found = []
    for root in ("/spec", "/spec/prefill"):
        for name, workers in (("template", False), ("worker", True)):
            replicas = times(_llm_replicas(root), _llm_group(root, workers=workers))
            found.append(
                PodTemplate(
                    f"{root}/{name}",
                    root,
                    fixed(0) if template_only else replicas,
                    # Without a template the pods are made from the configuration, unless all are made from `worker`.
                    anchor=root if name == "template" and not template_only else "",
                    empty="keep",
                    partial=True,
                    devices=_llm_devices(root),
                )
            )
    scheduler = "/spec/router/scheduler"
    for path in (f"{scheduler}/template", f"{scheduler}/tokenizer/template"):
        replicas = fixed(0) if template_only else scaled(f"{scheduler}/replicas")
        found.append(PodTemplate(path, f"{path}/metadata", replicas, empty="keep", partial=True))
    return tuple(found)


def _llm_servers(place: Place) -> tuple[Server, ...]:
    trusts = place.value("/spec/trustRemoteCode") is True
    return (
        Server(
            place.at("/spec"),
            "vllm",
            place.text("/spec/runtime"),
            trust_remote_code=place.at("/spec/trustRemoteCode") if trusts else "",
        ),
    )


_LLM_SERVING = model_fields(
    ModelField("/spec/model/uri", framework="vllm"),
    ModelField("/spec/model/lora/adapters/*/uri", role="lora", framework="vllm"),
    servers=_llm_servers,
)

# Templates and the rest


def _runtime(kind: str) -> Kind:
    return Kind(
        "serving.kserve.io",
        kind,
        (
            PodTemplate("/spec", "/spec", fixed(0), required=True, partial=True),
            PodTemplate("/spec/workerSpec", "/spec/workerSpec", fixed(0), partial=True),
        ),
    )


KINDS = (
    Kind("serving.kserve.io", "InferenceService", _INFERENCE_TEMPLATES, serving=_INFERENCE_SERVING),
    Kind("serving.kubeflow.org", "InferenceService", _INFERENCE_TEMPLATES, serving=_INFERENCE_SERVING),
    Kind("serving.kserve.io", "LLMInferenceService", _llm_templates(template_only=False), serving=_LLM_SERVING),
    Kind("serving.kserve.io", "LLMInferenceServiceConfig", _llm_templates(template_only=True), serving=_LLM_SERVING),
    Kind(
        "serving.kserve.io",
        "TrainedModel",
        serving=model_fields(ModelField("/spec/model/storageUri", scheme="file")),
    ),
    _runtime("ServingRuntime"),
    _runtime("ClusterServingRuntime"),
    Kind(
        "serving.kserve.io",
        "InferenceGraph",
        (
            PodTemplate(
                "/spec",
                "/metadata",
                ranged(("/spec/minReplicas",), "/spec/maxReplicas"),
                required=True,
                empty="keep",
                partial=True,
                inline=("",),
            ),
        ),
    ),
    Kind(
        "serving.kserve.io",
        "ClusterStorageContainer",
        (PodTemplate("/spec", "/metadata", fixed(0), empty="keep", inline=("container",)),),
    ),
    Kind("serving.kserve.io", "LocalModelCache", serving=model_fields(ModelField("/spec/sourceModelUri"))),
    Kind("serving.kserve.io", "LocalModelNamespaceCache", serving=model_fields(ModelField("/spec/sourceModelUri"))),
)
