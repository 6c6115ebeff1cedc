"""Serving platforms: Knative, KubeAI.

* knative/serving pkg/apis/serving/v1/service_types.go, autoscaling/register.go: the number of pods is in
  annotations of the template (`max-scale`; 0 is no limit). Where no limit is written, one is set by the cluster, or
  there is none; what can be seen counts.
* kubeai-project/kubeai api/k8s/v1/model_types.go (094b02b0): `replicas` is set by KubeAI between `minReplicas` and
  `maxReplicas`, which without a value is no limit; `resourceProfile` is a profile of the configuration and how many
  of it. `env` is an object of names and values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction

from pratique.kinds.models import ModelField, model_fields
from pratique.kinds.table import UNLIMITED, Kind, Place, PodTemplate, ReadReplicas, Serving, whole
from pratique.models.containers import serving_of_fields
from pratique.subject import Replicas

_PREFIX = "autoscaling.knative.dev/"


def _knative_scale(metadata: str) -> ReadReplicas:
    def read(place: Place) -> Replicas:
        annotations = place.mapping(f"{metadata}/annotations")

        def annotated(*names: str) -> int | None:
            for name in names:
                value = annotations.get(_PREFIX + name)
                if value is not None:
                    return whole(value, f"{place.at(metadata)}/annotations ({_PREFIX}{name})")
            return None

        least = max(annotated("min-scale", "minScale") or 0, annotated("initial-scale", "initialScale") or 0, 1)
        most = annotated("max-scale", "maxScale")
        return Replicas(least, UNLIMITED if most == 0 else max(least, most or 0))

    return read


def _knative(kind: str, root: str) -> Kind:
    spec, metadata = (f"{root}/spec", f"{root}/metadata") if root else ("/spec", "/metadata")
    return Kind("serving.knative.dev", kind, (PodTemplate(spec, metadata, _knative_scale(metadata), required=True),))


_TOPOLOGY = re.compile(r"[0-9]+(?:x[0-9]+)+")
_ENGINES = {"VLLM": "vllm", "OLlama": "ollama", "Infinity": "infinity", "FasterWhisper": "faster-whisper"}


def _kubeai_replicas(place: Place) -> Replicas:
    count = max(place.count("/spec/replicas", default=0), place.count("/spec/minReplicas", default=0))
    default = max(count, 1) if place.value("/spec/autoscalingDisabled") is True else UNLIMITED
    return Replicas(count, max(count, place.count("/spec/maxReplicas", default=default)))


def _kubeai_devices(place: Place) -> Mapping[str, Fraction]:
    profile, _, count = place.text("/spec/resourceProfile").partition(":")
    if not profile or profile.startswith("cpu"):
        return {}
    each = 1
    for topology in _TOPOLOGY.findall(profile):  # google-tpu-v5e-2x4
        for side in topology.split("x"):
            each *= int(side)
    return {profile: Fraction(each * whole(count or 1, place.at("/spec/resourceProfile")))}


_KUBEAI_FIELDS = model_fields(ModelField("/spec/url"), ModelField("/spec/adapters/*/url", role="lora"))


def _kubeai_serving(place: Place) -> Serving:
    engine = place.text("/spec/engine")
    models, server = serving_of_fields(place.mapping("/spec"), place.at("/spec"), _ENGINES.get(engine, engine.lower()))
    return Serving((*_KUBEAI_FIELDS(place).models, *models), (server,))


KINDS = (
    _knative("Service", "/spec/template"),
    _knative("Configuration", "/spec/template"),
    _knative("Revision", ""),
    Kind(
        "kubeai.org",
        "Model",
        (
            PodTemplate(
                "/spec",
                "/metadata",
                _kubeai_replicas,
                required=True,
                empty="keep",
                partial=True,
                inline=("",),
                devices=_kubeai_devices,
            ),
        ),
        serving=_kubeai_serving,
        scale="/spec/replicas",
    ),
)
