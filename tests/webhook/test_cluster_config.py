"""Bindings and waivers of a cluster: what is told in their status, and what is not known. See also tests/e2e."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from pratique.configuration import build
from pratique.engine import Engine
from pratique.errors import EvidenceUnavailable, Problem
from pratique.yamlfile import Document
from tests.support.approvals import approval, approvers_document, request
from tests.support.policies import binding, policy, policy_set
from tests.support.scripted import ScriptedEvaluator
from webhook import cluster_config as module
from webhook.cluster import ApiServer
from webhook.cluster_config import ClusterDocuments

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
POLICIES = policy_set(policy("gpu/limit", id="GPU-001"))
BOUND = binding("gpus", "gpu/limit")
ASKED = request("w", ["gpu/limit"])


class Api:
    """An API server of which only the name is needed: nothing is listed in these tests."""

    client = None


class Told:
    """Takes the changes of status; `failure` makes it refuse."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.patches: list[tuple[str, Any]] = []
        self.failure: Exception | None = None
        monkeypatch.setattr(module, "merge_patch", self._merge_patch)

    def _merge_patch(self, client: Any, path: str, patch: Mapping[str, Any], *, timeout: Any) -> None:
        if self.failure is not None:
            raise self.failure
        self.patches.append((path, patch["status"]["conditions"]))


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    return Told(monkeypatch)


def documents(*objects: Mapping[str, Any], synced: bool = True) -> ClusterDocuments:
    """What was listed: `objects` as the API server has them."""
    found = ClusterDocuments(cast(ApiServer, Api()))
    for watch in found._watches:  # in place of the thread that lists
        mine = [each for each in objects if each["kind"] == watch.kind]
        watch._objects = {each["metadata"]["name"]: watch._kept(each) for each in mine}
        if synced:
            watch._synced.set()
    return found


def stored(document: Mapping[str, Any], *conditions: Mapping[str, Any], generation: int = 1, **metadata: Any) -> Any:
    name = document["metadata"]["name"]
    return {
        **document,
        "metadata": {"name": name, "uid": "1", "resourceVersion": "7", "generation": generation, **metadata},
        "status": {"conditions": list(conditions)},
    }


def engine(source: ClusterDocuments) -> Engine:
    configuration = build(source.documents(), POLICIES, approvers=approvers_document())
    return Engine(policies=POLICIES, configuration=configuration, evaluator=ScriptedEvaluator({}))


def report(source: ClusterDocuments, made: Engine | None, *problems: Problem, now: datetime = NOW) -> None:
    asyncio.run(source.report(made, problems, now=now))


def ready(status: str, reason: str, message: str, *, since: str = "2026-11-21T08:00:00Z", of: int = 1) -> Any:
    return {
        "type": "Ready",
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": of,
        "lastTransitionTime": since,
    }


UNSIGNED = "it is not approved: there is no signature for it"


def test_what_was_not_listed_yet_is_a_problem_and_no_empty_list() -> None:
    assert [str(each) for each in documents(synced=False).documents()] == [
        "policybindings.pratique.dev: these could not be listed yet: the API server takes its time",
        "waivers.pratique.dev: these could not be listed yet: the API server takes its time",
    ]


def test_the_version_is_of_the_meaning_and_not_of_the_status() -> None:
    first = documents(stored(BOUND), stored(ASKED)).version
    status = ready("False", "DoesNotCount", UNSIGNED)
    assert documents(stored(BOUND, status), stored(ASKED, status, generation=2, labels={"a": "b"})).version == first
    assert documents(stored(BOUND)).version != first
    other = stored(request("w", ["gpu/limit"], reason="another"))
    assert documents(stored(BOUND), other).version != first
    attested = stored(ASKED, annotations={"pratique.dev/approval": "{}", "a": "b"})
    assert documents(stored(BOUND), attested).version != first
    assert documents(stored(BOUND), stored(ASKED), synced=False).version != first


def test_each_object_is_told_once_what_became_of_it(told: Told) -> None:
    source = documents(stored(BOUND), stored(ASKED))
    made = engine(source)
    report(source, made)
    assert told.patches == [
        ("/apis/pratique.dev/v1alpha1/policybindings/gpus/status", [ready("True", "InForce", "")]),
        ("/apis/pratique.dev/v1alpha1/waivers/w/status", [ready("False", "DoesNotCount", UNSIGNED)]),
    ]
    report(source, made)
    assert len(told.patches) == 2
    said = documents(
        stored(BOUND, ready("True", "InForce", "")), stored(ASKED, ready("False", "DoesNotCount", UNSIGNED))
    )
    report(said, made)
    assert len(told.patches) == 2


def test_a_status_of_an_older_generation_is_written_again_and_others_are_kept(told: Told) -> None:
    since = "2026-01-01T00:00:00Z"
    foreign = {"type": "Seen", "status": "True"}
    source = documents(stored(BOUND, foreign, ready("True", "InForce", "", since=since), generation=2))
    report(source, engine(source))
    assert told.patches[0][1] == [foreign, ready("True", "InForce", "", since=since, of=2)]


def test_a_waiver_is_told_when_it_ends(told: Told) -> None:
    source = documents(stored(BOUND, ready("True", "InForce", "")), stored(ASKED))
    envelope = approval(ASKED)
    signed = [*source.documents(), Document("w.dsse.json", 0, 1, {"kind": "WaiverApproval", "spec": envelope})]
    configuration = build(signed, POLICIES, approvers=approvers_document())
    made = Engine(policies=POLICIES, configuration=configuration, evaluator=ScriptedEvaluator({}))
    report(source, made)
    report(
        documents(stored(BOUND, ready("True", "InForce", "")), stored(ASKED)),
        made,
        now=datetime(2026, 12, 1, tzinfo=UTC),
    )
    assert [conditions[0]["message"] for _, conditions in told.patches] == [
        "until 2026-12-01T00:00:00Z",
        "it expired at 2026-12-01T00:00:00Z",
    ]


def test_an_object_that_does_not_load_is_told_where_and_why(told: Told) -> None:
    bad = stored(request("w", ["gpu/none"]))
    source = documents(stored(BOUND), bad)
    problems = [
        Problem("waivers.pratique.dev/w", "/spec/policies/0", "there is no policy"),
        Problem("bindings.yaml", "line 1", "something of a file"),
    ]
    report(source, None, *problems)
    assert told.patches == [
        (
            "/apis/pratique.dev/v1alpha1/waivers/w/status",
            [ready("False", "NotLoaded", "/spec/policies/0: there is no policy")],
        )
    ]


def test_what_is_not_in_force_yet_is_told_nothing(told: Told) -> None:
    made = engine(documents(stored(BOUND)))
    changed = documents(stored(binding("gpus", "gpu/limit", enforcement="warn")), stored(ASKED))
    report(changed, made)
    assert told.patches == []


@pytest.mark.parametrize("failure", [OSError("down"), EvidenceUnavailable("HTTP 403")])
def test_a_status_that_cannot_be_written_is_said_and_not_tried_at_once(told: Told, failure: Exception) -> None:
    source = documents(stored(BOUND))
    made = engine(source)
    told.failure = failure
    report(source, made)
    assert source.state()["status_problem"] == (
        f"the status of policybindings.pratique.dev/gpus cannot be written: {failure}"
    )
    told.failure = None
    report(source, made)
    assert told.patches == []
