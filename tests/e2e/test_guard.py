"""The guard of the webhook configurations, on a real API server: only a break-glass user removes or weakens them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.cluster import Client, Cluster
from tests.support.policies import binding, configuration, policy, policy_set
from tests.support.processes import wait_until
from webhook.guard import guard
from webhook.registration import Registration, registered

NAME = "guarded"
EVE, GRACE = "eve@example.com", "grace@example.com"
GROUP = "/apis/admissionregistration.k8s.io/v1"
VALIDATING = f"{GROUP}/validatingwebhookconfigurations"
_POLICIES = policy_set(policy("test/workload", id="W-1"))
Change = Callable[[dict[str, Any]], object]


def _documents() -> tuple[dict[str, Any], ...]:
    """What webhook-config prints, for a namespace label that nothing has: the cluster is shared with other tests."""
    found = registered(
        configuration(_POLICIES, binding("b", "test/workload", match={"kinds": ["batch/Job"]})).bindings,
        Registration(endpoint="https://127.0.0.1:1", ca_bundle=b"", name=NAME, own_kinds=True),
    )
    documents = [json.loads(json.dumps(document)) for document in found.documents]
    for document in documents:
        for webhook in document["webhooks"]:
            del webhook["clientConfig"]["caBundle"]
            webhook["namespaceSelector"]["matchLabels"] = {"guard-test": "true"}
    return tuple(documents)


@pytest.fixture(scope="module")
def guarded(cluster: Cluster) -> Iterator[Client]:
    """The configurations with their guard in force; the client is Grace's, who may break the glass."""
    grace = cluster.client(GRACE, ("system:masters",))
    for document in _documents():
        assert grace.apply(document).ok
    guard_policy, guard_binding = guard(NAME, break_glass_users=[GRACE])
    for plural, guarding in (
        ("validatingadmissionpolicies", guard_policy),
        ("validatingadmissionpolicybindings", guard_binding),
    ):
        made = grace.request("POST", f"{GROUP}/{plural}", guarding)
        assert made.ok, made.message
    eve = cluster.client(EVE, ("system:masters",))

    def in_force() -> bool:
        return not eve.request("DELETE", f"{VALIDATING}/{NAME}", query={"dryRun": "All"}).ok

    wait_until(in_force, what="the guard is in force")
    yield grace
    for path in (
        f"{GROUP}/validatingadmissionpolicybindings/{NAME}-guard",
        f"{GROUP}/validatingadmissionpolicies/{NAME}-guard",
        f"{VALIDATING}/{NAME}",
        f"{GROUP}/mutatingwebhookconfigurations/{NAME}",
    ):
        grace.delete(path)


@pytest.fixture(scope="module")
def eve(cluster: Cluster) -> Client:
    """An administrator who is no break-glass user."""
    return cluster.client(EVE, ("system:masters",))


def _change(client: Client, change: Change, *, dry_run: bool = True) -> tuple[int, str]:
    document = copy.deepcopy(dict(client.get(f"{VALIDATING}/{NAME}").body))
    change(document)
    answer = client.request("PUT", f"{VALIDATING}/{NAME}", document, query={"dryRun": "All"} if dry_run else {})
    return answer.status, answer.message


def _webhook(document: dict[str, Any]) -> dict[str, Any]:
    first: dict[str, Any] = document["webhooks"][0]
    return first


WEAKER: dict[str, Change] = {
    "fails open": lambda d: _webhook(d).update(failurePolicy="Ignore"),
    "exact": lambda d: _webhook(d).update(matchPolicy="Exact"),
    "no webhooks": lambda d: d.update(webhooks=[]),
    "another name": lambda d: _webhook(d).update(name="other.pratique.dev"),
    "elsewhere": lambda d: _webhook(d)["clientConfig"].update(url="https://127.0.0.1:2/validate"),
    "to a Service": lambda d: _webhook(d).update(clientConfig={"service": {"namespace": "a", "name": "b"}}),
    "object selector": lambda d: _webhook(d).update(objectSelector={"matchLabels": {"a": "b"}}),
    "namespace selector": lambda d: _webhook(d)["namespaceSelector"]["matchExpressions"][0]["values"].append("team"),
    "condition": lambda d: _webhook(d)["matchConditions"].append({"name": "x", "expression": "false"}),
    "operations": lambda d: _webhook(d)["rules"][0].update(operations=["CREATE"]),
    "resources": lambda d: _webhook(d)["rules"][-1].update(resources=["waivers"]),
    "rule": lambda d: _webhook(d)["rules"].pop(),
    "scope": lambda d: _webhook(d)["rules"][0].update(scope="Cluster"),
    "versions": lambda d: _webhook(d)["rules"][0].update(apiVersions=["v1"]),
}


@pytest.mark.parametrize("name", WEAKER)
def test_what_weakens_it_is_refused(guarded: Client, eve: Client, name: str) -> None:
    status, message = _change(eve, WEAKER[name])
    assert (status, "weakening Pratique's own webhook is for break-glass users only" in message) == (403, True)
    assert _change(guarded, WEAKER[name])[0] == 200


def test_what_does_not_weaken_it_passes(guarded: Client, eve: Client) -> None:
    for change in (
        lambda d: None,
        lambda d: _webhook(d).update(timeoutSeconds=7),
        lambda d: _webhook(d)["clientConfig"].update(caBundle=""),
        lambda d: _webhook(d)["matchConditions"].pop(),
        lambda d: _webhook(d)["rules"][0].update(operations=["*"]),
        lambda d: _webhook(d)["rules"].insert(0, _webhook(d)["rules"].pop()),
        lambda d: _webhook(d)["rules"][0]["resources"].append("cronjobs"),
        lambda d: d["webhooks"].append(_webhook(d) | {"name": "second.pratique.dev"}),
        lambda d: d["metadata"].update(labels={"a": "b"}),
    ):
        assert _change(eve, change) == (200, "")


def test_it_is_not_removed_by_name_nor_with_all_others(guarded: Client, eve: Client) -> None:
    for path in (f"{VALIDATING}/{NAME}", f"{GROUP}/mutatingwebhookconfigurations/{NAME}"):
        refused = eve.delete(path)
        assert (refused.status, "removing Pratique's own webhook" in refused.message) == (403, True)
    eve.request("DELETE", VALIDATING, query={"labelSelector": "app.kubernetes.io/name=pratique"})
    assert guarded.get(f"{VALIDATING}/{NAME}").ok


def test_other_configurations_are_nobodys_business(guarded: Client, eve: Client) -> None:
    other = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}
    assert eve.apply(other | {"metadata": {"name": "other"}, "webhooks": []}).ok
    assert eve.delete(f"{VALIDATING}/other").ok


def test_a_break_glass_user_does_it_and_the_audit_log_says_so(cluster: Cluster, guarded: Client) -> None:
    status, _ = _change(guarded, lambda d: d.update(webhooks=[]), dry_run=False)
    assert status == 200
    for document in _documents():
        assert guarded.apply(document).ok

    def found() -> list[str]:
        text = cluster.audit_log.read_text() if cluster.audit_log else ""
        events = [json.loads(line) for line in text.splitlines() if f"{NAME}-guard/bypass" in line]
        return [event["annotations"][f"{NAME}-guard/bypass"] for event in events]

    wait_until(lambda: found() != [], what="the audit log has it")
    assert found()[-1] == f"break-glass user {GRACE} removed or weakened Pratique's own webhook"
