"""The examples, submitted to a real API server under the baseline bindings, come to what they are said to come to."""

from __future__ import annotations

import re

from tests.e2e.conftest import Govern
from tests.support.cluster import REPOSITORY, Cluster
from tests.support.examples import expected_verdicts, namespaces_of_examples
from tests.support.webhook import Webhook

_REFUSED = re.compile(r"denied the request: (?P<kind>\w+) (?:\S+/)?(?P<name>\S+) is refused: ")
_CREATED = re.compile(r"(?P<kind>[a-z]+)\S*/(?P<name>\S+) created \(server dry run\)")


def test_every_example_comes_to_its_expected_verdict(cluster: Cluster, platform_kinds: None, govern: Govern) -> None:
    for namespace in namespaces_of_examples():
        cluster.create_namespace(namespace)
    with govern(engine="opa", bindings=(REPOSITORY / "policies" / "bindings" / "baseline.yaml").read_text()) as webhook:
        for file, verdicts in expected_verdicts().items():
            done = cluster.kubectl("apply", "--dry-run=server", "-f", file)

            found = {(match["kind"].lower(), match["name"]): "denied" for match in _REFUSED.finditer(done.stderr)}
            found |= {(match["kind"], match["name"]): "allowed" for match in _CREATED.finditer(done.stdout)}
            expected = {(verdict.kind.lower(), verdict.name): verdict.outcome for verdict in verdicts}
            assert found == expected, f"{file.name}: {done.stderr}"
            for verdict in verdicts:
                assert all(identifier in done.stderr for identifier in verdict.failed), f"{file.name}: {done.stderr}"
        _every_refusal_is_recorded(webhook)


def _every_refusal_is_recorded(webhook: Webhook) -> None:
    verdicts = [verdict for verdicts in expected_verdicts().values() for verdict in verdicts]
    rows = [row for namespace in namespaces_of_examples() for row in webhook.decisions(namespace)]
    denied = sorted(verdict.name for verdict in verdicts if verdict.outcome == "denied")
    assert sorted(row.name for row in rows if row.outcome == "denied") == denied
