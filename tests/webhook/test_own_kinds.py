"""Waiver and PolicyBinding objects at the Kubernetes door: who may ask, who may approve, and what stays as it is."""

from __future__ import annotations

import asyncio
import base64
import copy
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from attestations.signers import FileSigner
from pratique.builtin import RULES
from pratique.configuration import build
from pratique.decision import Decision, Door, Finding, Outcome, Result, Severity
from pratique.engine import Engine
from pratique.kinds import ContentCache
from pratique.yamlfile import Document
from reports.text import denial
from tests.support.approvals import GRACE, approvers, ed25519, public_pem, request, sign
from tests.support.policies import binding, policy, policy_set
from tests.support.scripted import ScriptedEvaluator
from tests.webhook.serving import Served
from webhook.own_kinds import OwnKinds, with_evaluations
from webhook.review import read_review, request_of, subject_under_review

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
WITNESS = ed25519(50)
POLICIES = policy_set(
    policy("gpu/limit", id="GPU-001", parameters={"max_gpus": {"type": "integer", "default": 4}}),
    policy("workload/privileged", id="WORKLOAD-002", severity=Severity.CRITICAL),
)
SECURITY = {"name": "security", "policies": ["*"], "groups": ["platform-security"]}
GPU_OWNERS = {"name": "gpu-owners", "policies": ["gpu/*"], "groups": ["gpu-owners"]}
LIST = approvers(GRACE.entry, SECURITY, GPU_OWNERS, witnesses=[public_pem(WITNESS)])
ADA, GRACE_USER = ("ada@example.com", ["team-a"]), ("grace@example.com", ["platform-security"])


def engine(trusted: Mapping[str, Any] | None = LIST) -> Engine:
    approver_list = Document("approvers.yaml", 0, 1, trusted) if trusted else None
    documents = [Document("b.yaml", 0, 1, binding("gpu-limit", "gpu/limit"))]
    return Engine(
        policies=POLICIES,
        configuration=build(documents, POLICIES, approvers=approver_list),
        evaluator=ScriptedEvaluator({}),
        clock=lambda: NOW,
    )


def asked(**spec: Any) -> dict[str, Any]:
    """What Ada writes: without who she is."""
    document = request("w", spec.pop("policies", ["gpu/limit"]), **spec)
    if "requestedBy" not in spec:
        del document["spec"]["requestedBy"]
    return document


def changed(obj: Mapping[str, Any], **spec: Any) -> dict[str, Any]:
    return {**copy.deepcopy(dict(obj)), "spec": {**copy.deepcopy(obj["spec"]), **spec}}


class Doors:
    """The mutating and the validating door, one after the other, as an API server goes through them."""

    def __init__(
        self,
        *,
        key: Any = WITNESS,
        trusted: Mapping[str, Any] | None = LIST,
        now: datetime = NOW,
        dry_run: bool = False,
    ) -> None:
        self.own = OwnKinds(signer=FileSigner(key) if key else None, clock=lambda: now)
        self.engine = engine(trusted)
        self.dry_run = dry_run

    def review(self, new: Mapping[str, Any], old: Mapping[str, Any] | None, user: tuple[str, list[str]]) -> Any:
        kind = str(new["kind"])
        return {
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "request": {
                "uid": "11111111-1111-1111-1111-111111111111",
                "kind": {"group": "pratique.dev", "version": "v1alpha1", "kind": kind},
                "resource": {"group": "pratique.dev", "version": "v1alpha1", "resource": f"{kind.lower()}s"},
                "name": new["metadata"]["name"],
                "operation": "UPDATE" if old else "CREATE",
                "userInfo": {"username": user[0], "groups": user[1]},
                "object": new,
                "oldObject": old,
                "dryRun": self.dry_run,
            },
        }

    def mutate(
        self, new: Mapping[str, Any], old: Mapping[str, Any] | None = None, *, by: tuple[str, list[str]]
    ) -> dict[str, Any]:
        review = read_review(json.dumps(self.review(new, old, by)).encode())
        result: dict[str, Any] = copy.deepcopy(dict(new))
        for patch in self.own.patches(review, self.engine):
            *parents, last = [part.replace("~1", "/") for part in patch.path.split("/")[1:]]
            place = result
            for part in parents:
                place = place[part]
            place[last] = patch.value
        return result

    def validate(
        self, new: Mapping[str, Any], old: Mapping[str, Any] | None = None, *, by: tuple[str, list[str]]
    ) -> Decision:
        async def run() -> Decision:
            review = read_review(json.dumps(self.review(new, old, by)).encode())
            subject = subject_under_review(review, cache=ContentCache())
            decision = await self.engine.decide(
                subject, Door.ADMISSION, request=request_of(review), deadline=time.monotonic() + 60
            )
            return with_evaluations(decision, self.own.evaluations(review, self.engine))

        return asyncio.run(run())

    def submit(
        self, new: Mapping[str, Any], old: Mapping[str, Any] | None = None, *, by: tuple[str, list[str]]
    ) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """The object as it would be stored, and path and message of what is against that."""
        stored = self.mutate(new, old, by=by)
        decision = self.validate(stored, old, by=by)
        found = [(finding.path, finding.message) for each in decision.evaluations for finding in each.findings]
        assert (decision.outcome is Outcome.DENIED) is bool(found)
        return stored, found


@pytest.fixture
def door() -> Doors:
    return Doors()


@pytest.fixture
def pending(door: Doors) -> dict[str, Any]:
    """Ada's waiver, as it is stored."""
    stored, found = door.submit(asked(), by=ADA)
    assert found == []
    return stored


@pytest.fixture
def approved(door: Doors, pending: dict[str, Any]) -> dict[str, Any]:
    stored, found = door.submit(changed(pending, approvedBy=GRACE_USER[0]), pending, by=GRACE_USER)
    assert found == []
    return stored


# Asking


def test_who_asks_is_stamped_and_counts_for_nothing_yet(pending: dict[str, Any]) -> None:
    assert pending == request("w", ["gpu/limit"])
    documents = [Document("cluster", 0, 1, pending)]
    (waiver,) = build(documents, POLICIES, approvers=Document("a", 0, 1, LIST), unbound=True).waivers
    assert waiver.why_not(NOW) == "it is not approved: there is no signature for it"


def test_nobody_asks_in_the_name_of_another(door: Doors) -> None:
    stored, found = door.submit(asked(requestedBy="eve@example.com"), by=ADA)
    assert (stored["spec"]["requestedBy"], found) == ("ada@example.com", [])
    decision = door.validate(asked(requestedBy="eve@example.com"), by=ADA)
    assert decision.evaluations[1].findings == (
        Finding("you are ada@example.com, not eve@example.com: the webhook fills this in", "/spec/requestedBy"),
    )


def test_a_decision_about_a_waiver_is_typed_and_says_which_rules_there_are(door: Doors) -> None:
    decision = door.validate(request("w", ["gpu/limit"]), by=ADA)
    assert [(each.binding, each.policy_id, each.result) for each in decision.evaluations] == [
        ("pratique/loadable", "PRATIQUE-001", Result.PASS),
        ("pratique/waiver-request", "PRATIQUE-002", Result.PASS),
    ]
    assert [rule.id for rule in RULES.values()] == [f"PRATIQUE-{number:03}" for number in (1, 2, 3, 4)]
    assert (decision.outcome, decision.user) == (Outcome.ALLOWED, "ada@example.com")


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"approvedBy": "ada@example.com"}, "/spec/approvedBy"),
        ({"approvedAt": "2026-11-21T08:00:00Z"}, "/spec/approvedAt"),
    ],
)
def test_a_waiver_is_not_born_approved(door: Doors, spec: dict[str, Any], path: str) -> None:
    for user in (ADA, GRACE_USER):
        _, found = door.submit(asked(**spec), by=user)
        assert found == [(path, "a waiver is approved after it was asked for, by an update that sets approvedBy")]


def test_who_asked_may_change_it_until_it_is_approved_and_nobody_else(door: Doors, pending: dict[str, Any]) -> None:
    other = changed(pending, reason="another")
    assert door.submit(other, pending, by=ADA)[1] == []
    assert door.submit(other, pending, by=GRACE_USER)[1] == [
        ("/spec", "ada@example.com asked for this waiver; you are grace@example.com, and cannot change it")
    ]
    assert door.submit(changed(pending, requestedBy="eve@example.com"), pending, by=ADA)[1] == [
        ("/spec/requestedBy", "ada@example.com asked for this waiver, and that stays so")
    ]
    labelled = {**pending, "metadata": {"name": "w", "labels": {"a": "b"}, "finalizers": ["x/y"]}}
    assert door.submit(labelled, pending, by=("system:serviceaccount:kube-system:gc", []))[1] == []


def test_an_attestation_is_not_brought_along(door: Doors) -> None:
    brought = {**asked(), "metadata": {"name": "w", "annotations": {"pratique.dev/approval": "{}"}}}
    assert door.submit(brought, by=ADA)[1] == [
        ("/metadata/annotations/pratique.dev~1approval", "nobody approved this waiver yet, so nothing attests that")
    ]


# Approving


def test_a_member_of_an_approver_group_approves_and_the_loader_believes_it(approved: dict[str, Any]) -> None:
    assert approved["spec"] == {
        **request("w", ["gpu/limit"])["spec"],
        "approvedBy": "grace@example.com",
        "approvedAt": "2026-11-21T08:00:00Z",
    }
    documents = [Document("cluster", 0, 1, approved)]
    (waiver,) = build(documents, POLICIES, approvers=Document("a", 0, 1, LIST), unbound=True).waivers
    assert (waiver.why_not(NOW), waiver.approved_by, waiver.approved_at) == ("", "grace@example.com", NOW)


def test_who_asked_cannot_approve_even_as_a_member_of_the_group(door: Doors) -> None:
    boss = ("ada@example.com", ["platform-security"])
    pending, _ = door.submit(asked(), by=boss)
    for name in ("ada@example.com", "Ada@example.com"):
        user = (name, ["platform-security"])
        stored, found = door.submit(changed(pending, approvedBy=name), pending, by=user)
        assert found == [("/spec/approvedBy", "ada@example.com asked for this waiver; somebody else must approve it")]
        assert "annotations" not in stored["metadata"]


@pytest.mark.parametrize(
    ("user", "policies", "told"),
    [
        (
            ("eve@example.com", ["team-a"]),
            ["gpu/limit"],
            "eve@example.com is in no group that may approve waivers from gpu/limit",
        ),
        (
            ("eve@example.com", []),
            ["gpu/limit"],
            "eve@example.com is in no group that may approve waivers from gpu/limit",
        ),
        (("gil@example.com", ["gpu-owners"]), ["gpu/limit"], ""),
        (
            ("gil@example.com", ["gpu-owners"]),
            ["gpu/limit", "workload/privileged"],
            "gil@example.com is in no group that may approve waivers from gpu/limit, workload/privileged",
        ),
        (("gil@example.com", ["platform-security"]), ["gpu/limit", "workload/privileged"], ""),
    ],
)
def test_only_members_of_the_groups_for_all_of_its_policies_approve(
    door: Doors, user: tuple[str, list[str]], policies: list[str], told: str
) -> None:
    pending, _ = door.submit(asked(policies=policies), by=ADA)
    stored, found = door.submit(changed(pending, approvedBy=user[0]), pending, by=user)
    assert found == ([("/spec/approvedBy", told)] if told else [])
    assert ("annotations" in stored["metadata"]) is not bool(told)


def test_nobody_approves_in_the_name_of_another(door: Doors, pending: dict[str, Any]) -> None:
    _, found = door.submit(
        changed(pending, approvedBy="grace@example.com"), pending, by=("eve@example.com", ["platform-security"])
    )
    assert found == [
        ("/spec/approvedBy", "you are eve@example.com, and cannot approve in the name of grace@example.com")
    ]


def test_an_approval_changes_nothing_else(door: Doors, pending: dict[str, Any]) -> None:
    more = changed(pending, approvedBy="grace@example.com", parameters={"max_gpus": 999}, requestedBy="bob@example.com")
    stored, found = door.submit(more, pending, by=GRACE_USER)
    told = "an approval changes nothing else: approve what was asked for"
    assert found == [("/spec/parameters", told), ("/spec/requestedBy", told)]
    assert "annotations" not in stored["metadata"]


@pytest.mark.parametrize("seconds", [-3600, -61, 61, 86400 * 30])
def test_the_time_of_an_approval_is_now(door: Doors, pending: dict[str, Any], seconds: int) -> None:
    other = (NOW + timedelta(seconds=seconds)).isoformat()
    named = changed(pending, approvedBy="grace@example.com", approvedAt=other)
    stored, found = door.submit(named, pending, by=GRACE_USER)
    assert (stored["spec"]["approvedAt"], found) == ("2026-11-21T08:00:00Z", [])
    decision = door.validate(named, pending, by=GRACE_USER)
    assert decision.evaluations[1].findings[0] == Finding(
        "the time of the approval is now; leave it out, it is filled in", "/spec/approvedAt"
    )


def test_an_over_long_or_ended_waiver_is_not_approved(door: Doors) -> None:
    for expires, told in (
        ("2027-02-19T08:00:00Z", ""),
        (
            "2027-02-19T08:00:01Z",
            "it runs for 90 days and 0:00:01 from its approval on, and one from gpu/limit (high) may run for 90 days",
        ),
        ("2026-11-21T08:00:00Z", "it is over already"),
    ):
        pending, _ = door.submit(asked(expires=expires), by=ADA)
        _, found = door.submit(changed(pending, approvedBy=GRACE_USER[0]), pending, by=GRACE_USER)
        assert [path for path, message in found if message == told] == (["/spec/expires"] if told else [])
        assert bool(found) is bool(told)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"trusted": None}, "no list of approvers is configured, so nobody can approve"),
        ({"key": None}, "the approval is not attested: this webhook has no key to attest it with; set approval_key"),
        (
            {"key": ed25519(51)},
            "the approval is not attested: the key of this webhook is not among the witnesses in the list of approvers",
        ),
    ],
)
def test_what_could_not_count_is_not_approved(pending: dict[str, Any], options: dict[str, Any], told: str) -> None:
    _, found = Doors(**options).submit(changed(pending, approvedBy=GRACE_USER[0]), pending, by=GRACE_USER)
    assert found == [("/spec/approvedBy", told)]


def test_what_another_webhook_changes_after_the_attestation_is_noticed(door: Doors, pending: dict[str, Any]) -> None:
    wanted = changed(pending, approvedBy=GRACE_USER[0])
    stored = door.mutate(wanted, pending, by=GRACE_USER)
    del stored["metadata"]["annotations"]
    decision = door.validate(stored, pending, by=GRACE_USER)
    assert [finding.message for finding in decision.evaluations[1].findings] == [
        "the approval is not attested: it is not approved: there is no signature for it"
    ]


def test_a_dry_run_says_yes_and_attests_nothing(pending: dict[str, Any]) -> None:
    stored, found = Doors(dry_run=True).submit(changed(pending, approvedBy=GRACE_USER[0]), pending, by=GRACE_USER)
    assert (found, "annotations" in stored["metadata"]) == ([], False)


# Afterwards


@pytest.mark.parametrize("user", [ADA, GRACE_USER, ("admin", ["system:masters"])])
def test_an_approved_waiver_stays_as_it_is(door: Doors, approved: dict[str, Any], user: tuple[str, list[str]]) -> None:
    told = "grace@example.com approved this waiver as it was"
    for spec in ({"reason": "another"}, {"expires": "2026-12-02T00:00:00Z"}, {"approvedBy": "bob@example.com"}):
        assert door.submit(changed(approved, **spec), approved, by=user)[1] == [("/spec", told)]
    withdrawn = copy.deepcopy(approved)
    del withdrawn["spec"]["approvedBy"], withdrawn["spec"]["approvedAt"]
    assert door.submit(withdrawn, approved, by=user)[1] == [("/spec", told)]
    stripped = {**approved, "metadata": {"name": "w"}}
    assert door.submit(stripped, approved, by=user)[1] == [
        ("/metadata/annotations/pratique.dev~1approval", f"{told}, and this attests it")
    ]
    labelled = {**approved, "metadata": {**approved["metadata"], "labels": {"a": "b"}}}
    assert door.submit(labelled, approved, by=user)[1] == []


def test_an_attestation_moved_to_another_waiver_does_not_count(approved: dict[str, Any]) -> None:
    """As if the object had got past the webhook."""
    for forged, told in (
        (
            {**changed(approved), "metadata": {**approved["metadata"], "name": "x"}},
            "it is not approved: there is no signature for it",
        ),
        (
            changed(approved, parameters={"max_gpus": 999}),
            "it was changed after grace@example.com approved it (/spec/parameters); it has to be approved again",
        ),
    ):
        documents = [Document("cluster", 0, 1, forged)]
        (waiver,) = build(documents, POLICIES, approvers=Document("a", 0, 1, LIST), unbound=True).waivers
        assert waiver.why_not(NOW) == told


def test_a_witness_that_is_not_listed_or_groups_that_may_not_any_more_do_not_count(approved: dict[str, Any]) -> None:
    def why(trusted: Mapping[str, Any]) -> str:
        documents = [Document("cluster", 0, 1, approved)]
        (waiver,) = build(documents, POLICIES, approvers=Document("a", 0, 1, trusted), unbound=True).waivers
        return waiver.why_not(NOW)

    assert why(LIST) == ""
    assert why(approvers(SECURITY, witnesses=[public_pem(ed25519(52))])) == (
        "its approval is not attested by a webhook whose key is listed as a witness, or was altered after that"
    )
    assert why(approvers(GPU_OWNERS, witnesses=[public_pem(WITNESS)])) == (
        "grace@example.com was in no group that may approve waivers from gpu/limit"
    )


def test_an_approver_cannot_pose_as_a_witness(approved: dict[str, Any]) -> None:
    payload = base64.b64decode(json.loads(approved["metadata"]["annotations"]["pratique.dev/approval"])["payload"])
    forged = sign(payload, GRACE.key, payload_type="application/vnd.pratique.witnessed-waiver.v1alpha1+json")
    obj = {**approved, "metadata": {"name": "w", "annotations": {"pratique.dev/approval": json.dumps(forged)}}}
    documents = [Document("cluster", 0, 1, obj)]
    (waiver,) = build(documents, POLICIES, approvers=Document("a", 0, 1, LIST), unbound=True).waivers
    assert waiver.why_not(NOW).startswith("its approval is not attested by a webhook whose key is listed")


@pytest.mark.parametrize("text", ["", "{", "[]", "\ud800", 7])
def test_nonsense_in_the_annotation_is_no_approval_and_unloads_nothing(approved: dict[str, Any], text: Any) -> None:
    obj = {**approved, "metadata": {"name": "w", "annotations": {"pratique.dev/approval": text}}}
    documents = [Document("cluster", 0, 1, obj)]
    (waiver,) = build(documents, POLICIES, approvers=Document("a", 0, 1, LIST), unbound=True).waivers
    assert waiver.why_not(NOW) == "it is not approved: there is no signature for it"


# What could not be loaded


@pytest.mark.parametrize(
    ("document", "path", "told"),
    [
        (asked(policies=["gpu/none"]), "/spec/policies/0", "there is no policy 'gpu/none' in the bundle"),
        (asked(parameters={"max_gpus": "x"}), "/spec/parameters/max_gpus", '"x" is not of type "integer"'),
        (asked(expires="soon"), "/spec/expires", "'soon' is not a time"),
        (binding("b", "gpu/none"), "/spec/policy", "there is no policy 'gpu/none' in the bundle"),
        (binding("b", "gpu/limit", enforcement="maybe"), "/spec/enforcement", "'maybe' is none of deny"),
    ],
)
def test_what_could_not_be_loaded_is_refused(door: Doors, document: dict[str, Any], path: str, told: str) -> None:
    _, found = door.submit(document, by=ADA)
    assert [(at, message.startswith(told)) for at, message in found] == [(path, True)]


@pytest.mark.parametrize("spec", [None, [], "x", {}, {"policies": 7, "approvedBy": 7, "requestedBy": 7}])
def test_an_object_of_another_shape_is_refused_and_breaks_nothing(door: Doors, spec: Any) -> None:
    obj = {"apiVersion": "pratique.dev/v1alpha1", "kind": "Waiver", "metadata": {"name": "w"}, "spec": spec}
    assert door.submit(obj, by=ADA)[1]
    assert door.submit(obj, obj, by=ADA)[1]
    assert door.submit(obj, request("w", ["gpu/limit"]), by=ADA)[1]


def test_a_binding_that_loads_is_let_in(door: Doors) -> None:
    decision = door.validate(binding("b", "gpu/limit"), by=ADA)
    assert [(each.policy_id, each.result) for each in decision.evaluations] == [("PRATIQUE-001", Result.PASS)]


def test_the_denial_says_what_to_do_and_offers_no_waiver_of_it(door: Doors, pending: dict[str, Any]) -> None:
    decision = door.validate(changed(pending, approvedBy="ada@example.com"), pending, by=ADA)
    text = denial(decision)
    assert "PRATIQUE-003 (critical) A waiver is approved by an approver who did not ask for it" in text
    assert "fix: Have a member of an approver group set spec.approvedBy to their own user name" in text
    assert "To ask for a waiver" not in text


# Over HTTP


def test_both_doors_over_http_and_the_record() -> None:
    door = Doors()
    with Served.with_engine(door.engine, own=OwnKinds(signer=FileSigner(WITNESS))) as served:
        response = served.judge(door.review(asked(), None, ADA), path="/mutate?timeout=30s")
        assert (response["allowed"], response["patchType"]) == (True, "JSONPatch")
        assert json.loads(base64.b64decode(response["patch"])) == [
            {"op": "add", "path": "/spec/requestedBy", "value": "ada@example.com"}
        ]
        good = served.judge(door.review(request("w", ["gpu/limit"]), None, ADA))
        bad = served.judge(door.review(request("w", ["gpu/limit"]), None, GRACE_USER))
        assert (good["allowed"], bad["allowed"], bad["status"]["code"]) == (True, False, 403)
        assert [row.outcome for row in served.rows.decisions] == [Outcome.ALLOWED, Outcome.DENIED]
        assert bad["auditAnnotations"]["policy-ids"] == "PRATIQUE-001,PRATIQUE-002"
