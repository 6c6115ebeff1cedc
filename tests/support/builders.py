"""AdmissionReviews in a line each, written as the API server writes them (k8s.io/api/admission/v1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

UID = "11111111-2222-3333-4444-555555555555"
USER = "ada@example.com"


def review(
    obj: Mapping[str, Any] | None,
    *,
    operation: str = "CREATE",
    old: Mapping[str, Any] | None = None,
    subresource: str = "",
    resource: Mapping[str, str] | None = None,
    user: str = USER,
    groups: Sequence[str] = ("data-science", "system:authenticated"),
    dry_run: bool = False,
    **request: Any,
) -> dict[str, Any]:
    """The review of `obj` (of `old` where that is all there is); `request` overrides or adds fields of the request."""
    about: Mapping[str, Any] = obj or old or {}
    group, _, version = str(about.get("apiVersion", "v1")).rpartition("/")
    kind = str(about.get("kind", ""))
    metadata = about.get("metadata", {})
    made = {
        "uid": UID,
        "kind": {"group": group, "version": version, "kind": kind},
        "resource": resource or {"group": group, "version": version, "resource": f"{kind.lower()}s"},
        **({"subResource": subresource} if subresource else {}),
        "requestKind": {"group": group, "version": version, "kind": kind},
        "name": metadata.get("name", ""),
        "namespace": metadata.get("namespace", ""),
        "operation": operation,
        "userInfo": {"username": user, "groups": list(groups)},
        "object": obj,
        "oldObject": old,
        "dryRun": dry_run,
        "options": None if operation == "CONNECT" else {"kind": f"{operation.title()}Options"},
        **request,
    }
    return {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": made}


def encoded(document: Any) -> bytes:
    """`document` as the bytes of a request."""
    return orjson.dumps(document)


def scale(name: str, *, namespace: str, replicas: int) -> dict[str, Any]:
    """What `kubectl scale` makes of a Deployment; like the API server, it leaves out 0 (autoscaling/v1)."""
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"replicas": replicas} if replicas else {},
    }


def scale_review(
    name: str, *, namespace: str, replicas: int, resource: str = "deployments", group: str = "apps"
) -> Any:
    """The review of `kubectl scale`, from 1 replica to `replicas`."""
    return review(
        scale(name, namespace=namespace, replicas=replicas),
        operation="UPDATE",
        old=scale(name, namespace=namespace, replicas=1),
        subresource="scale",
        resource={"group": group, "version": "v1", "resource": resource},
    )
