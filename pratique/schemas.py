"""JSON Schemas of the documents that configure Pratique (`pratique.dev/v1alpha1`); unknown fields are errors."""

from __future__ import annotations

from typing import Any

API_VERSION = "pratique.dev/v1alpha1"

_TEXTS: dict[str, Any] = {"type": "array", "items": {"type": "string", "minLength": 1}}
_LABELS: dict[str, Any] = {"type": "object", "additionalProperties": {"type": "string"}}


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


_SELECTOR = _object(
    {
        "matchLabels": _LABELS,
        "matchExpressions": {
            "type": "array",
            "items": _object(
                {
                    "key": {"type": "string", "minLength": 1},
                    "operator": {"enum": ["In", "NotIn", "Exists", "DoesNotExist"]},
                    "values": {"type": "array", "items": {"type": "string"}},
                },
                "key",
                "operator",
            ),
        },
    }
)
_MATCH_PROPERTIES: dict[str, Any] = {
    "kinds": _TEXTS,
    "namespaces": _object({"include": _TEXTS, "exclude": _TEXTS}),
    "namespaceSelector": _SELECTOR,
    "selector": _SELECTOR,
    "operations": {
        "type": "array",
        "minItems": 1,
        "uniqueItems": True,
        "items": {"enum": ["CREATE", "UPDATE", "DELETE", "CONNECT"]},
    },
    "users": _object({"exclude": _TEXTS}),
    "groups": _object({"exclude": _TEXTS}),
    "inferred": {"type": "boolean"},
}
_METADATA = {
    "type": "object",
    "properties": {"name": {"type": "string", "minLength": 1, "maxLength": 253}},
    "required": ["name"],
}


def _by_door(*words: str) -> dict[str, Any]:
    word = {"enum": list(words)}
    doors = _object({"admission": word, "ci": word, "scan": word, "gateway": word})
    return {"if": {"type": "object"}, "then": doors, "else": word}  # `anyOf` could not say what is wrong


def _document(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    return _object(
        {
            "apiVersion": {"const": API_VERSION},
            "kind": {"const": kind},
            "metadata": _METADATA,
            "spec": spec,
            "status": {"type": "object"},
        },
        "apiVersion",
        "kind",
        "metadata",
        "spec",
    )


POLICY_BINDING = _document(
    "PolicyBinding",
    _object(
        {
            "policy": {"type": "string", "minLength": 1},
            "parameters": {"type": "object"},
            "match": _object(_MATCH_PROPERTIES),
            "enforcement": _by_door("deny", "warn", "audit", "off"),
            "onUndecided": _by_door("deny", "warn"),
            "mutate": {"type": "boolean"},
        },
        "policy",
    ),
)

WAIVER = _document(
    "Waiver",
    _object(
        {
            "policies": {**_TEXTS, "minItems": 1, "uniqueItems": True},
            "match": _object({**_MATCH_PROPERTIES, "names": _TEXTS, "images": _TEXTS}),
            "parameters": {"type": "object", "minProperties": 1},
            "reason": {"type": "string", "minLength": 1},
            "ticket": {"type": "string"},
            "compensatingControl": {"type": "string"},
            "requestedBy": {"type": "string", "minLength": 1},
            "approvedBy": {"type": "string", "minLength": 1},
            "approvedAt": {"type": "string", "minLength": 1},
            "expires": {"type": "string", "minLength": 1},
        },
        "policies",
        "match",
        "reason",
        "requestedBy",
        "expires",
    ),
)
"""Without `approvedBy` and `approvedAt` it is a request, which counts for nothing yet."""

_DAYS = {"type": "integer", "minimum": 1, "maximum": 3650}

APPROVER_LIST = _document(
    "ApproverList",
    _object(
        {
            "maximumDays": _object(dict.fromkeys(("low", "medium", "high", "critical"), _DAYS)),
            "approvers": {
                "type": "array",
                "minItems": 1,
                "items": _object(
                    {
                        "name": {"type": "string", "minLength": 1},
                        "policies": {**_TEXTS, "minItems": 1},
                        "keys": _TEXTS,
                        "groups": _TEXTS,
                    },
                    "name",
                    "policies",
                ),
            },
            "witnesses": _TEXTS,
        },
        "approvers",
    ),
)

NAMESPACE = {
    "type": "object",
    "properties": {
        "metadata": {
            "type": "object",
            "properties": {"name": {"type": "string", "minLength": 1}, "labels": _LABELS},
            "required": ["name"],
        }
    },
    "required": ["metadata"],
}
