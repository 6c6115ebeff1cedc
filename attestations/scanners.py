"""The reports of scanners, and the predicates that they are attested in.

* trivy, `trivy image --format json` (github.com/aquasecurity/trivy, pkg/types/report.go);
* grype, `grype -o json` (github.com/anchore/grype, grype/presenter/models);
* SARIF 2.1.0 (docs.oasis-open.org/sarif/sarif/v2.1.0), as both of them write it;
* `https://cosign.sigstore.dev/attestation/vuln/v1`, which has the report of a scanner in it;
* `https://in-toto.io/attestation/vulns/v0.1` and `v0.2`.

A severity that is a number is one of CVSS (v3.1, 5: qualitative scale), except for 0.0, which stands for one that
nobody scored. Of several severities the worst counts, of several times the earliest.

No aliases are the names of advisories, which can be about several vulnerabilities: who names one, or one of several
that an advisory is about, must not have all of them taken away.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from attestations.ai_packages import is_ai_package
from attestations.clipped import clipped
from attestations.purl import read_purl
from attestations.reading import checked, schema, utc
from attestations.scan import MAX_FINDINGS, SEVERITIES, Scan, Vulnerability
from pratique.errors import InputError

_TEXT: Mapping[str, Any] = {"type": "string"}
_OBJECT: Mapping[str, Any] = {"type": "object"}
_NOTHING: Mapping[str, Any] = {}


def _object(required: Sequence[str] = (), **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": properties}


def _list(items: Mapping[str, Any], *, nullable: bool = False) -> dict[str, Any]:
    return {"type": ["array", "null"] if nullable else "array", "items": items}


def read_report(value: Any) -> Scan:
    """The report of a scanner, told from its content.

    Raises:
        InputError: it is none that is read, or malformed.
    """
    for belongs, read in _REPORTS:
        if isinstance(value, dict) and belongs(value):
            return read(value)
    raise InputError("the document is no report of a scan that is read: JSON of trivy or grype, or SARIF 2.1.0")


def is_report(value: Any) -> bool:
    """Whether `value` has the form of a report."""
    return isinstance(value, dict) and any(belongs(value) for belongs, _ in _REPORTS)


# trivy

_TRIVY_PURL = _object(PURL=_TEXT)
_TRIVY = schema(
    _object(
        ["SchemaVersion"],
        CreatedAt=_TEXT,
        Trivy=_object(Version=_TEXT),
        ArtifactType=_TEXT,
        Results=_list(
            _object(
                Class=_TEXT,
                Packages=_list(_object(Name=_TEXT, Version=_TEXT, Identifier=_TRIVY_PURL), nullable=True),
                Vulnerabilities=_list(
                    _object(
                        ["VulnerabilityID"],
                        VulnerabilityID=_TEXT,
                        PkgName=_TEXT,
                        PkgIdentifier=_TRIVY_PURL,
                        InstalledVersion=_TEXT,
                        FixedVersion=_TEXT,
                        Severity=_TEXT,
                        PublishedDate=_TEXT,
                    ),
                    nullable=True,
                ),
                ExperimentalModifiedFindings=_list(_OBJECT, nullable=True),
            ),
            nullable=True,
        ),
    )
)


def _is_trivy(value: Mapping[str, Any]) -> bool:
    return "SchemaVersion" in value and ("Results" in value or "ArtifactName" in value)


def read_trivy(value: Any) -> Scan:
    """Raises: InputError: it is malformed, or of a scan for something else."""
    report = checked(_TRIVY, value, "report of trivy")
    results: Sequence[Mapping[str, Any]] = report.get("Results") or ()
    if not (any(map(_is_about_packages, results)) if results else report.get("ArtifactType") not in _OTHER_ARTIFACTS):
        raise InputError(
            "the report of trivy is not of a scan for vulnerabilities; scan the image with --scanners vuln"
        )
    found = [
        _vulnerability(
            each["VulnerabilityID"],
            [each.get("Severity", "")],
            name=each.get("PkgName", ""),
            version=each.get("InstalledVersion", ""),
            purl=each.get("PkgIdentifier", _NOTHING).get("PURL", ""),
            fixed=each.get("FixedVersion", ""),
            published=utc(each.get("PublishedDate")),
        )
        for result in results
        for each in result.get("Vulnerabilities") or ()
    ]
    listed = [
        (each.get("Identifier", _NOTHING).get("PURL", ""), each.get("Name", ""), each.get("Version", ""))
        for result in results
        for each in result.get("Packages") or ()
    ]
    return _scan(
        "trivy",
        scanner="trivy",
        scanner_version=report.get("Trivy", _NOTHING).get("Version", ""),
        scanned=utc(report.get("CreatedAt")),
        found=found,
        listed=listed if any(result.get("Packages") is not None for result in results) else None,
        ignored=sum(len(result.get("ExperimentalModifiedFindings") or ()) for result in results),
    )


_OTHER_ARTIFACTS = frozenset({"filesystem", "repository"})
"""What `trivy config` and its like look at: where they find nothing, nothing shows what for they looked."""


def _is_about_packages(result: Mapping[str, Any]) -> bool:
    """Rather than about misconfigurations, secrets or licences."""
    lists = result.get("Packages"), result.get("Vulnerabilities")
    return result.get("Class", "") in ("os-pkgs", "lang-pkgs") or any(each is not None for each in lists)


# grype

_GRYPE = schema(
    _object(
        ["matches"],
        matches=_list(
            _object(
                ["vulnerability"],
                vulnerability=_object(
                    ["id"],
                    id=_TEXT,
                    severity=_TEXT,
                    fix=_object(versions=_list(_TEXT, nullable=True), state=_TEXT),
                ),
                relatedVulnerabilities=_list(_object(id=_TEXT), nullable=True),
                artifact=_object(name=_TEXT, version=_TEXT, purl=_TEXT),
            ),
            nullable=True,
        ),
        ignoredMatches=_list(_OBJECT, nullable=True),
        descriptor=_object(
            name=_TEXT,
            version=_TEXT,
            timestamp=_TEXT,
            db={
                "type": ["object", "null"],
                "properties": {"built": _TEXT, "checksum": _TEXT, "status": _object(built=_TEXT, schemaVersion=_TEXT)},
            },
        ),
    )
)


def _is_grype(value: Mapping[str, Any]) -> bool:
    return "matches" in value and "descriptor" in value


def read_grype(value: Any) -> Scan:
    """Raises: InputError."""
    report = checked(_GRYPE, value, "report of grype")
    descriptor = report.get("descriptor", _NOTHING)
    database = descriptor.get("db") or _NOTHING
    status = database.get("status", _NOTHING)
    found = [
        _vulnerability(
            match["vulnerability"]["id"],
            [match["vulnerability"].get("severity", "")],
            name=match.get("artifact", _NOTHING).get("name", ""),
            version=match.get("artifact", _NOTHING).get("version", ""),
            purl=match.get("artifact", _NOTHING).get("purl", ""),
            fixed=", ".join(match["vulnerability"].get("fix", _NOTHING).get("versions") or ()),
            published="",
            aliases=related if len(related) == 1 else (),
        )
        for match in report["matches"] or ()
        for related in [{each.get("id", "") for each in match.get("relatedVulnerabilities") or ()}]
    ]
    return _scan(
        "grype",
        scanner=descriptor.get("name", "grype"),
        scanner_version=descriptor.get("version", ""),
        database_version=status.get("schemaVersion") or database.get("checksum", ""),
        database_updated=utc(status.get("built") or database.get("built")),
        scanned=utc(descriptor.get("timestamp")),
        found=found,
        listed=None,
        ignored=len(report.get("ignoredMatches") or ()),
    )


# SARIF

_SARIF_RULE = _object(id=_TEXT, properties=_OBJECT)
_SARIF = schema(
    _object(
        ["version", "runs"],
        version={"const": "2.1.0"},
        runs=_list(
            _object(
                ["tool"],
                tool=_object(
                    ["driver"],
                    driver=_object(
                        ["name"], name=_TEXT, version=_TEXT, semanticVersion=_TEXT, rules=_list(_SARIF_RULE)
                    ),
                ),
                invocations=_list(
                    _object(startTimeUtc=_TEXT, endTimeUtc=_TEXT, executionSuccessful={"type": "boolean"})
                ),
                results={
                    "type": ["array", "null"],
                    "items": _object(
                        ruleId=_TEXT,
                        ruleIndex={"type": "integer", "minimum": -1},
                        rule=_object(id=_TEXT, index={"type": "integer", "minimum": -1}),
                        level=_TEXT,
                    ),
                },
            )
        ),
    )
)
_SARIF_SCANNERS = frozenset({"docker scout", "grype", "osv-scanner", "snyk container", "trivy"})
"""Tools that look for vulnerabilities, as they name themselves, in lower case. Most of those that write SARIF look for
something else, and where they find nothing it looks alike."""

_LEVELS = {"error": "high", "warning": "medium", "note": "low", "none": "unknown"}
"""What a level stands for where the rule has no `security-severity`."""

_PUBLIC_ID = re.compile(r"(CVE-\d{4}-\d{4,}|GHSA(?:-[0-9a-z]{4}){3})(?:-(.+))?\Z", re.ASCII | re.DOTALL)
"""The rules of grype are named `<id>-<package>`."""


def _is_sarif(value: Mapping[str, Any]) -> bool:
    return "runs" in value and value.get("version") == "2.1.0"


def read_sarif(value: Any) -> Scan:
    """Raises: InputError: it is malformed, of another tool, or has not exactly one run that came to its end."""
    report = checked(_SARIF, value, "SARIF report")
    if len(report["runs"]) != 1:
        raise InputError(f"the SARIF report has {len(report['runs'])} runs; attest each run by itself")
    run = report["runs"][0]
    invocations: Sequence[Mapping[str, Any]] = run.get("invocations", ())
    is_complete = all(each.get("executionSuccessful", True) for each in invocations)  # 3.20.14
    if not is_complete or run.get("results") is None:  # 3.14.23: null where the tool did not get so far
        raise InputError("the SARIF report has no results: the scanner did not come to an end")
    driver = run["tool"]["driver"]
    if driver["name"].lower() not in _SARIF_SCANNERS:
        known = ", ".join(sorted(_SARIF_SCANNERS))
        raise InputError(f"the SARIF report is of {clipped(driver['name'])}, not of a scanner that is known: {known}")
    rules: Sequence[Mapping[str, Any]] = driver.get("rules", ())
    by_id = {rule["id"]: rule for rule in rules if "id" in rule}
    times = [utc(each.get("endTimeUtc") or each.get("startTimeUtc")) for each in invocations]
    return _scan(
        "sarif",
        scanner=driver["name"],
        scanner_version=driver.get("semanticVersion") or driver.get("version", ""),
        scanned=_earliest(*times),
        found=[_sarif_result(result, rules, by_id) for result in run["results"]],
        listed=None,
    )


def _sarif_result(
    result: Mapping[str, Any], rules: Sequence[Mapping[str, Any]], by_id: Mapping[str, Mapping[str, Any]]
) -> Vulnerability:
    named = result.get("rule", _NOTHING)
    identifier = result.get("ruleId") or named.get("id", "")
    index = int(result.get("ruleIndex", named.get("index", -1)))  # 1.0 is an integer of JSON, too
    rule = by_id.get(identifier, _NOTHING)
    if not rule and 0 <= index < len(rules):
        rule = rules[index]
    identifier = identifier or rule.get("id", "")
    score = rule.get("properties", _NOTHING).get("security-severity")
    level = _LEVELS.get(result.get("level", "warning"), "unknown")
    known = _PUBLIC_ID.match(identifier)
    return _vulnerability(
        known[1] if known else identifier,
        [level if score in (None, "") else str(score)],
        name=(known[2] or "") if known else "",
        fixed=None,
    )


# Predicates

_DATABASE = _object(uri=_TEXT, version=_TEXT, lastUpdate=_TEXT)
_TIMES = _object(scanStartedOn=_TEXT, scanFinishedOn=_TEXT)
_SCANNER = _object(uri=_TEXT, version=_TEXT, db=_DATABASE)
_COSIGN = schema(_object(scanner=_SCANNER, scanners=_list(_SCANNER), metadata=_TIMES))
_SEVERITY = _list(_object(method=_TEXT, score={"type": ["string", "number"]}))
_IN_TOTO_FOUND = _object(id=_TEXT, severity=_SEVERITY, vulnerability=_object(["id"], id=_TEXT, severity=_SEVERITY))
_IN_TOTO = schema(
    _object(
        ["scanner", "metadata"],
        scanner=_object(["uri", "result"], uri=_TEXT, version=_TEXT, db=_DATABASE, result=_list(_IN_TOTO_FOUND)),
        metadata=_TIMES,
    )
)


def read_cosign_vuln(value: Any) -> Scan:
    """The scan in cosign's own predicate: what the predicate says of scanner and database comes first.

    Raises:
        InputError: it is malformed, or the report in it is none that is read.
    """
    predicate = checked(_COSIGN, value, "vuln predicate")
    scanners = [predicate["scanner"]] if "scanner" in predicate else predicate.get("scanners", [])
    if len(scanners) != 1:
        raise InputError(f"the vuln predicate has {len(scanners)} scanners; attest the report of each by itself")
    scanner = scanners[0]
    scan = read_report(scanner.get("result"))
    database, times = scanner.get("db", _NOTHING), predicate.get("metadata", _NOTHING)
    return replace(
        scan,
        format=f"cosign-vuln ({scan.format})",
        scanner=_name_of(scanner.get("uri", "")) or scan.scanner,
        scanner_version=scanner.get("version") or scan.scanner_version,
        database_version=database.get("version") or scan.database_version,
        database_updated=_earliest(utc(database.get("lastUpdate")), scan.database_updated),
        scanned=_earliest(_time_of(times), scan.scanned),
    )


def read_in_toto_vulns(value: Any) -> Scan:
    """The scan in the predicate of in-toto: in v0.1 what was found is inside `vulnerability`, or not, as its example.

    Raises:
        InputError: it is malformed.
    """
    predicate = checked(_IN_TOTO, value, "vulns predicate")
    scanner, times = predicate["scanner"], predicate["metadata"]
    database = scanner.get("db", _NOTHING)
    found = []
    for each in scanner["result"]:
        inner = each.get("vulnerability", each)
        if "id" not in inner:
            raise InputError("the vulns predicate has a result without an id")
        scores = [str(severity.get("score", "")) for severity in inner.get("severity", ())]
        found.append(_vulnerability(inner["id"], scores, fixed=None))
    return _scan(
        "in-toto-vulns",
        scanner=_name_of(scanner["uri"]),
        scanner_version=scanner.get("version", ""),
        database_version=database.get("version", ""),
        database_updated=utc(database.get("lastUpdate")),
        scanned=_time_of(times),
        found=found,
        listed=None,
    )


def _time_of(times: Mapping[str, Any]) -> str:
    return utc(times.get("scanFinishedOn")) or utc(times.get("scanStartedOn"))


def _earliest(*times: str) -> str:
    """The earliest of the times that are known: an old report in a new envelope is an old one."""
    return min(filter(None, times), default="")


def _name_of(uri: str) -> str:
    """`trivy` of `pkg:github/aquasecurity/trivy@244fd47`; other URIs as they are."""
    purl = read_purl(uri)
    return purl.name if purl else uri


# What all of them share


def _vulnerability(
    identifier: str,
    severities: Iterable[str],
    *,
    name: str = "",
    version: str = "",
    purl: str = "",
    fixed: str | None = "",
    published: str = "",
    aliases: Iterable[str] = (),
) -> Vulnerability:
    known = read_purl(purl)
    return Vulnerability(
        id=identifier,
        severity=min(map(severity_of, severities), key=SEVERITIES.index, default="unknown"),
        package=known.package if known else name,
        version=version or (known.version if known else ""),
        purl=purl,
        fixed=fixed,
        published=published,
        aliases=tuple(aliases),
    )


def severity_of(text: str) -> str:
    """One of `SEVERITIES`: of a word, or of a number of CVSS."""
    word = text.strip().lower()
    if word in _WORDS:
        return _WORDS[word]
    try:
        score = float(word)
    except ValueError:
        return "unknown"
    for least, severity in ((9.0, "critical"), (7.0, "high"), (4.0, "medium"), (0.1, "low")):
        if score >= least:
            return severity
    return "unknown"


_WORDS = {severity: severity for severity in SEVERITIES} | {
    "important": "high",
    "moderate": "medium",
    "minor": "low",
}


def _scan(
    format_: str,
    *,
    scanner: str,
    scanner_version: str,
    found: Sequence[Vulnerability],
    listed: Sequence[tuple[str, str, str]] | None,
    scanned: str,
    database_version: str = "",
    database_updated: str = "",
    ignored: int = 0,
) -> Scan:
    """`listed` are purl, name and version of each package that was looked at."""
    if len(found) > MAX_FINDINGS or len(listed or ()) > MAX_FINDINGS:
        raise InputError(f"the report has more than {MAX_FINDINGS} vulnerabilities or packages")
    packages: dict[str, dict[str, None]] = {}
    ai: set[str] = set()
    for purl, name, version in listed or ():
        known = read_purl(purl)
        key = (known.package if known else name).lower()
        packages.setdefault(key, {})[version or (known.version if known else "")] = None
        if is_ai_package(known, name):
            ai.add(key)
    for each in found:
        if is_ai_package(read_purl(each.purl), each.package):
            ai.add(each.package.lower())
            packages.setdefault(each.package.lower(), {})[each.version] = None
    return Scan(
        format=format_,
        scanner=scanner,
        scanner_version=scanner_version,
        database_version=database_version,
        database_updated=database_updated,
        scanned=scanned,
        vulnerabilities=found,
        packages=None if listed is None else {key: sorted(versions) for key, versions in packages.items()},
        ai_packages={key: sorted(packages[key]) for key in sorted(ai)},
        ignored=ignored,
    )


_REPORTS: Sequence[tuple[Callable[[Mapping[str, Any]], bool], Callable[[Any], Scan]]] = (
    (_is_trivy, read_trivy),
    (_is_grype, read_grype),
    (_is_sarif, read_sarif),
)
