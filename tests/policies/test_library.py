"""The library as a whole: bindings, catalogue and schema agree with the policies."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from evaluators.select import choose_engine
from pratique.configuration import load_configuration
from pratique.decision import Door, Enforcement
from pratique.errors import ConfigError
from pratique.policy import PolicySet
from reports.catalogue import render
from tests.policies.cases import REPOSITORY
from tests.support.policies import binding, configuration

POLICIES = REPOSITORY / "policies"


def test_the_baseline_binds_each_of_its_policies_once(policies: PolicySet) -> None:
    bindings = load_configuration(POLICIES / "bindings" / "baseline.yaml", policies).bindings
    bound = [(binding.policy.name, binding.enforcement[Door.ADMISSION]) for binding in bindings]
    assert sorted(bound) == [
        ("gpu/limit", Enforcement.DENY),
        ("image/approved-registries", Enforcement.DENY),
        ("image/digest", Enforcement.DENY),
        ("labels/cost-attribution", Enforcement.DENY),
        ("workload/health-checks", Enforcement.WARN),
        ("workload/privileged", Enforcement.DENY),
        ("workload/resource-limits", Enforcement.DENY),
    ]
    assert not any(binding.mutate for binding in bindings)


def test_every_policy_is_in_some_ready_made_set_of_bindings(policies: PolicySet) -> None:
    folders = [POLICIES / "bindings", *sorted((POLICIES / "levels").iterdir())]
    bound = {binding.policy.name for folder in folders for binding in load_configuration(folder, policies).bindings}
    assert bound == policies.policies.keys()


def test_the_defaults_are_bound_once_each_and_are_all_off(policies: PolicySet) -> None:
    bindings = load_configuration(POLICIES / "bindings" / "defaults", policies).bindings
    assert {binding.policy.name for binding in bindings} == {
        name for name in policies.policies if name.startswith("defaults/")
    }
    assert all(binding.mutate and set(binding.enforcement.values()) == {Enforcement.OFF} for binding in bindings)
    assert len({binding.policy.name for binding in bindings}) == len(bindings)


def test_the_catalogue_is_up_to_date(policies: PolicySet) -> None:
    assert (POLICIES / "README.md").read_text(encoding="utf-8") == render(policies)


@pytest.mark.parametrize(
    "name", ["pkg:pypi/x@1", "pkg:npm/%40acme/x", "pkg:npm/@acme/x@1", "pkg:deb/debian/x?arch=amd64"]
)
def test_a_denied_package_that_no_fact_could_name_is_refused(policies: PolicySet, name: str) -> None:
    denied = [{"name": name, "reason": "is bad"}]
    with pytest.raises(ConfigError, match="/spec/parameters/denied_packages/0/name"):
        configuration(policies, binding("b", "image/denied-packages", parameters={"denied_packages": denied}))


def test_every_policy_has_its_tests(policies: PolicySet) -> None:
    files = {path.relative_to(POLICIES).as_posix() for path in POLICIES.rglob("*_test.rego")}
    assert {metadata.file.replace(".rego", "_test.rego") for metadata in policies.policies.values()} <= files


@pytest.mark.parametrize(
    ("reference", "known"),
    [
        ("input.subject.images[_].registry", True),
        ("input.subject.images[_].registri", False),
        ("input.subject.pods[_].containers[_].resources.limits.cpu", True),
        ("input.subject.pods[_].containers[_].resource", False),
        ("input.subject.gpus.peak", True),
        ("input.subject.gpus.max", False),
        ("input.parameter", False),
        ("input.object.spec.anything", True),
    ],
)
def test_the_schema_finds_misspelt_references(reference: str, known: bool, tmp_path: Path) -> None:
    module = tmp_path / "example.rego"
    module.write_text(f"package example\n\nfound if {reference}\n", encoding="utf-8")
    choice = choose_engine("opa", tools_cache=REPOSITORY / ".cache" / "tools", environ=os.environ)
    assert choice.binary is not None
    schema = POLICIES / "schemas" / "input.json"
    check = subprocess.run(
        [choice.binary, "check", "--strict", "--schema", schema, module], capture_output=True, text=True, check=False
    )
    assert (check.returncode == 0, "undefined ref" in check.stderr) == (known, not known)
