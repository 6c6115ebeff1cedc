"""SBOMs as facts: each format, what is missing, licences, packages, models."""

from __future__ import annotations

from typing import Any

import pytest

from attestations import sbom
from attestations.sbom import sbom_fact
from pratique.errors import InputError
from tests.support.documents import (
    COVERS,
    NOW,
    component,
    cyclonedx,
    relationship,
    spdx,
    spdx3,
    spdx_package,
)

COMPLETE: dict[str, dict[str, int]] = {"ntia-2021": {}, "cisa-2025-draft": {}}
MIT = {"expression": "MIT", "choices": [["MIT"]], "read": True, "components": 1, "examples": ["pkg:pypi/torch@1.0"]}


def without(document: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in names}


def metadata(**fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = cyclonedx()["metadata"]
    return {name: value for name, value in {**made, **fields}.items() if value is not None}


def test_a_complete_cyclonedx_document() -> None:
    assert sbom_fact(cyclonedx()) == {
        "format": "CycloneDX",
        "version": "1.6",
        "created": NOW,
        "authors": ["Platform"],
        "tools": ["syft 1.38.0"],
        "context": ["build"],
        "components": 1,
        "missing": COMPLETE,
        "dependencies": {"related": 1, "completeness": "unknown"},
        "licences": [MIT],
        "unlicensed": {"components": 0, "examples": []},
        "packages": {"pkg:pypi/torch": ["1.0"], "vllm": [COVERS]},
        "ai_packages": {"pkg:pypi/torch": ["1.0"]},
        "models": [],
        "datasets": [],
        "not_read": [],
        "truncated": [],
    }


def test_a_complete_spdx_document() -> None:
    fact = sbom_fact(spdx())
    assert {name: fact[name] for name in ("format", "version", "created", "authors", "tools", "components")} == {
        "format": "SPDX",
        "version": "2.3",
        "created": NOW,
        "authors": ["Platform"],
        "tools": ["syft-1.38.0"],
        "components": 1,
    }
    # The format has no place for the context.
    assert fact["missing"] == {"ntia-2021": {}, "cisa-2025-draft": {"context": 1}}
    assert (fact["licences"], fact["not_read"]) == ([MIT], ["context"])
    assert fact["packages"] == {"image": ["1.0"], "pkg:pypi/torch": ["1.0"]}


def test_a_complete_spdx_3_document() -> None:
    fact = sbom_fact(spdx3())
    assert {
        name: fact[name] for name in ("format", "version", "created", "authors", "tools", "context", "components")
    } == {
        "format": "SPDX",
        "version": "3.0.1",
        "created": NOW,
        "authors": ["Platform"],
        "tools": ["syft"],
        "context": ["build"],
        "components": 1,
    }
    assert (fact["missing"], fact["licences"], fact["not_read"]) == (COMPLETE, [MIT], [])


@pytest.mark.parametrize("version", ["1.4", "1.5", "1.6", "1.7"])
def test_versions_of_cyclonedx(version: str) -> None:
    assert sbom_fact(cyclonedx(specVersion=version))["version"] == version


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (cyclonedx(specVersion="1.3"), "CycloneDX 1.3 is not read"),
        (cyclonedx(specVersion="2.0"), "CycloneDX 2.0 is not read"),
        (spdx(spdxVersion="SPDX-2.1"), "no version of SPDX that is read"),
        ({"@context": "https://example.com/", "@graph": []}, "another context"),
        ({"bomFormat": "SWID"}, "no SBOM that is read"),
        ([], "no SBOM that is read"),
    ],
)
def test_what_is_not_read(document: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        sbom_fact(document)


@pytest.mark.parametrize(
    ("field", "ntia", "cisa"),
    [
        ("supplier", "supplier", "supplier"),
        ("name", "name", "name"),
        ("version", "version", "version"),
        ("purl", "identifier", "identifier"),
        ("bom-ref", "dependencies", "dependencies"),
        ("hashes", "", "hash"),
        ("licenses", "", "licence"),
    ],
)
def test_what_a_component_of_cyclonedx_lacks(field: str, ntia: str, cisa: str) -> None:
    fact = sbom_fact(cyclonedx(without(component("torch"), field), component("other")))
    assert fact["missing"] == {"ntia-2021": {ntia: 1} if ntia else {}, "cisa-2025-draft": {cisa: 1}}


@pytest.mark.parametrize(
    ("field", "ntia", "cisa"),
    [
        ("timestamp", {"timestamp": 1}, {"timestamp": 1}),
        ("lifecycles", {}, {"context": 1}),
        ("tools", {}, {"tool": 1}),
        ("authors", {}, {"author": 1}),
    ],
)
def test_what_a_document_of_cyclonedx_lacks(field: str, ntia: dict[str, int], cisa: dict[str, int]) -> None:
    fact = sbom_fact(cyclonedx(metadata=metadata(**{field: None})))
    assert fact["missing"] == {"ntia-2021": ntia, "cisa-2025-draft": cisa}


def test_without_authors_and_tools_nobody_made_it() -> None:
    assert sbom_fact(cyclonedx(metadata=metadata(authors=None, tools=None)))["missing"]["ntia-2021"] == {"author": 1}


@pytest.mark.parametrize(
    ("field", "value", "ntia", "cisa"),
    [
        ("supplier", "NOASSERTION", "supplier", "supplier"),
        ("name", "", "name", "name"),
        ("versionInfo", "NOASSERTION", "version", "version"),
        ("externalRefs", [], "identifier", "identifier"),
        ("checksums", [], "", "hash"),
    ],
)
def test_what_a_package_of_spdx_lacks(field: str, value: Any, ntia: str, cisa: str) -> None:
    fact = sbom_fact(
        spdx(spdx_package("torch", **{field: value}) if field != "name" else spdx_package("torch") | {"name": ""})
    )
    assert fact["missing"] == {"ntia-2021": {ntia: 1} if ntia else {}, "cisa-2025-draft": {cisa: 1, "context": 1}}


def test_a_licence_of_spdx_that_is_stated_not_to_be_known_is_stated() -> None:
    unknown = spdx_package("torch", licenseDeclared="NOASSERTION")
    silent = without(spdx_package("other"), "licenseDeclared", "licenseConcluded")
    fact = sbom_fact(spdx(unknown, silent))
    assert fact["missing"]["cisa-2025-draft"] == {"context": 1, "licence": 1}
    assert (fact["licences"], fact["unlicensed"]["components"]) == ([], 2)


@pytest.mark.parametrize("unknown", ["NONE", "NOASSERTION", "noassertion", "UNKNOWN", "", "MIT AND NOASSERTION"])
def test_a_licence_that_is_none_is_no_known_one(unknown: str) -> None:
    licences = [{"expression": unknown}]
    for document in (
        cyclonedx(component("torch", licenses=licences)),
        spdx(spdx_package("torch", licenseDeclared=unknown)),
    ):
        fact = sbom_fact(document)
        assert fact["unlicensed"]["examples"] == ["pkg:pypi/torch@1.0"]


def test_nothing_that_was_concluded_leaves_what_was_declared() -> None:
    licences = [
        {"license": {"id": "AGPL-3.0-only", "acknowledgement": "declared"}},
        {"license": {"name": "NOASSERTION", "acknowledgement": "concluded"}},
    ]
    package = spdx_package("torch", licenseConcluded="NONE", licenseDeclared="AGPL-3.0-only")
    for document in (cyclonedx(component("torch", licenses=licences)), spdx(package)):
        assert [each["expression"] for each in sbom_fact(document)["licences"]] == ["AGPL-3.0-only"]


def test_what_the_document_describes_has_a_licence_of_its_own_only_where_nothing_else_is_listed() -> None:
    model = metadata(component={"type": "machine-learning-model", "name": "llama"})
    fact = sbom_fact({**cyclonedx(metadata=model), "components": []})
    assert fact["unlicensed"] == {"components": 1, "examples": ["llama"]}


def test_a_concluded_licence_comes_before_a_declared_one() -> None:
    concluded = spdx(spdx_package("torch", licenseConcluded="Apache-2.0", licenseDeclared="MIT"))
    assert [each["expression"] for each in sbom_fact(concluded)["licences"]] == ["Apache-2.0"]
    licences = [
        {"license": {"id": "MIT", "acknowledgement": "declared"}},
        {"license": {"id": "Apache-2.0", "acknowledgement": "concluded"}},
    ]
    fact = sbom_fact(cyclonedx(component("torch", licenses=licences)))
    assert [each["expression"] for each in fact["licences"]] == ["Apache-2.0"]


def test_several_licences_of_a_component_all_apply() -> None:
    licences: list[dict[str, Any]] = [{"license": {"id": "MIT"}}, {"license": {"name": "BSD License"}}]
    fact = sbom_fact(cyclonedx(component("torch", licenses=licences), component("other")))
    assert [(each["expression"], each["components"], each["read"]) for each in fact["licences"]] == [
        ("MIT", 2, True),
        ("BSD License", 1, False),
    ]


def test_components_are_found_wherever_they_are_nested_and_files_are_none() -> None:
    inner = component("inner", components=[component("innermost"), component("file", type="file", purl="")])
    within = metadata(component={"type": "container", "name": "vllm", "components": [component("beside")]})
    fact = sbom_fact(cyclonedx(component("torch", components=[inner]), metadata=within, dependencies=[]))
    assert sorted(fact["packages"]) == [
        "pkg:pypi/beside",
        "pkg:pypi/inner",
        "pkg:pypi/innermost",
        "pkg:pypi/torch",
        "vllm",
    ]
    # What is in another component has its place there.
    assert fact["dependencies"] == {"related": 3, "completeness": "unknown"}


@pytest.mark.parametrize(
    ("aggregates", "completeness"),
    [
        (["complete"], "complete"),
        (["complete", "incomplete_third_party_only"], "incomplete"),
        (["complete", "unknown"], "unknown"),
        ([], "unknown"),
    ],
)
def test_how_complete_the_dependencies_are(aggregates: list[str], completeness: str) -> None:
    compositions = [{"aggregate": each, "dependencies": ["image"]} for each in aggregates]
    assert sbom_fact(cyclonedx(compositions=compositions))["dependencies"]["completeness"] == completeness


def test_an_spdx_document_that_says_that_it_does_not_know_all() -> None:
    document = spdx()
    document["relationships"].append(
        {"spdxElementId": "SPDXRef-torch", "relationshipType": "DEPENDS_ON", "relatedSpdxElement": "NOASSERTION"}
    )
    assert sbom_fact(document)["dependencies"]["completeness"] == "incomplete"


@pytest.mark.parametrize(
    ("said", "completeness"), [("complete", "complete"), ("incomplete", "incomplete"), ("", "unknown")]
)
def test_how_complete_spdx_3_says_that_it_is(said: str, completeness: str) -> None:
    document = spdx3()
    for element in document["@graph"]:
        if element.get("relationshipType") == "contains" and said:
            element["completeness"] = said
    assert sbom_fact(document)["dependencies"]["completeness"] == completeness


def test_versions_of_one_package_are_together_and_ai_packages_apart() -> None:
    listed = (
        component("torch"),
        component("torch2", purl="pkg:pypi/Torch@2.9.1?x=y"),
        component("triton", purl="pkg:deb/debian/triton@1"),
    )
    fact = sbom_fact(cyclonedx(*listed, metadata=metadata(component=None)))
    assert fact["packages"] == {"pkg:deb/debian/triton": ["1"], "pkg:pypi/torch": ["1.0", "2.9.1"]}
    assert fact["ai_packages"] == {"pkg:pypi/torch": ["1.0", "2.9.1"]}


def test_names_that_differ_in_case_or_in_what_cannot_be_printed_are_one_package() -> None:
    listed = [component("Torch\0", purl="", version="1"), component("torch ", purl="", version="2")]
    listed.append(component("x", purl="pkg:npm/%40Evil/Pkg@1", type="file"))
    fact = sbom_fact(cyclonedx(*listed, metadata=metadata(component=None)))
    assert fact["packages"] == {"pkg:npm/@evil/pkg": ["1"], "torch ": ["1", "2"]}


@pytest.mark.parametrize("purl", ["pkg:conda/pytorch@2.9", "pkg:conda/ray-core@2.9", "pkg:conda/Flash_Attn@2.9"])
def test_ai_packages_under_their_names_in_conda(purl: str) -> None:
    assert list(sbom_fact(cyclonedx(component("x", purl=purl)))["ai_packages"].values()) == [["2.9"]]


def test_a_package_is_listed_under_each_of_its_purls() -> None:
    purls = ["pkg:generic/x@1", "pkg:pypi/torchtriton@2"]
    package = spdx_package("x")
    package["externalRefs"] = [{"referenceType": "purl", "referenceLocator": purl} for purl in purls]
    element = {
        "type": "software_Package",
        "name": "x",
        "software_packageUrl": purls[0],
        "externalIdentifier": [{"externalIdentifierType": "packageUrl", "identifier": purl} for purl in purls[1:]],
    }
    for document in (spdx(package), spdx3(element)):
        packages = sbom_fact(document)["packages"]
        assert (packages["pkg:generic/x"], packages["pkg:pypi/torchtriton"]) == (["1"], ["2"])


def test_what_is_cut_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in ("MAX_PACKAGES", "MAX_LICENCES", "MAX_MODELS"):
        monkeypatch.setattr(sbom, limit, 1)
    model = {"type": "machine-learning-model"}
    fact = sbom_fact(cyclonedx(component("a", **model), component("b", licenses=[{"license": {"id": "ISC"}}], **model)))
    assert fact["truncated"] == ["packages", "licences", "models"]
    assert (len(fact["packages"]), len(fact["licences"]), len(fact["models"])) == (1, 1, 1)


# AI-BOMs


def test_models_of_cyclonedx() -> None:
    card = {
        "modelParameters": {"task": "text-generation", "inputs": [], "datasets": [{"name": "c4"}, {"ref": "ref-pile"}]},
        "quantitativeAnalysis": {},
        "considerations": {"useCases": ["chat"], "technicalLimitations": []},
    }
    fact = sbom_fact(
        cyclonedx(
            component("llama", type="machine-learning-model", purl="pkg:huggingface/meta/llama@1", modelCard=card),
            component("pile", type="data"),
        )
    )
    assert fact["models"] == [
        {
            "name": "llama",
            "version": "1.0",
            "purl": "pkg:huggingface/meta/llama@1",
            "model_card": ["modelParameters.datasets", "modelParameters.task", "considerations.useCases"],
            "datasets": ["c4", "ref-pile"],
            "licences": ["MIT"],
        }
    ]
    assert fact["datasets"] == ["pile"]


def test_models_of_spdx_3() -> None:
    fact = sbom_fact(
        spdx3(
            {
                "type": "ai_AIPackage",
                "spdxId": "urn:llama",
                "name": "llama",
                "ai_domain": ["text"],
                "ai_limitation": "no maths",
                "ai_metric": [],
            },
            {"type": "dataset_DatasetPackage", "spdxId": "urn:c4", "name": "c4"},
            relationship("urn:llama", "trainedOn", "urn:c4", "urn:elsewhere"),
            relationship("urn:llama", "hasConcludedLicense", "https://spdx.org/licenses/Apache-2.0"),
        )
    )
    assert fact["models"] == [
        {
            "name": "llama",
            "version": "",
            "purl": "",
            "model_card": ["ai_domain", "ai_limitation"],
            "datasets": ["c4", "urn:elsewhere"],
            "licences": ["Apache-2.0"],
        }
    ]
    assert fact["datasets"] == ["c4"]


def test_licences_of_spdx_3_as_trees_are_not_read_and_the_fact_says_so() -> None:
    tree = {"type": "expandedlicensing_DisjunctiveLicenseSet", "spdxId": "urn:tree"}
    assert sbom_fact(spdx3(tree))["not_read"] == ["expandedlicensing"]
