"""The catalogue of policies, `policies/README.md`: all of it comes from the policies' METADATA."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pratique.policy import PolicyMetadata, PolicySet

_HEAD = """# Policies

Generated from the METADATA of each policy by `reports/catalogue.py`. How to add a policy: CONTRIBUTING.md.
"""


def render(policies: PolicySet) -> str:
    """The catalogue in Markdown: a table of all policies in order of id, then one section for each."""
    ordered = sorted(policies.policies.values(), key=lambda policy: policy.id)
    rows = [("id", "policy", "title", "severity", "judges"), ("---",) * 5]
    rows += [
        (policy.id, f"[{policy.name}](#{anchor(policy.name)})", policy.title, policy.severity, _listed(policy.subjects))
        for policy in ordered
    ]
    table = "\n".join(f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows)
    return "\n".join([_HEAD, table, "", *(_section(policy) for policy in ordered)])


def _section(policy: PolicyMetadata) -> str:
    parts = [
        f"## {policy.name}",
        f"**{policy.id}: {policy.title}.** Severity {policy.severity}; judges {_listed(policy.subjects)}"
        f"{_needs_and_patches(policy)}. Rules: [{policy.file}]({policy.file})",
        _flat(policy.description),
        f"**Fix:** {_flat(policy.remediation)}",
        _parameters(policy.parameters),
        _controls(policy.controls),
        "References: " + ", ".join(f"<{reference}>" for reference in policy.references) if policy.references else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _needs_and_patches(policy: PolicyMetadata) -> str:
    needs = f"; needs {_listed(policy.needs)}" if policy.needs else ""
    if not policy.has_patches:
        return needs
    return f"{needs}; has patches{', which may replace what the author wrote' if policy.override else ''}"


def _parameters(parameters: Mapping[str, Mapping[str, Any]]) -> str:
    if not parameters:
        return "No parameters."
    rows = [("parameter", "type", "default", "meaning"), ("---",) * 4]
    rows += [
        (f"`{name}`", _type(schema), _default(schema), _flat(str(schema.get("description", ""))))
        for name, schema in parameters.items()
    ]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows)


def _type(schema: Mapping[str, Any]) -> str:
    items = schema.get("items")
    if schema.get("type") == "array" and isinstance(items, Mapping):
        return f"array of {items.get('type', 'values')}"
    return str(schema.get("type"))


def _default(schema: Mapping[str, Any]) -> str:
    return f"`{json.dumps(schema['default'], ensure_ascii=False)}`" if "default" in schema else "none: must be given"


def _controls(controls: Mapping[str, Sequence[str]]) -> str:
    if not controls:
        return ""
    return "Controls: " + "; ".join(f"{framework} {', '.join(ids)}" for framework, ids in sorted(controls.items()))


def _listed(values: frozenset[str]) -> str:
    return ", ".join(sorted(values))


def anchor(policy: str) -> str:
    """The anchor that GitHub and GitLab make of the heading of the section of `policy`."""
    return policy.replace("/", "")


def _flat(text: str) -> str:
    return " ".join(text.split())


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
