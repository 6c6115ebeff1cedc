"""Documents of evidence as their generators write them, small: tests change one thing in each."""

from __future__ import annotations

from typing import Any

from attestations.evidence import Layout, Piece, SignedBy, Verified

COVERS = "sha256:" + "4a" * 32
INDEX = "sha256:" + "1d" * 32
NOW = "2026-11-20T08:00:00Z"


def component(name: str, **fields: Any) -> dict[str, Any]:
    """A Python package with all minimum elements."""
    return {
        "type": "library",
        "bom-ref": f"ref-{name}",
        "name": name,
        "version": "1.0",
        "purl": f"pkg:pypi/{name}@1.0",
        "supplier": {"name": "PyPI"},
        "hashes": [{"alg": "SHA-256", "content": "ab" * 32}],
        "licenses": [{"license": {"id": "MIT"}}],
        **fields,
    }


def cyclonedx(*components: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A complete document, of torch alone if nothing else is given."""
    listed = list(components or (component("torch"),))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "metadata": {
            "timestamp": NOW,
            "authors": [{"name": "Platform"}],
            "tools": {"components": [{"type": "application", "name": "syft", "version": "1.38.0"}]},
            "lifecycles": [{"phase": "build"}],
            "component": {"type": "container", "bom-ref": "image", "name": "vllm", "version": COVERS},
        },
        "components": listed,
        "dependencies": [{"ref": "image", "dependsOn": [each["bom-ref"] for each in listed if "bom-ref" in each]}],
        **fields,
    }


def spdx_package(name: str, **fields: Any) -> dict[str, Any]:
    return {
        "SPDXID": f"SPDXRef-{name}",
        "name": name,
        "versionInfo": "1.0",
        "supplier": "Organization: PyPI",
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "MIT",
        "checksums": [{"algorithm": "SHA256", "checksumValue": "ab" * 32}],
        "externalRefs": [
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": f"pkg:pypi/{name}@1.0",
            }
        ],
        **fields,
    }


def spdx(*packages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    listed = [
        spdx_package("image", externalRefs=[], licenseDeclared="NOASSERTION"),
        *(packages or (spdx_package("torch"),)),
    ]
    relations = [("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-image")]
    relations += [("SPDXRef-image", "CONTAINS", each["SPDXID"]) for each in listed[1:]]
    return {
        "spdxVersion": "SPDX-2.3",
        "SPDXID": "SPDXRef-DOCUMENT",
        "creationInfo": {"created": NOW, "creators": ["Organization: Platform", "Tool: syft-1.38.0"]},
        "packages": listed,
        "relationships": [
            {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}
            for one, kind, other in relations
        ],
        **fields,
    }


def spdx3(*elements: dict[str, Any]) -> dict[str, Any]:
    """A document about an image with torch in it, and `elements` beside them."""
    ours: list[dict[str, Any]] = [
        {"type": "CreationInfo", "@id": "_:info", "specVersion": "3.0.1", "created": NOW, "createdBy": ["urn:platform"],
         "createdUsing": ["urn:syft"]},
        {"type": "Organization", "spdxId": "urn:platform", "name": "Platform", "creationInfo": "_:info"},
        {"type": "Tool", "spdxId": "urn:syft", "name": "syft", "creationInfo": "_:info"},
        {"type": "SpdxDocument", "spdxId": "urn:document", "creationInfo": "_:info", "rootElement": ["urn:image"]},
        {"type": "software_Sbom", "spdxId": "urn:sbom", "creationInfo": "_:info", "rootElement": ["urn:image"],
         "software_sbomType": ["build"]},
        {"type": "software_Package", "spdxId": "urn:image", "name": "vllm", "creationInfo": "_:info"},
        {"type": "software_Package", "spdxId": "urn:torch", "name": "torch", "software_packageVersion": "1.0",
         "software_packageUrl": "pkg:pypi/torch@1.0", "suppliedBy": "urn:platform", "creationInfo": "_:info",
         "verifiedUsing": [{"type": "Hash", "algorithm": "sha256", "hashValue": "ab" * 32}]},
        {"type": "simplelicensing_LicenseExpression", "spdxId": "urn:mit", "creationInfo": "_:info",
         "simplelicensing_licenseExpression": "MIT"},
        relationship("urn:image", "contains", "urn:torch"),
        relationship("urn:torch", "hasDeclaredLicense", "urn:mit"),
    ]  # fmt: skip
    return {"@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld", "@graph": [*ours, *elements]}


def relationship(one: str, kind: str, *others: str, **fields: Any) -> dict[str, Any]:
    return {"type": "Relationship", "relationshipType": kind, "from": one, "to": list(others), **fields}


def trivy(*found: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A report on an image with torch and libc6 in it."""
    return {
        "SchemaVersion": 2,
        "CreatedAt": NOW,
        "Trivy": {"Version": "0.68.1"},
        "ArtifactName": "registry.internal/serving/vllm",
        "ArtifactType": "container_image",
        "Results": [
            {
                "Target": "Python",
                "Class": "lang-pkgs",
                "Type": "python-pkg",
                "Packages": [{"Name": "torch", "Version": "2.9.1", "Identifier": {"PURL": "pkg:pypi/torch@2.9.1"}}],
                "Vulnerabilities": list(found),
            }
        ],
        **fields,
    }


def trivy_found(identifier: str = "CVE-2026-1000", severity: str = "HIGH", **fields: Any) -> dict[str, Any]:
    return {
        "VulnerabilityID": identifier,
        "PkgName": "torch",
        "PkgIdentifier": {"PURL": "pkg:pypi/torch@2.9.1"},
        "InstalledVersion": "2.9.1",
        "FixedVersion": "2.9.2",
        "Severity": severity,
        "PublishedDate": "2026-10-01T00:00:00.52Z",
        **fields,
    }


def grype(*matches: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "matches": list(matches),
        "source": {"type": "image", "target": {}},
        "descriptor": {
            "name": "grype",
            "version": "0.104.0",
            "timestamp": "2026-11-20T08:00:00.123456789Z",
            "db": {"status": {"schemaVersion": "v6.1.3", "built": "2026-11-20T06:00:00Z"}},
        },
        **fields,
    }


def grype_match(identifier: str = "GHSA-aaaa-bbbb-cccc", severity: str = "High") -> dict[str, Any]:
    return {
        "vulnerability": {"id": identifier, "severity": severity, "fix": {"versions": ["2.9.2"], "state": "fixed"}},
        "relatedVulnerabilities": [{"id": "CVE-2026-1000"}],
        "artifact": {"name": "torch", "version": "2.9.1", "type": "python", "purl": "pkg:pypi/torch@2.9.1"},
    }


def sarif(*results: dict[str, Any], severity: str = "7.5") -> dict[str, Any]:
    rule = {"id": "CVE-2026-1000", "properties": {"security-severity": severity}}
    driver = {"name": "Trivy", "version": "0.68.1", "rules": [rule]}
    return {"version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": list(results)}]}


def cosign_vuln(report: Any) -> dict[str, Any]:
    return {
        "invocation": {"parameters": [], "uri": "", "event_id": "", "builder.id": ""},
        "scanner": {
            "uri": "pkg:github/aquasecurity/trivy@0.68.1",
            "version": "0.68.1",
            "db": {"uri": "", "version": "2", "lastUpdate": "2026-11-20T06:00:00Z"},
            "result": report,
        },
        "metadata": {"scanStartedOn": "2026-11-20T09:00:00Z", "scanFinishedOn": "2026-11-20T09:01:00Z"},
    }


def in_toto_vulns(*found: dict[str, Any]) -> dict[str, Any]:
    return {
        "scanner": {
            "uri": "pkg:github/aquasecurity/trivy@0.68.1",
            "version": "0.68.1",
            "db": {"uri": "", "version": "2", "lastUpdate": "2026-11-20T06:00:00Z"},
            "result": list(found),
        },
        "metadata": {"scanStartedOn": "2026-11-20T09:00:00Z", "scanFinishedOn": "2026-11-20T09:01:00Z"},
    }


def openvex(*statements: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": "https://example.com/vex/1",
        "author": "Platform security",
        "timestamp": NOW,
        "version": 1,
        "statements": list(statements),
        **fields,
    }


def vex_statement(status: str = "not_affected", **fields: Any) -> dict[str, Any]:
    return {
        "vulnerability": {"name": "CVE-2026-1000"},
        "products": [{"@id": f"pkg:oci/vllm@{COVERS}"}],
        "status": status,
        "justification": "vulnerable_code_not_in_execute_path",
        **fields,
    }


def slsa_v1(**fields: Any) -> dict[str, Any]:
    return {
        "buildDefinition": {
            "buildType": "https://actions.github.io/buildtypes/workflow/v1",
            "externalParameters": {
                "workflow": {
                    "ref": "refs/heads/main",
                    "repository": "https://github.com/example/vllm",
                    "path": ".github/workflows/build.yml",
                }
            },
            "resolvedDependencies": [
                {"uri": "git+https://github.com/example/vllm@refs/heads/main", "digest": {"gitCommit": "c0" * 20}},
                {"uri": "pkg:docker/python@3.12", "digest": {"sha256": "ab" * 32}},
            ],
            **fields,
        },
        "runDetails": {
            "builder": {"id": "https://github.com/example/vllm/.github/workflows/build.yml@refs/heads/main"},
            "metadata": {"invocationId": "https://github.com/example/vllm/actions/runs/1", "finishedOn": NOW},
        },
    }


def slsa_v02(**fields: Any) -> dict[str, Any]:
    return {
        "builder": {"id": "https://tekton.dev/chains/v2"},
        "buildType": "https://mobyproject.org/buildkit@v1",
        "invocation": {
            "configSource": {
                "uri": "https://github.com/example/vllm.git#refs/heads/main",
                "digest": {"sha1": "c0" * 20},
                "entryPoint": "Dockerfile",
            }
        },
        "metadata": {"buildInvocationID": "run-1", "buildStartedOn": NOW, "buildFinishedOn": NOW},
        "materials": [{"uri": "pkg:docker/python@3.12", "digest": {"sha256": "ab" * 32}}],
        **fields,
    }


def svr(*properties: str) -> dict[str, Any]:
    return {"verifier": {"id": "https://example.com/verifier/v1"}, "timeCreated": NOW, "properties": list(properties)}


def vsa(result: str = "PASSED") -> dict[str, Any]:
    return {
        "verifier": {"id": "https://example.com/verifier"},
        "timeVerified": NOW,
        "resourceUri": "registry.internal/serving/vllm",
        "policy": {"uri": "https://example.com/policy"},
        "verificationResult": result,
        "verifiedLevels": ["SLSA_BUILD_LEVEL_3"],
    }


def piece(content: bytes, media_type: str = "", layout: Layout = Layout.DOCUMENT, covers: str = COVERS) -> Piece:
    return Piece(layout, covers, "linux/amd64", media_type, content, "sha256:" + "aa" * 32, "sha256:" + "bb" * 32)


def verified(predicate_type: str, predicate: Any, *signers: str, subject: str = COVERS) -> Verified:
    signed_by = tuple(SignedBy(signer) for signer in signers or ("ci",))
    return Verified(piece(b"", layout=Layout.BUNDLE, covers=subject), subject, predicate_type, predicate, signed_by)
