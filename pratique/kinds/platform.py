"""The platform's own kinds (`ai.platform.internal/v1`; CRDs in charts/pratique/crds, made by `pratique.platform_crd`).

An AIModel becomes a Deployment of between `serving.replicas.min` and `max` pods, each with `gpuCount` (1)
accelerators of the type `gpu`. A ModelRegistry and an AIWorkspace are plain resources.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from pratique.kinds.models import ModelField, model_fields
from pratique.kinds.table import Kind, Place, PodTemplate, ranged

_SERVING = "/spec/serving"


def _devices(place: Place) -> Mapping[str, Fraction]:
    accelerator = place.text(f"{_SERVING}/gpu")
    return {accelerator: Fraction(place.count(f"{_SERVING}/gpuCount", default=1))} if accelerator else {}


KINDS = (
    Kind(
        "ai.platform.internal",
        "AIModel",
        (
            PodTemplate(
                _SERVING,
                "/metadata",
                ranged((f"{_SERVING}/replicas/min",), f"{_SERVING}/replicas/max"),
                anchor="/spec",
                required=True,
                empty="keep",
                partial=True,
                devices=_devices,
            ),
        ),
        serving=model_fields(ModelField("/spec/model/source", scheme="oci")),
    ),
)
