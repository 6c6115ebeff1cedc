"""What only tells one copy of a template from another: the names, hashes and mounts that controllers and admission
plugins put into each of a thousand equal pods. Policies do not see it unless they `need` `identity`, so those pods are
one evaluation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pratique.shape import Object

IDENTITY_LABELS = frozenset(
    {
        "controller-uid",
        "job-name",
        "batch.kubernetes.io/controller-uid",
        "batch.kubernetes.io/job-name",
        "batch.kubernetes.io/job-completion-index",
        "statefulset.kubernetes.io/pod-name",
        "apps.kubernetes.io/pod-index",
    }
)
IDENTITY_ANNOTATIONS = frozenset(
    {"kubectl.kubernetes.io/last-applied-configuration", "batch.kubernetes.io/job-completion-index"}
)

# plugin/pkg/admission/serviceaccount: the volume is named kube-api-access- and five random characters.
_TOKEN_VOLUME = re.compile(r"kube-api-access-[a-z0-9]{5}")
_TOKEN_VOLUME_NAME = "kube-api-access"  # noqa: S105 - the name of a volume, not a secret
_NAMED_BY_OWNER = frozenset({"StatefulSet", "Job"})


def without(values: Mapping[str, Any], names: frozenset[str]) -> Mapping[str, Any]:
    """`values` without the keys in `names`; the same object where none of them is there."""
    if names.isdisjoint(values):
        return values
    return {name: value for name, value in values.items() if name not in names}


def pod_spec_without_identity(spec: Object, metadata: Object) -> Object:
    """The spec of a Pod with the token volume named alike in all copies, and without the host name its owner derived
    from its name.

    Lists keep their order and length, so JSON pointers into the submitted object stay right.
    """
    changes: dict[str, Any] = {}
    volumes = spec.get("volumes")
    token_volumes = (
        {volume["name"] for volume in volumes if _is_token_volume(volume)} if isinstance(volumes, list) else set()
    )
    if token_volumes and isinstance(volumes, list):
        changes["volumes"] = [_renamed(volume, token_volumes) for volume in volumes]
        for role in ("containers", "initContainers", "ephemeralContainers"):
            containers = spec.get(role)
            if isinstance(containers, list):
                changes[role] = [_with_renamed_mounts(container, token_volumes) for container in containers]
    if not changes and "hostname" not in spec:
        return spec
    result = {**spec, **changes}
    if "hostname" in spec and _owner_kind(metadata) in _NAMED_BY_OWNER:
        del result["hostname"]
    return result


def _is_token_volume(volume: object) -> bool:
    return (
        isinstance(volume, dict)
        and isinstance(volume.get("projected"), dict)
        and isinstance(name := volume.get("name"), str)
        and _TOKEN_VOLUME.fullmatch(name) is not None
    )


def _renamed(volume: Any, names: set[str]) -> Any:
    if isinstance(volume, dict) and isinstance(name := volume.get("name"), str) and name in names:
        return {**volume, "name": _TOKEN_VOLUME_NAME}
    return volume


def _with_renamed_mounts(container: Any, names: set[str]) -> Any:
    if not isinstance(container, dict) or not isinstance(mounts := container.get("volumeMounts"), list):
        return container
    return {**container, "volumeMounts": [_renamed(mount, names) for mount in mounts]}


def _owner_kind(metadata: Object) -> str:
    owners = metadata.get("ownerReferences")
    for owner in owners if isinstance(owners, list) else ():
        if isinstance(owner, dict) and owner.get("controller") is True and isinstance(owner.get("kind"), str):
            return str(owner["kind"])
    return ""
