"""CustomResourceDefinitions of Waiver and PolicyBinding, made from the schemas that the loader checks with.

Structural schemas (apiextensions.k8s.io/v1) know less than JSON Schema: closed objects and unions of types are left to
the webhook, which loads each object before it is let in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pratique import schemas

GROUP, _, VERSION = schemas.API_VERSION.partition("/")

ANY = {"x-kubernetes-preserve-unknown-fields": True}
_CONDITIONS = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["type", "status", "lastTransitionTime", "reason", "message"],
        "properties": {
            "type": {"type": "string"},
            "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
            "observedGeneration": {"type": "integer", "format": "int64"},
            "lastTransitionTime": {"type": "string", "format": "date-time"},
            "reason": {"type": "string"},
            "message": {"type": "string"},
        },
    },
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["type"],
}
_DESCRIPTIONS = {
    "requestedBy": "Who asked for it. Filled in by the webhook from the user who makes the object.",
    "approvedBy": "Set by an approver, to their own user name, in an update that changes nothing else.",
    "approvedAt": "Filled in by the webhook.",
    "expires": "From this time on it does not count.",
    "parameters": "For a waiver: limits raised up to here; without them the policies are waived whole.",
}


def column(name: str, path: str, *, type: str = "string", priority: int = 0) -> dict[str, Any]:
    """A printer column; one with a `priority` is shown by `kubectl get -o wide` only."""
    found = {"name": name, "type": type, "jsonPath": path}
    return found | ({"priority": priority} if priority else {})


_READY = column("Ready", '.status.conditions[?(@.type=="Ready")].status')
_WHY = column("Message", '.status.conditions[?(@.type=="Ready")].message', priority=1)
AGE = column("Age", ".metadata.creationTimestamp", type="date")


def definitions() -> dict[str, dict[str, Any]]:
    """The definitions by file name."""
    return {
        "waivers.yaml": _definition(
            "Waiver",
            "waivers",
            "An exception from policies, with a reason and an end, approved by somebody other than its requester.",
            schemas.WAIVER,
            # In a cluster the webhook fills in the requester.
            optional=("requestedBy",),
            columns=[
                column("Policies", ".spec.policies"),
                column("Requested By", ".spec.requestedBy"),
                column("Approved By", ".spec.approvedBy"),
                column("Expires", ".spec.expires"),
                _READY,
                column("Reason", ".spec.reason", priority=1),
                _WHY,
                AGE,
            ],
        ),
        "policybindings.yaml": _definition(
            "PolicyBinding",
            "policybindings",
            "A policy put to use: where it matches, with which parameters, how strictly at each door.",
            schemas.POLICY_BINDING,
            columns=[
                column("Policy", ".spec.policy"),
                column("Enforcement", ".spec.enforcement"),
                column("Mutate", ".spec.mutate", type="boolean", priority=1),
                _READY,
                _WHY,
                AGE,
            ],
        ),
    }


def _definition(
    kind: str,
    plural: str,
    description: str,
    schema: Mapping[str, Any],
    *,
    columns: list[dict[str, Any]],
    optional: tuple[str, ...] = (),
) -> dict[str, Any]:
    spec = structural(schema["properties"]["spec"])
    spec["required"] = [name for name in spec["required"] if name not in optional]
    for name, text in _DESCRIPTIONS.items():
        if name in spec["properties"]:
            spec["properties"][name] = {"description": text, **spec["properties"][name]}
    status = {"type": "object", "properties": {"conditions": _CONDITIONS}}
    return definition(
        kind,
        description,
        api=(GROUP, VERSION),
        plural=plural,
        scope="Cluster",
        category="pratique",
        columns=columns,
        spec=spec,
        status=status,
    )


def definition(
    kind: str,
    description: str,
    *,
    api: tuple[str, str],
    plural: str,
    scope: str,
    category: str,
    columns: list[dict[str, Any]],
    spec: Mapping[str, Any],
    status: Mapping[str, Any],
) -> dict[str, Any]:
    """The definition of a kind that has one version; `api` is its group and that version."""
    group, version = api
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}", "labels": {"app.kubernetes.io/name": "pratique"}},
        "spec": {
            "group": group,
            "scope": scope,
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "categories": [category],
            },
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": columns,
                    "schema": {
                        "openAPIV3Schema": {
                            "description": description,
                            "type": "object",
                            "required": ["spec"],
                            "properties": {
                                "apiVersion": {"type": "string"},
                                "kind": {"type": "string"},
                                "metadata": {"type": "object"},
                                "spec": spec,
                                "status": status,
                            },
                        }
                    },
                }
            ],
        },
    }


def structural(schema: Mapping[str, Any]) -> dict[str, Any]:
    """`schema` as a structural one, never stricter than it."""
    if "anyOf" in schema or "if" in schema:
        return dict(ANY)
    if "enum" in schema:
        return {"type": "string", "enum": list(schema["enum"])}
    found = {name: value for name, value in schema.items() if name in _KEPT}
    match schema.get("type"):
        case "object" if "properties" in schema:
            found["properties"] = {name: structural(each) for name, each in schema["properties"].items()}
            found["required"] = list(schema.get("required") or [])
        case "object" if isinstance(schema.get("additionalProperties"), Mapping):
            found["additionalProperties"] = structural(schema["additionalProperties"])
        case "object":
            found |= ANY
        case "array":
            found["items"] = structural(schema["items"])
            if schema.get("uniqueItems"):
                found["x-kubernetes-list-type"] = "set"
    return found


_KEPT = ("type", "minLength", "maxLength", "minItems", "minProperties", "minimum", "maximum")
