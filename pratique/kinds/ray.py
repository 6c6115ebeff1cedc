"""Ray (ray-project/kuberay ray-operator/apis/ray/v1: raycluster_types.go, rayjob_types.go, rayservice_types.go,
raycronjob_types.go, at 026f1433, 0057210e and 027ccaf8; v1alpha1 has the same fields).

A worker group has `replicas` replicas of `numOfHosts` pods each. `maxReplicas` counts even where autoscaling is off;
its default (2^31 - 1, which the API server writes into every object) is no bound that anybody chose, and counts only
where autoscaling is on. While a RayService is upgraded there are two clusters; that is a rollout, and not counted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pratique.errors import InputError
from pratique.kinds.table import UNLIMITED, Kind, Place, PodTemplate, ReadReplicas, Serving, fixed, times
from pratique.models.containers import serving_of_script
from pratique.models.reference import parse_model
from pratique.shape import list_at, lookup, mapping_at
from pratique.subject import ModelRef, ModelRole, Replicas, Server

_MAX_CONFIG_LENGTH = 1_000_000


def cluster(root: str, *, copies: ReadReplicas | None = None) -> tuple[PodTemplate, ...]:
    """The pods of a RayClusterSpec at `root`, `copies` times."""
    copies = copies or fixed(1)
    group = f"{root}/workerGroupSpecs/*"

    def workers(place: Place) -> Replicas:
        floor = place.count(f"{group}/minReplicas", default=0)
        count = max(place.count(f"{group}/replicas", default=floor), floor)
        most = place.count(f"{group}/maxReplicas", default=UNLIMITED)
        if most == UNLIMITED and place.value(f"{root}/enableInTreeAutoscaling") is not True:
            most = count
        hosts = max(place.count(f"{group}/numOfHosts", default=1), 1)
        return Replicas(count * hosts, max(count, most) * hosts)

    head = f"{root}/headGroupSpec/template"
    return (
        PodTemplate(f"{head}/spec", f"{head}/metadata", copies, anchor=root, required=root == "/spec"),
        PodTemplate(f"{group}/template/spec", f"{group}/template/metadata", times(copies, workers)),
    )


def _job(root: str) -> tuple[PodTemplate, ...]:
    submitter = f"{root}/submitterPodTemplate"
    return (
        *cluster(f"{root}/rayClusterSpec"),
        PodTemplate(f"{submitter}/spec", f"{submitter}/metadata", fixed(1), empty="keep", partial=True),
    )


def _entrypoint(root: str) -> Callable[[Place], Serving]:
    path = f"{root}/entrypoint"

    def read(place: Place) -> Serving:
        models, server = serving_of_script(place.text(path), place.at(path))
        return Serving(tuple(models), (server,) if server is not None else ())

    return read


def _applications(place: Place) -> Serving:
    """The models of `serveConfigV2`, a text of YAML (ray-project/ray python/ray/llm/_internal/serve/configs)."""
    path = "/spec/serveConfigV2"
    text = place.text(path)
    if "model" not in text:
        return Serving()
    from pratique.yamlfile import Document, load_documents

    where = place.at(path)
    models: list[ModelRef] = []
    servers: list[Server] = []
    for document in load_documents(text[:_MAX_CONFIG_LENGTH], where):
        if not isinstance(document, Document):
            raise InputError(f"{where} cannot be read as YAML: {document.where}: {document.message}")
        config = mapping_at(document.value, where)
        for application in list_at(config.get("applications"), f"{where} (applications)"):
            _application(mapping_at(application, where), where, models, servers)
    return Serving(tuple(models), tuple(servers))


def _application(application: Any, where: str, models: list[ModelRef], servers: list[Server]) -> None:
    arguments = application.get("args")
    if not isinstance(arguments, dict):
        return
    configs = arguments.get("llm_configs")
    for value in configs if isinstance(configs, list) else []:
        if isinstance(value, dict):
            _llm(value, where, models, servers)
    for name in ("model", "model_id", "model_name_or_path"):
        if isinstance(arguments.get(name), str):
            models.append(parse_model(arguments[name], where, revision=str(arguments.get("revision") or "")))


def _llm(config: Any, where: str, models: list[ModelRef], servers: list[Server]) -> None:
    loading = mapping_at(config.get("model_loading_config"), where)
    engine = mapping_at(config.get("engine_kwargs"), where)
    source = loading.get("model_source")
    if isinstance(source, dict):
        source = source.get("bucket_uri")
    uri = source if isinstance(source, str) and source else loading.get("model_id")
    if isinstance(uri, str):
        revision = str(engine.get("revision") or "")
        models.append(parse_model(uri, where, revision=revision, framework="ray-llm"))
    roles: tuple[tuple[str, ModelRole], ...] = (("tokenizer", "tokenizer"), ("speculative_model", "draft"))
    for name, role in roles:
        if isinstance(engine.get(name), str):
            models.append(parse_model(engine[name], where, role=role, framework="ray-llm"))
    adapters = lookup(config, "/lora_config/dynamic_lora_loading_path", base=where)
    if isinstance(adapters, str):
        models.append(parse_model(adapters, where, role="lora", framework="ray-llm"))
    trusts = engine.get("trust_remote_code") is True
    load_format = str(engine.get("load_format") or "")
    servers.append(Server(where, "ray-llm", trust_remote_code=where if trusts else "", load_format=load_format))


KINDS = (
    Kind("ray.io", "RayCluster", cluster("/spec")),
    Kind("ray.io", "RayJob", _job("/spec"), serving=_entrypoint("/spec")),
    Kind("ray.io", "RayCronJob", _job("/spec/jobTemplate"), serving=_entrypoint("/spec/jobTemplate")),
    Kind("ray.io", "RayService", cluster("/spec/rayClusterConfig"), serving=_applications),
)
