"""How many accelerators a pod asks for, as the scheduler counts them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

from pratique.errors import InputError
from pratique.pointer import escape
from pratique.quantity import parse_quantity
from pratique.shape import mapping_at
from pratique.subject import Container, Gpus, Pod

_WHOLE = frozenset(
    {
        "nvidia.com/gpu",
        "amd.com/gpu",
        "habana.ai/gaudi",
        "google.com/tpu",
        "aws.amazon.com/neuron",
        "aws.amazon.com/neurondevice",
    }
)
_NOT_INTEL_DEVICES = ("memory.max", "millicores", "tiles", "_monitoring")
_MIG = re.compile(r"nvidia\.com/mig-(?P<slices>[1-9])g\.(?P<gigabytes>[0-9]+)gb(?:\.[a-z0-9.+-]+)?")

_NONE = Fraction(0)

# An A30 is cut into four compute slices, every other GPU into seven (NVIDIA MIG user guide, supported profiles).
_FOUR_SLICE_PROFILES = frozenset({("1", "6"), ("2", "12"), ("4", "24")})


@lru_cache(maxsize=256)
def devices_per_unit(resource: str) -> Fraction:
    """How much of one accelerator a unit of the extended `resource` is; 0 for what is not an accelerator."""
    if resource in _WHOLE:
        return Fraction(1)
    if match := _MIG.fullmatch(resource):
        profile = (match["slices"], match["gigabytes"])
        return Fraction(int(match["slices"]), 4 if profile in _FOUR_SLICE_PROFILES else 7)
    if resource.startswith("gpu.intel.com/") and not resource.endswith(_NOT_INTEL_DEVICES):
        return Fraction(1)
    return Fraction(0)


def count_gpus(pods: Sequence[Pod]) -> Gpus:
    """The accelerators of all `pods` together.

    Raises:
        InputError: an accelerator's amount is not a non-negative quantity.
    """
    now = peak = _NONE
    by_resource: dict[str, Fraction] = {}
    for pod in pods:
        for resource, amount in _of_pod(pod).items():
            devices = amount * devices_per_unit(resource)
            now += devices * pod.replicas.min
            peak += devices * pod.replicas.max
            by_resource[resource] = by_resource.get(resource, _NONE) + amount * pod.replicas.min
    return Gpus(now=now, peak=peak, by_resource=by_resource)


def _of_pod(pod: Pod) -> dict[str, Fraction]:
    """Per resource: all that runs at once. Init containers run one after another, beside the sidecars started before
    them."""
    running: dict[str, Fraction] = {}
    most: dict[str, Fraction] = {}
    for container in pod.containers:
        asked = _of_container(container)
        if container.role == "init" and container.fields.get("restartPolicy") != "Always":
            for resource, amount in asked.items():
                most[resource] = max(most.get(resource, _NONE), amount + running.get(resource, _NONE))
        else:
            for resource, amount in asked.items():
                running[resource] = running.get(resource, _NONE) + amount
    for resource, amount in running.items():
        most[resource] = max(most.get(resource, _NONE), amount)
    return most


def _of_container(container: Container) -> Mapping[str, Fraction]:
    path = f"{container.path}/resources"
    resources = mapping_at(container.fields.get("resources"), path)
    asked: dict[str, Fraction] = {}
    for section in ("limits", "requests"):
        amounts: Mapping[str, Any] = mapping_at(resources.get(section), f"{path}/{section}")
        for resource, value in amounts.items():
            if "/" in resource and devices_per_unit(resource):
                asked[resource] = max(
                    asked.get(resource, _NONE), _amount(value, f"{path}/{section}/{escape(resource)}")
                )
    return asked


def _amount(value: object, path: str) -> Fraction:
    try:
        amount = parse_quantity(value)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    if amount < 0:
        raise InputError(f"{path}: {value!r} is negative; ask for 0 or more")
    return amount
