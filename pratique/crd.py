"""CustomResourceDefinitions of Waiver and PolicyBinding, made from the schemas that the loader checks with.

Structural schemas (apiextensions.k8s.io/v1) know less than JSON Schema: closed objects and unions of types are left to
the webhook, which loads each object before it is let in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pratique import schemas

GROUP, _, VERSION = schemas.API_VERSION.partition("/")

_ANY = {"x-kubernetes-preserve-unknown-fields": True}
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


def _column(name: str, path: str, *, type: str = "string", priority: int = 0) -> dict[str, Any]:
    column = {"name": name, "type": type, "jsonPath": path}
    return column | ({"priority": priority} if priority else {})


_READY = _column("Ready", '.status.conditions[?(@.type=="Ready")].status')
_WHY = _column("Message", '.status.conditions[?(@.type=="Ready")].message', priority=1)
_AGE = _column("Age", ".metadata.creationTimestamp", type="date")


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
                _column("Policies", ".spec.policies"),
                _column("Requested By", ".spec.requestedBy"),
                _column("Approved By", ".spec.approvedBy"),
                _column("Expires", ".spec.expires"),
                _READY,
                _column("Reason", ".spec.reason", priority=1),
                _WHY,
                _AGE,
            ],
        ),
        "policybindings.yaml": _definition(
            "PolicyBinding",
            "policybindings",
            "A policy put to use: where it matches, with which parameters, how strictly at each door.",
            schemas.POLICY_BINDING,
            columns=[
                _column("Policy", ".spec.policy"),
                _column("Enforcement", ".spec.enforcement"),
                _column("Mutate", ".spec.mutate", type="boolean", priority=1),
                _READY,
                _WHY,
                _AGE,
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
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}", "labels": {"app.kubernetes.io/name": "pratique"}},
        "spec": {
            "group": GROUP,
            "scope": "Cluster",
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "categories": ["pratique"],
            },
            "versions": [
                {
                    "name": VERSION,
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
                                "status": {"type": "object", "properties": {"conditions": _CONDITIONS}},
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
        return dict(_ANY)
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
            found |= _ANY
        case "array":
            found["items"] = structural(schema["items"])
            if schema.get("uniqueItems"):
                found["x-kubernetes-list-type"] = "set"
    return found


_KEPT = ("type", "minLength", "maxLength", "minItems", "minProperties", "minimum", "maximum")
