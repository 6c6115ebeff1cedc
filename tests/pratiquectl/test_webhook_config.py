"""`pratique webhook-config`."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from pratiquectl.__main__ import main
from tests.support.bundles import ROOT
from tests.support.pki import Authority
from tests.support.policies import binding

pytestmark = pytest.mark.slow

_SERVICE = ("--service", "pratique-system/pratique")


class _Place:
    def __init__(self, root: Path) -> None:
        self.config = root / "config.yaml"
        self.bind(binding("gpus", "gpu/limit", match={"kinds": ["batch/Job"]}))
        self.ca = Authority(root / "ca").certificate

    def bind(self, *documents: object) -> None:
        self.config.write_text("\n---\n".join(json.dumps(document) for document in documents))

    def run(self, *arguments: str) -> int:
        common = ("--policies", str(ROOT / "policies"), "--config", str(self.config), "--ca-bundle", str(self.ca))
        return main(["webhook-config", *common, *arguments])


@pytest.fixture
def place(tmp_path: Path) -> _Place:
    return _Place(tmp_path)


def _documents(text: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(text))


def test_it_prints_both_configurations(place: _Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert place.run(*_SERVICE) == 0

    printed = capsys.readouterr()
    validating, mutating = _documents(printed.out)
    assert (validating["kind"], mutating["kind"]) == ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")
    (webhook,) = validating["webhooks"]
    assert webhook["clientConfig"]["service"] == {
        "namespace": "pratique-system",
        "name": "pratique",
        "port": 443,
        "path": "/validate",
    }
    assert base64.b64decode(webhook["clientConfig"]["caBundle"]) == place.ca.read_bytes()
    assert [rule["resources"] for rule in webhook["rules"]] == [["jobs"], ["policybindings", "waivers"]]
    assert [rule["resources"] for rule in mutating["webhooks"][0]["rules"]] == [["waivers"]]
    assert printed.err == ""


def test_json_is_one_list_that_kubectl_takes(place: _Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.run(*_SERVICE)
    documents = _documents(capsys.readouterr().out)

    assert place.run(*_SERVICE, "-o", "json") == 0

    assert json.loads(capsys.readouterr().out) == {"apiVersion": "v1", "kind": "List", "items": documents}


def test_the_guard_is_printed_on_demand(place: _Place, capsys: pytest.CaptureFixture[str]) -> None:
    users = ("--break-glass-user", "grace@example.com", "--break-glass-user", 'o"brien')
    assert place.run(*_SERVICE, "--name", "clearance", "--guard", *users) == 0

    validating, mutating, policy, guard = _documents(capsys.readouterr().out)
    assert {validating["metadata"]["name"], mutating["metadata"]["name"]} == {"clearance"}
    assert (policy["kind"], guard["kind"]) == ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
    assert {policy["metadata"]["name"], guard["metadata"]["name"], guard["spec"]["policyName"]} == {"clearance-guard"}
    assert guard["spec"]["validationActions"] == ["Deny", "Audit"]
    (condition,) = policy["spec"]["matchConditions"]
    assert condition["expression"] == 'oldObject.metadata.name == "clearance"'
    assert policy["spec"]["variables"][0]["expression"] == (
        'request.userInfo.username in ["grace@example.com", "o\\"brien"]'
    )


def test_it_prints_the_same_each_time(place: _Place, capsys: pytest.CaptureFixture[str]) -> None:
    config = str(ROOT / "policies" / "bindings")
    outputs = set()
    for _ in range(2):
        assert place.run(*_SERVICE, "--config", config) == 0
        outputs.add(capsys.readouterr().out)

    assert len(outputs) == 1


@pytest.mark.parametrize(
    ("arguments", "excluded"),
    [
        (_SERVICE, ["kube-system", "pratique-system"]),
        (("--service", "policy/pratique"), ["kube-system", "policy"]),
        (("--url", "https://h"), ["kube-system", "pratique-system"]),
        (("--url", "https://h", "--own-namespace", "mine"), ["kube-system", "mine"]),
    ],
)
def test_its_own_namespace_is_left_alone(
    place: _Place, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], excluded: list[str]
) -> None:
    place.run(*arguments)

    (webhook,) = _documents(capsys.readouterr().out)[0]["webhooks"]
    assert webhook["namespaceSelector"]["matchExpressions"][0]["values"] == excluded


def test_a_service_can_have_a_port_and_a_path(place: _Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.run("--service", "ns/name:8443/base/", "--name", "other")

    document = _documents(capsys.readouterr().out)[0]
    assert document["metadata"]["name"] == "other"
    assert document["webhooks"][0]["clientConfig"]["service"] == {
        "namespace": "ns",
        "name": "name",
        "port": 8443,
        "path": "/base/validate",
    }


def test_what_could_not_be_narrowed_is_said_where_it_does_no_harm(
    place: _Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.bind(binding("all", "gpu/limit"), binding("labels", "labels/cost-attribution", match={"kinds": ["x.io/Y"]}))
    note = "labels judges x.io/Y, whose resource is not known: the API server asks about every resource of group x.io"

    place.run(*_SERVICE)
    yaml_text = capsys.readouterr()
    place.run(*_SERVICE, "-o", "json")
    json_text = capsys.readouterr()

    assert f"# {note}" in yaml_text.out.splitlines()
    assert yaml_text.err == ""
    assert json_text.err == f"pratique: {note}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "one of the arguments --url --service is required"),
        (("--service", "name"), "'name' is not of the form NAMESPACE/NAME[:PORT][/PATH]"),
        (("--service", "ns/name:0"), "'ns/name:0' is not of the form NAMESPACE/NAME[:PORT][/PATH]"),
        (("--url", "http://h"), "url: 'http://h' is not of the form https://HOST[:PORT][/PATH]"),
        ((*_SERVICE, "--ca-bundle", "none.crt"), "none.crt: cannot be read: No such file or directory"),
        ((*_SERVICE, "--ca-bundle", __file__), f"{__file__}: holds no PEM certificate: "),
        ((*_SERVICE, "--config", "none"), "none"),
        ((*_SERVICE, "--break-glass-user", "ada"), "command line: --break-glass-user: is for --guard; give that too"),
    ],
)
def test_what_is_wrong_is_said(
    place: _Place, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    assert place.run(*arguments) == 2

    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.out == ""
