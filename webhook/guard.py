"""The guard of our own webhook configurations: a ValidatingAdmissionPolicy, which the API server runs itself.

The API server asks no webhook about webhook configurations, or nobody could remove one that refuses everything; but
its own policies judge them (k8s.io/apiserver 0.35, pkg/admission/plugin/policy/generic: only policies and their
bindings are left out). So removing or weakening ours is refused there, except for break-glass users, whose doing the
audit log shows. Nothing guards the guard but the right to write it, which rbac/webhook-configurations is about.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

_BYPASS = "bypass"
"""The key of the audit annotation; the API server writes the policy's name before it."""

# The webhook `old` as it was against `new` of the same name. Where an API server fills in defaults, both have them.
_KEPT: Mapping[str, str] = {
    "failurePolicy": "new.failurePolicy == 'Fail' || new.failurePolicy == old.failurePolicy",
    "matchPolicy": "new.matchPolicy == 'Equivalent' || new.matchPolicy == old.matchPolicy",
    "namespaceSelector": "new.namespaceSelector == old.namespaceSelector",
    "objectSelector": "new.objectSelector == old.objectSelector",
    "matchConditions": "!has(new.matchConditions) || (has(old.matchConditions)"
    " && new.matchConditions.all(one, old.matchConditions.exists(other, one == other)))",
    "clientConfig": "has(new.clientConfig.url) == has(old.clientConfig.url)"
    " && (!has(old.clientConfig.url) || new.clientConfig.url == old.clientConfig.url)"
    " && has(new.clientConfig.service) == has(old.clientConfig.service)"
    " && (!has(old.clientConfig.service) || new.clientConfig.service == old.clientConfig.service)",
    "rules": "!has(old.rules) || (has(new.rules) && old.rules.all(rule,"
    " rule.operations.all(operation, rule.apiGroups.all(group, rule.apiVersions.all(version,"
    " rule.resources.all(resource, new.rules.exists(other,"
    " (operation in other.operations || '*' in other.operations)"
    " && (group in other.apiGroups || '*' in other.apiGroups)"
    " && (version in other.apiVersions || '*' in other.apiVersions)"
    " && (resource in other.resources || '*/*' in other.resources)"
    " && (other.scope == '*' || other.scope == rule.scope))))))))",
}


def guard(name: str, *, break_glass_users: Iterable[str]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The policy and its binding that keep the webhook configurations called `name` as strong as they are.

    `caBundle` and `timeoutSeconds` may change: with `failurePolicy: Fail`, what is wrong there lets nothing through.
    """
    guarded = f"{name}-guard"
    users = json.dumps(sorted(set(break_glass_users)), ensure_ascii=False)  # a list of texts is the same in CEL
    labels = {"app.kubernetes.io/name": "pratique"}
    head = {"apiVersion": "admissionregistration.k8s.io/v1"}
    policy = {
        **head,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": guarded, "labels": labels},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": ["admissionregistration.k8s.io"],
                        "apiVersions": ["*"],
                        "operations": ["UPDATE", "DELETE"],
                        "resources": ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"],
                    }
                ]
            },
            # Not resourceNames: a request to delete a collection has no name, and would pass.
            "matchConditions": [{"name": "own", "expression": f"oldObject.metadata.name == {json.dumps(name)}"}],
            "variables": [
                {"name": "breakGlass", "expression": f"request.userInfo.username in {users}"},
                {"name": "kept", "expression": "request.operation == 'DELETE' ? false : " + _kept()},
            ],
            "validations": [
                {
                    "expression": "variables.breakGlass || variables.kept",
                    "messageExpression": "request.operation == 'DELETE'"
                    " ? 'removing Pratique\\'s own webhook is for break-glass users only'"
                    " : 'weakening Pratique\\'s own webhook is for break-glass users only: a webhook must not be"
                    " removed, fail open, ask about less, leave more out or lead elsewhere'",
                    "reason": "Forbidden",
                }
            ],
            "auditAnnotations": [
                {
                    "key": _BYPASS,
                    "valueExpression": "variables.breakGlass && !variables.kept"
                    " ? 'break-glass user ' + request.userInfo.username"
                    " + ' removed or weakened Pratique\\'s own webhook'"
                    " : ''",  # empty: no annotation
                }
            ],
        },
    }
    binding = {
        **head,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": guarded, "labels": labels},
        "spec": {"policyName": guarded, "validationActions": ["Deny", "Audit"]},
    }
    return policy, binding


def _kept() -> str:
    """CEL: every webhook that was there still is, and is no weaker."""
    same = " && ".join(f"({expression})" for expression in _KEPT.values())
    return (
        "!has(oldObject.webhooks) || (has(object.webhooks) && oldObject.webhooks.all(old,"
        f" object.webhooks.exists(new, new.name == old.name && {same})))"
    )
