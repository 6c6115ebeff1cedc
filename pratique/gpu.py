"""How many accelerators a pod asks for, as the scheduler counts them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache

from pratique.errors import InputError
from pratique.pointer import escape
from pratique.quantity import parse_quantity
from pratique.shape import Object, count_at, list_at, lookup, mapping_at
from pratique.subject import Container, Gpus, Pod

_WHOLE = frozenset(
    {
        "nvidia.com/gpu",
        "nvidia.com/gpu.shared",
        "nvidia.com/pgpu",
        "amd.com/gpu",
        "habana.ai/gaudi",
        "habana.ai/goya",
        "google.com/tpu",
        "aws.amazon.com/neuron",
        "aws.amazon.com/neurondevice",
        "volcano.sh/gpu-number",
        "volcano.sh/vgpu-number",
        "cambricon.com/mlu",
        "furiosa.ai/npu",
        "qualcomm.com/qaic",
        "metax-tech.com/gpu",
        "enflame.com/gcu",
        "hygon.com/dcunum",
        "mthreads.com/vgpu",
        "iluvatar.com/gpu",
    }
)
_SHARES = {
    "tencent.com/vcuda-core": Fraction(1, 100),
    "koordinator.sh/gpu": Fraction(1, 100),
    "koordinator.sh/gpu-core": Fraction(1, 100),
    "aws.amazon.com/neuroncore": Fraction(1, 2),
}
"""Resources that count parts of a device: a hundredth each, or one of the cores of an AWS accelerator (two on the
smallest: Neuron device plugin)."""

_SERIES = re.compile(r"(?:huawei\.com/Ascend[0-9]|cambricon\.com/mlu[0-9]|rebellions\.ai/|furiosa\.ai/)[A-Za-z0-9]*")
_NOT_INTEL_DEVICES = ("memory.max", "millicores", "tiles", "_monitoring")
_MIG = re.compile(r"nvidia\.com/mig-(?P<slices>[1-9])g\.(?P<gigabytes>[0-9]+)gb(?:\.[a-z0-9.+-]+)?")

# An A30 is cut into four compute slices, every other GPU into seven (NVIDIA MIG user guide, supported profiles).
_FOUR_SLICE_PROFILES = frozenset({("1", "6"), ("2", "12"), ("4", "24")})

# kai-scheduler (pkg/common/constants, docs/gpu-sharing) and Run:ai: annotations of the pod.
_FRACTION, _MEMORY, _DEVICES = "gpu-fraction", "gpu-memory", "gpu-fraction-num-devices"

Claims = Mapping[tuple[str, str, str], Mapping[str, Fraction]]
"""The accelerators of a ResourceClaim or ResourceClaimTemplate by device class; the key is kind, namespace, name."""

_NO_CLAIMS: Claims = {}
_NO_ACCELERATORS = re.compile(
    r"compute-domain|(^|[.-])(nic|rdma|net|network|sriov|infiniband|roce|fpga|cpu|memory)([.-]|$)"
)


@lru_cache(maxsize=1024)
def devices_per_unit(resource: str) -> Fraction:
    """How much of one accelerator a unit of the extended `resource` is; 0 for what is not an accelerator.

    Shares of a device's cores or memory beside a number of devices (`nvidia.com/gpucores`, `nvidia.com/gpumem` and
    their like) are 0: the devices count.
    """
    if resource in _WHOLE or _SERIES.fullmatch(resource):
        return Fraction(1)
    if (share := _SHARES.get(resource)) is not None:
        return share
    if match := _MIG.fullmatch(resource):
        profile = (match["slices"], match["gigabytes"])
        return Fraction(int(match["slices"]), 4 if profile in _FOUR_SLICE_PROFILES else 7)
    if resource.startswith("gpu.intel.com/") and not resource.endswith(_NOT_INTEL_DEVICES):
        return Fraction(1)
    if resource.startswith("cloud-tpus.google.com/"):
        return Fraction(1)
    return Fraction(0)


def count_gpus(pods: Sequence[Pod], *, claims: Claims = _NO_CLAIMS, namespace: str = "") -> Gpus:
    """The accelerators of all `pods` together.

    `claims` are what is known of the claims of `namespace`. A claim of which nothing is known counts as one
    accelerator: it may be one.

    Raises:
        InputError: an accelerator's amount is not a non-negative quantity.
    """
    now: Amount = 0
    peak: Amount = 0
    by_resource: dict[str, Amount] = {}
    for pod in pods:
        for resource, amount, unit, shared in _all_of_pod(pod, claims, namespace):
            least, most = pod.replicas.min, pod.replicas.max
            if shared:  # one claim for all pods of the template
                least, most = min(least, 1), min(most, 1)
            devices = amount if unit == 1 else amount * unit
            now += devices * least
            peak += devices * most
            by_resource[resource] = by_resource.get(resource, 0) + amount * least
    return Gpus(
        now=Fraction(now),
        peak=Fraction(peak),
        by_resource={resource: Fraction(amount) for resource, amount in by_resource.items()},
    )


def gpus_of_pod(pod: Pod, *, claims: Claims = _NO_CLAIMS, namespace: str = "") -> Fraction:
    """The accelerators of one pod of a template.

    Raises:
        InputError: as for `count_gpus`.
    """
    return Fraction(sum(amount * unit for _, amount, unit, _ in _all_of_pod(pod, claims, namespace)))


Amount = int | Fraction
"""Exact either way. Nearly all are whole, and a Fraction costs ten times as much."""


def _all_of_pod(pod: Pod, claims: Claims, namespace: str) -> Iterator[tuple[str, Amount, Amount, bool]]:
    """Each resource, how much of it, how much of a device a unit of it is, and whether all pods share it."""
    asked = _of_pod(pod)
    for resource, amount in asked.items():
        yield resource, amount, 1 if resource in _WHOLE else devices_per_unit(resource), False
    if pod.devices:
        # What is written beside the containers says how many there are, not how many more.
        held = sum(amount * devices_per_unit(resource) for resource, amount in asked.items())
        wanted = sum(pod.devices.values())
        if wanted > held:
            for resource, share in pod.devices.items():
                yield resource, share * (wanted - held) / wanted, 1, False
    if "resourceClaims" in pod.fields:
        yield from _claimed(pod, claims, namespace)
    annotations = pod.annotations
    if annotations and (_FRACTION in annotations or _MEMORY in annotations):
        yield _FRACTION, _fraction(pod), 1, False


def _claimed(pod: Pod, claims: Claims, namespace: str) -> Iterator[tuple[str, Amount, Amount, bool]]:
    place = f"{pod.path}/resourceClaims"
    for index, value in enumerate(list_at(pod.fields.get("resourceClaims"), place)):
        claim = mapping_at(value, f"{place}/{index}")
        source = mapping_at(claim.get("source"), f"{place}/{index}/source") or claim  # resource.k8s.io/v1alpha2
        inline = claim.get("claimCreationSpec") or claim.get("claimSpec")  # NIMService draResources
        if inline is not None:
            devices = devices_of_claim({"devices": {"requests": mapping_at(inline, f"{place}/{index}").get("devices")}})
            for resource, amount in devices.items():
                yield resource, amount, 1, False
            continue
        shared = source.get("resourceClaimTemplateName") is None
        kind = "ResourceClaim" if shared else "ResourceClaimTemplate"
        name = str(source.get("resourceClaimName" if shared else "resourceClaimTemplateName") or claim.get("name"))
        known = claims.get((kind, namespace, name))
        if known is None:
            yield f"{kind.lower()}s/{name}", 1, 1, shared
        else:
            for resource, amount in known.items():
                yield resource, amount, 1, shared


def devices_of_claim(spec: Object) -> Mapping[str, Fraction]:
    """The accelerators that a ResourceClaim's `spec` asks for, by device class (resource.k8s.io v1alpha3 to v1:
    `devices.requests[]`, with `exactly` and `firstAvailable` from v1beta2 on; of alternatives the largest counts).

    Raises:
        InputError: parts of it have the wrong types.
    """
    found: dict[str, Fraction] = {}
    requests = lookup(spec, "/devices/requests")
    for value in list_at(requests, "/spec/devices/requests"):
        request = mapping_at(value, "/spec/devices/requests")
        choices = list_at(request.get("firstAvailable"), "/firstAvailable") or [request.get("exactly") or request]
        best: tuple[int, str] = (0, "")
        for choice in choices:
            exactly = mapping_at(choice, "/spec/devices/requests")
            device_class = exactly.get("deviceClassName")
            name = device_class if isinstance(device_class, str) else "device"
            if not _NO_ACCELERATORS.search(name):
                best = max(best, (count_at(exactly, "/count", default=1), name))
        if best[0]:
            found[best[1]] = found.get(best[1], Fraction(0)) + best[0]
    return found


def _fraction(pod: Pod) -> Amount:
    """What the annotations of a shared GPU ask for. A share that is given in memory may be a whole device."""

    def number(name: str) -> Amount:
        return _amount(pod.annotations.get(name), f"{pod.path}: the annotation {name}")

    each = number(_FRACTION) if _FRACTION in pod.annotations else 1
    return each * (number(_DEVICES) if _DEVICES in pod.annotations else 1)


def _of_pod(pod: Pod) -> Mapping[str, Amount]:
    """Per resource: all that runs at once. Init containers run one after another, beside the sidecars started before
    them."""
    running: dict[str, Amount] = {}
    most: dict[str, Amount] = {}
    for container in pod.containers:
        asked = _of_container(container)
        if not asked:
            continue
        if container.role == "init" and container.fields.get("restartPolicy") != "Always":
            for resource, amount in asked.items():
                most[resource] = max(most.get(resource, 0), amount + running.get(resource, 0))
        else:
            for resource, amount in asked.items():
                running[resource] = running.get(resource, 0) + amount
    if not most:
        return running
    for resource, amount in running.items():
        most[resource] = max(most.get(resource, 0), amount)
    return most


RESOURCE_FIELDS = ("computeResources", "resourcesPerNode")
"""What `resources` are called in a Tekton step and in the trainer of a TrainJob."""


def _of_container(container: Container) -> Mapping[str, Amount]:
    name = "resources"
    for alias in RESOURCE_FIELDS:
        if alias in container.fields:
            name = alias
    value = container.fields.get(name)
    if value is None:
        return _NOTHING
    resources = mapping_at(value, f"{container.path}/{name}")
    asked: dict[str, Amount] = {}
    for section in ("limits", "requests"):
        amounts = resources.get(section)
        if amounts is None:
            continue
        for resource, wanted in mapping_at(amounts, f"{container.path}/{name}/{section}").items():
            if "/" in resource and devices_per_unit(resource):
                amount = _amount(wanted, f"{container.path}/{name}/{section}/{escape(resource)}")
                asked[resource] = max(asked.get(resource, 0), amount)
    return asked


_NOTHING: Mapping[str, Amount] = {}


def _amount(value: object, path: str) -> Amount:
    if type(value) is str and value.isascii() and value.isdecimal() and len(value) < 19:
        return int(value)
    try:
        amount = parse_quantity(value)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    if amount < 0:
        raise InputError(f"{path}: {value!r} is negative; ask for 0 or more")
    return amount.numerator if amount.denominator == 1 else amount
