"""What `pratique check` found as SARIF 2.1.0 (OASIS), for code scanning and for SARIF viewers in editors.

A finding is a result of kind `fail`, a policy without an answer one of kind `open`; what could not be read is a
notification of the invocation, which then did not succeed. Waivers are suppressions, controls are taxa.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

import orjson

from pratique.decision import Severity
from pratique.policy import PolicyMetadata
from reports.check import PROBLEM_ID, Level, Report, Row
from reports.text import visible

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
FINGERPRINT = "pratiqueFinding/v1"
_ROOT = "%SRCROOT%"
_SECURITY_SEVERITY = {Severity.LOW: "3.0", Severity.MEDIUM: "5.5", Severity.HIGH: "8.0", Severity.CRITICAL: "9.5"}
"""GitHub sorts by these numbers: under 4 is low there, under 7 medium, under 9 high."""
_TEXT = 2000


def write(items: Report, stream: TextIO, *, terminal: int | None) -> None:
    """Write it as one log with one run."""
    rules = _rules(items)
    frameworks = sorted({name for rule in rules.values() if rule for name in rule.controls})
    taxonomies = [_taxonomy(name, rules) for name in frameworks]
    results = [row for row in items.rows if row.policy_id != PROBLEM_ID]
    problems = [row for row in items.rows if row.policy_id == PROBLEM_ID]
    indexes = {policy_id: index for index, policy_id in enumerate(rules)}
    run = {
        "tool": {"driver": _driver(items, rules, frameworks, results)},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {_ROOT: {"uri": _folder_uri(items.root)}} if items.root else {},
        "invocations": [
            {
                "executionSuccessful": not items.is_open,
                "toolExecutionNotifications": [_notification(items, row) for row in problems]
                + [_notification(items, row) for row in results if row.undecided and row.told],
            }
        ],
        "taxonomies": taxonomies,
        "results": [_result(items, row, indexes[row.policy_id], rules[row.policy_id], frameworks) for row in results],
        "properties": {
            "engine": f"{items.engine} {items.engine_version}",
            "bundleDigest": items.bundle_digest,
            "configurationDigest": items.configuration_digest,
        },
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [{key: value for key, value in run.items() if value != {}}]}
    stream.write(orjson.dumps(log, option=orjson.OPT_INDENT_2 if terminal else 0).decode() + "\n")


def _rules(report: Report) -> dict[str, PolicyMetadata | None]:
    """The policies that were asked of some object, by id; None for those that are built in."""
    asked = {
        (evaluation.policy_id, evaluation.policy)
        for item in report.judged()
        for evaluation in item.decision.evaluations
    }
    return {policy_id: report.policies.get(policy) for policy_id, policy in sorted(asked)}


def _driver(
    report: Report, rules: Mapping[str, PolicyMetadata | None], frameworks: Sequence[str], rows: Sequence[Row]
) -> dict[str, Any]:
    titles = {row.policy_id: row for row in rows}
    return {
        "name": "pratique",
        **({"version": report.version, "semanticVersion": report.version} if report.version else {}),
        "rules": [
            _rule(report, policy_id, policy, titles.get(policy_id), frameworks) for policy_id, policy in rules.items()
        ],
        "supportedTaxonomies": [{"name": name, "index": index} for index, name in enumerate(frameworks)],
    }


def _rule(
    report: Report, policy_id: str, policy: PolicyMetadata | None, row: Row | None, frameworks: Sequence[str]
) -> dict[str, Any]:
    if policy is None:
        return {"id": policy_id, **({"shortDescription": {"text": visible(row.title)}} if row and row.title else {})}
    link = report.link(policy.name)
    fix = _flat(policy.remediation)
    see = f"\n\n[{policy.name}]({link})" if link else ""
    return {
        "id": policy.id,
        "name": policy.name,
        "shortDescription": {"text": _flat(policy.title)},
        "fullDescription": {"text": _flat(policy.description) or _flat(policy.title)},
        "help": {
            "text": f"Fix: {fix}",
            "markdown": f"{_flat(policy.description)}\n\n**Fix:** {fix}{see}",
        },
        **({"helpUri": link} if re.match("https?://", link) else {}),
        "defaultConfiguration": {"level": "error" if policy.severity.rank >= Severity.HIGH.rank else "warning"},
        "properties": {
            "security-severity": _SECURITY_SEVERITY[policy.severity],
            "severity": policy.severity,
            "tags": ["security", policy.name.partition("/")[0]],
        },
        "relationships": [{"target": reference, "kinds": ["relevant"]} for reference in _controls(policy, frameworks)],
    }


def _controls(policy: PolicyMetadata | None, frameworks: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {"id": control, "toolComponent": {"name": framework, "index": frameworks.index(framework)}}
        for framework, controls in sorted(policy.controls.items() if policy else ())
        for control in controls
    ]


def _taxonomy(framework: str, rules: Mapping[str, PolicyMetadata | None]) -> dict[str, Any]:
    controls = {control for rule in rules.values() if rule for control in rule.controls.get(framework, ())}
    return {
        "name": framework,
        "shortDescription": {"text": f"Controls of {framework} that the policies help to meet"},
        "isComprehensive": False,
        "taxa": [{"id": control} for control in sorted(controls)],
    }


def _result(
    report: Report, row: Row, index: int, policy: PolicyMetadata | None, frameworks: Sequence[str]
) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": row.policy_id,
        "ruleIndex": index,
        "kind": "open" if row.undecided else "fail",
        "level": "none" if row.undecided else row.level,
        "message": {"text": _message(row)},
        "locations": [_location(report, row)],
        "partialFingerprints": {FINGERPRINT: row.fingerprint},
        "taxa": _controls(policy, frameworks),
        "properties": {
            "severity": row.severity,
            "enforcement": row.enforcement,
            "path": row.path,
            "bindings": list(row.bindings),
        },
    }
    if row.waiver:
        justification = visible(row.waiver, limit=_TEXT)
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": justification}]
    if report.baseline is not None:
        result["baselineState"] = "unchanged" if row.known else "new"
    return result


def _message(row: Row) -> str:
    subject = f"{visible(row.subject, limit=_TEXT)}: " if row.subject else ""
    fix = f" Fix: {_flat(row.remediation)}" if row.remediation and not row.undecided else ""
    return f"{subject}{visible(row.message, limit=_TEXT)}.{fix}"


def _location(report: Report, row: Row) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": _artifact(report, row.file)}
    if row.position.line:
        region = {"startLine": row.position.line}
        physical["region"] = region | ({"startColumn": row.position.column} if row.position.column else {})
    location: dict[str, Any] = {"physicalLocation": physical}
    if row.subject:
        name = f"{visible(row.subject, limit=_TEXT)}{visible(row.path, limit=_TEXT)}"
        location["logicalLocations"] = [{"fullyQualifiedName": name, "kind": "object"}]
    return location


def _artifact(report: Report, file: str) -> dict[str, Any]:
    name = report.located(file)
    if name.startswith("/"):
        return {"uri": Path(name).as_uri()}
    return {"uri": quote(name, errors="surrogateescape"), **({"uriBaseId": _ROOT} if report.root else {})}


def _folder_uri(folder: str) -> str:
    return f"{Path(folder).as_uri().rstrip('/')}/"


def _notification(report: Report, row: Row) -> dict[str, Any]:
    return {
        "level": "error" if row.level is Level.ERROR else "warning",
        "message": {"text": _message(row)},
        "locations": [_location(report, row)],
    }


def _flat(text: str) -> str:
    return " ".join(text.split())
