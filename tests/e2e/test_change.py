"""Certificates, bindings and policies change under load, and nobody notices but by the new verdicts."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import Any

from tests.e2e.conftest import Govern, deny_and_warn
from tests.support import workloads
from tests.support.cluster import Client, Cluster
from tests.support.load import Attempt, Stream
from tests.support.processes import wait_until
from tests.support.webhook import Webhook

_CHANGES = 5
_EVERY_FINDING = re.compile(r"(?P<word>can use|could use) 8 GPUs .*; at most (?P<limit>\d) are allowed")


def test_certificates_change_under_load_without_a_failed_request(
    admin: Client, own_webhook: Webhook, namespace: str
) -> None:
    def make(number: int) -> dict[str, Any]:
        return workloads.pod(f"server-{number}", namespace=namespace, variant=number)

    with Stream(admin.create, make, parallel=8) as stream:
        for _ in range(_CHANGES):
            serial = own_webhook.new_certificate()
            wait_until(partial(_serves, own_webhook, serial), what="the new certificate is served")
            stream.wait_for(lambda done: done.admitted, count=20, what="requests go on")

    assert [done.response.message for done in stream.attempts if not done.admitted] == []


def test_each_decision_is_made_with_one_bundle_and_one_configuration(
    admin: Client, own_webhook: Webhook, namespace: str
) -> None:
    """The bundle shows in the words of the message, the configuration in the limit: no decision mixes two of either.

    Most pods are alike, so that many decisions come from the cache.
    """
    policy = own_webhook.policies / "gpu" / "limit" / "limit.rego"
    words = {"can use": policy.read_text(), "could use": policy.read_text().replace('"can use"', '"could use"')}

    def make(number: int) -> dict[str, Any]:
        return workloads.pod(
            f"server-{number}", namespace=namespace, faults=(workloads.Fault.GPUS,), variant=number % 7
        )

    with Stream(admin.create, make, parallel=8) as stream:
        for change in range(1, 2 * _CHANGES):
            word, limit = ("can use", "could use")[change % 2], 1 + change % 4
            policy.write_text(words[word])
            (own_webhook.config / "bindings.yaml").write_text(deny_and_warn(max_gpus=limit))
            says_so = partial(_says_so, word, str(limit))
            stream.wait_for(says_so, count=10, what=f"decisions say {word!r} and {limit}")

    assert [done for done in stream.attempts if not done.answered or done.admitted] == []
    rows = own_webhook.decisions(namespace)
    assert len(rows) == len(stream.attempts)
    by_bundle: dict[str, set[str]] = {}
    by_configuration: dict[str, set[str]] = {}
    for row in rows:
        said = _says(json.dumps(row.record))
        by_bundle.setdefault(row.bundle_digest, set()).add(said[0])
        by_configuration.setdefault(row.configuration_digest, set()).add(said[1])
    assert sorted(map(sorted, by_bundle.values())) == [["can use"], ["could use"]]
    assert sorted(map(sorted, by_configuration.values())) == [["1"], ["2"], ["3"], ["4"]]


def test_the_labels_of_a_namespace_count_from_its_first_moment(cluster: Cluster, admin: Client, govern: Govern) -> None:
    """The pods come before the watch can have told the webhook of their namespace."""
    production = {"namespaceSelector": {"matchLabels": {"tier": "production"}}}
    with govern(engine="opa", bindings=deny_and_warn(match=production)) as webhook:
        for number in range(10):
            for tier, status in (("production", 403), ("sandbox", 201)):
                namespace = f"{tier}-{number}"
                cluster.create_namespace(namespace, {"tier": tier})
                answer = admin.create(workloads.pod("bad", namespace=namespace, faults=(workloads.Fault.TAG,)))
                assert answer.status == status, answer.message
        outcomes = {tier: [row.outcome for row in webhook.decisions(f"{tier}-0")] for tier in ("production", "sandbox")}
    # The binding does not match in the sandbox: nothing applies there, which is recorded too.
    assert outcomes == {"production": ["denied"], "sandbox": ["allowed"]}


def _serves(webhook: Webhook, serial: int) -> bool:
    return webhook.served_certificate() == serial


def _says_so(word: str, limit: str, done: Attempt) -> bool:
    return _says(done.reason) == (word, limit)


def _says(text: str) -> tuple[str, str]:
    found = _EVERY_FINDING.search(text)
    return (found["word"], found["limit"]) if found else ("", "")
