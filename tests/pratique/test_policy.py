"""Loading a bundle: what counts, its digest, and every way in which an annotation can be wrong."""

from __future__ import annotations

import gzip
import io
import subprocess
import tarfile
from hashlib import sha256
from pathlib import Path

import pytest

from pratique import policy as policy_module
from pratique.decision import Severity
from pratique.errors import PolicyError, Problem
from pratique.fields import Reads
from pratique.policy import PolicyMetadata, PolicySet
from tests.support.bundles import ALWAYS, OPA, ROOT, rego, write_bundle

GPU_LIMIT = """# A comment above does no harm.

# METADATA
# title: GPUs stay within the approved limit
# description: >-
#   An unreviewed request can drain a budget
#   in a weekend.
# scope: package
# related_resources:
#   - ref: https://example.com/gpus
#     description: how to
#   - https://example.com/more
# custom:
#   id: GPU-001
#   severity: critical
#   subjects: [workload, resource]
#   needs: [user, facts.registry]
#   reads: {container: [env, resources]}
#   parameters:
#     max_gpus: {type: integer, minimum: 0, default: 4}
#     teams: {type: array, items: {type: string}}
#   remediation: Ask for fewer.
#   controls: {nist-800-53-r5: [SC-6]}
package policies.gpu.hard_limit

violations contains {"message": "m", "path": ""} if input.subject.kind == "Pod"

patches contains {"op": "remove", "path": "/spec"} if false
"""


def problems_of(root: Path) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        PolicySet.load(root)
    return [str(problem) for problem in caught.value.problems]


def tarball(path: Path, files: dict[str, bytes | tarfile.TarInfo]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
            else:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return path


def test_everything_of_the_annotation_is_read(tmp_path: Path) -> None:
    loaded = PolicySet.load(write_bundle(tmp_path, {"gpu/hard-limit/hard-limit.rego": GPU_LIMIT}))
    assert loaded.policies == {
        "gpu/hard-limit": PolicyMetadata(
            name="gpu/hard-limit",
            id="GPU-001",
            title="GPUs stay within the approved limit",
            description="An unreviewed request can drain a budget in a weekend.",
            severity=Severity.CRITICAL,
            subjects=frozenset({"workload", "resource"}),
            needs=frozenset({"user", "facts.registry"}),
            parameters={
                "max_gpus": {"type": "integer", "minimum": 0, "default": 4},
                "teams": {"type": "array", "items": {"type": "string"}},
            },
            remediation="Ask for fewer.",
            controls={"nist-800-53-r5": ["SC-6"]},
            references=("https://example.com/gpus", "https://example.com/more"),
            file="gpu/hard-limit/hard-limit.rego",
            line=24,
            has_patches=True,
            reads=Reads(container=frozenset({"env", "resources"})),
        )
    }
    assert loaded.policies["gpu/hard-limit"].defaults == {"max_gpus": 4}


def test_what_counts_and_in_which_order(tmp_path: Path) -> None:
    root = write_bundle(
        tmp_path,
        {
            "test/sample/sample.rego": rego(ALWAYS),
            "test/sample/sample_test.rego": "package policies.test.sample_test\n",
            "lib/values.rego": "package lib.values\n",
            "lib/deep/more.rego": "package lib.deep.more\n",
            "data.yaml": "sizes: {small: 1}\n",
            "prices/data.json": '{"h100": 2.5}',
            "bindings/baseline.yaml": "not: read",
            "schemas/input.json": "{",
            ".hidden/x.rego": "nonsense",
            "README.md": "text",
        },
    )
    loaded = PolicySet.load(root)
    assert [(module.path, module.package) for module in loaded.modules] == [
        ("lib/deep/more.rego", "lib.deep.more"),
        ("lib/values.rego", "lib.values"),
        ("test/sample/sample.rego", "policies.test.sample"),
    ]
    assert loaded.data == {"sizes": {"small": 1}, "prices": {"h100": 2.5}}


def test_the_digest_is_of_the_content_alone(tmp_path: Path) -> None:
    files = {"test/sample/sample.rego": rego(ALWAYS), "lib/a.rego": "package lib.a\n", "data.json": '{"a": 1, "b": 2}'}
    plain = PolicySet.load(write_bundle(tmp_path / "plain", files))
    listing = "".join(
        f"{sha256(text.encode()).hexdigest()}  {len(text.encode())}  {path}\n"
        for path, text in sorted({**files, "data.json": '{"a":1,"b":2}'}.items())
    )
    assert plain.digest == "sha256:" + sha256(listing.encode()).hexdigest()

    windows = tmp_path / "windows"
    for path, text in files.items():
        (windows / path).parent.mkdir(parents=True, exist_ok=True)
        (windows / path).write_bytes(
            text.replace("\n", "\r\n").encode("utf-8-sig" if path.endswith("rego") else "utf-8")
        )
    reordered = write_bundle(tmp_path / "reordered", {**files, "data.json": "", "data.yaml": "b: 2\na: 1\n"})
    (reordered / "data.json").unlink()
    packed = tarball(
        tmp_path / "b.tar.gz", {f"/policies/{path}": text.encode() for path, text in reversed(files.items())}
    )
    assert {PolicySet.load(path).digest for path in (windows, reordered, packed)} == {plain.digest}

    changed = PolicySet.load(write_bundle(tmp_path / "changed", {**files, "lib/a.rego": "package lib.a\n\n"}))
    other_data = PolicySet.load(write_bundle(tmp_path / "data", {**files, "data.json": '{"a": 1, "b": 3}'}))
    assert len({plain.digest, changed.digest, other_data.digest}) == 3


@pytest.mark.parametrize("bundle_mode", [[], ["-b"]])
def test_a_bundle_that_opa_built_has_the_digest_of_its_formatted_folder(tmp_path: Path, bundle_mode: list[str]) -> None:
    files = {
        "test/sample/sample.rego": rego(ALWAYS),
        "lib/a.rego": "package lib.a\n\nx := 1\n",
        "data.json": '{"k": "é"}',
    }
    write_bundle(tmp_path / "policies", files)
    target = tmp_path / "bundle.tar.gz"
    subprocess.run([OPA, "build", *bundle_mode, "-o", target, "policies"], cwd=tmp_path, check=True)
    assert PolicySet.load(target) == PolicySet.load(tmp_path / "policies")


def test_the_policies_of_this_repository_load() -> None:
    loaded = PolicySet.load(ROOT / "policies")
    assert loaded.policies["gpu/limit"].id == "GPU-001"
    assert all(name == metadata.name for name, metadata in loaded.policies.items())


_OTHER = "test/other/other.rego"
_LIBRARIES = {
    "lib/near.rego": "package lib.near\n\nimport data.lib.far.away\n\nx := away.x\n",
    "lib/far/away.rego": "package lib.far.away\n\nx := 1\n",
    "lib/odd.rego": 'package lib["o-d"]\n\nx := 1\n',
    "lib/none.rego": "package lib.none\n\nx := 1\n",
}


def _two(root: Path, body: str) -> PolicySet:
    other = rego(ALWAYS, package="policies.test.other", id="TEST-002")
    data = '{"places": {"policies": 1}}'
    files = {"test/sample/sample.rego": rego(body), _OTHER: other, "data.json": data, **_LIBRARIES}
    return PolicySet.load(write_bundle(root, files))


@pytest.mark.parametrize(
    ("body", "libraries"),
    [
        (ALWAYS, []),
        ('x := "data.policies.test.other"', []),
        ("x := input.data", []),
        ("x := data.places.policies", []),
        ("# data.lib.none\nx := data.lib.near.x", ["lib/far/away.rego", "lib/near.rego"]),
        ("import data.lib.far.away", ["lib/far/away.rego"]),
        ("x := data.lib.far", ["lib/far/away.rego"]),
        ('x := data.lib["o-d"].x', sorted(_LIBRARIES)),
        ("x := data.lib", sorted(_LIBRARIES)),
    ],
)
def test_a_part_holds_what_is_asked_and_the_libraries_that_it_reaches(
    tmp_path: Path, body: str, libraries: list[str]
) -> None:
    whole = _two(tmp_path, body)
    part = whole.only({"test/sample", "test/unknown"})
    assert [module.path for module in part.modules] == [*libraries, "test/sample/sample.rego"]
    assert list(part.policies) == ["test/sample"]
    assert (part.digest, part.data) == (whole.digest, whole.data)
    assert [module.path for module in whole.only({"test/other"}).modules] == [_OTHER]
    assert whole.only(set()).modules == ()


@pytest.mark.parametrize(
    "body",
    [
        "x := data.policies.test.other.violations",
        'x := data["policies"]',
        "x := [y | y := data]",
        "import data.policies as p",
        "x := data . policies.test",
    ],
)
def test_policies_that_may_refer_to_each_other_stay_together(tmp_path: Path, body: str) -> None:
    whole = _two(tmp_path, body)
    assert whole.only({"test/sample"}) is whole
    assert whole.only({"test/other"}) is whole


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("# scope: package", "# scope: rule", ["line 4: scope must be `package`; write `scope: package`"]),
        ("# title: A sample", "# titel: A sample", [
            "line 2: unknown key `titel`; known are authors, custom, description, organizations, related_resources, "
            "schemas, scope, title",
            "line 2: title is missing; write `title: ...`",
        ]),
        ("#   severity: high", "#   severity: hihg", [
            "line 7: unknown severity `hihg`; use one of low, medium, high, critical"
        ]),
        ("#   subjects: [workload]",
         "#   subjects: [pod]", ["line 8: unknown subject `pod`; use one of call, resource, workload"]),
        ("#   subjects: [workload]",
         "#   subjects: []", ["line 8: custom.subjects is missing or empty; name at least one"]),
        ("#   needs: []", "#   needs: [user, clock]", [
            "line 9: unknown need `clock`; use one of identity, namespace, now, object, old, user, facts.<source>"
        ]),
        ("#   needs: []", "#   reads: [env]", [
            "line 9: reads maps pod and container to their fields; write `reads: {container: [env]}`"
        ]),
        ("#   needs: []", "#   reads:", [
            "line 9: reads maps pod and container to their fields; write `reads: {container: [env]}`"
        ]),
        ("#   needs: []", "#   reads: {pods: [os]}", [
            "line 9: unknown key `custom.reads.pods`; known are container, pod"
        ]),
        ("#   needs: []", "#   reads:\n#     pod: [os]\n#     container: [env, volume, image]", [
            "line 11: unknown field `volume` of a container; use one that is listed in pratique/fields.py",
            "line 11: unknown field `image` of a container; use one that is listed in pratique/fields.py",
        ]),
        ("#   id: TEST-001", "#   id: test-1", [
            "line 6: the id `test-1` is not like `GPU-001`; use capitals, a hyphen and three digits"
        ]),
        ("#   id: TEST-001", "#   owner: me", [
            "line 6: unknown key `custom.owner`; known are "
            "controls, id, needs, override, parameters, reads, remediation, severity, subjects",
            "line 5: custom.id is missing; write `id: ...`",
        ]),
        ("#   remediation: Change it.", "#   override: yes please\n#   remediation: x", [
            "line 10: override is neither true nor false"
        ]),
        ("#   remediation: Change it.", "#   override: true\n#   remediation: x", [
            "line 10: override is for policies with `patches`; write them, or remove it"
        ]),
        ("#   remediation: Change it.", "#   controls: [SC-6]\n#   remediation: x", [
            "line 10: controls maps each framework to its controls; write `nist-800-53-r5: [SC-6]`"
        ]),
        ("#   remediation: Change it.", "#   remediation: [x", [
            "line 10: is not YAML: expected ',' or ']', but got '<stream end>'"
        ]),
        ("#   remediation: Change it.", "#   remediation: x\n#   remediation: y", [
            "line 11: the key `remediation` stands here twice; remove one"
        ]),
        ("#   remediation: Change it.", "#   remediation: &a x\n#   controls: {k: [*a]}", [
            "line 10: a YAML alias; write the value out"
        ]),
        ("#   remediation: Change it.", "#   remediation: 2026-01-01", [
            "line 10: `2026-01-01` is no JSON value; quote it"
        ]),
        ("# METADATA\n", "", ["line 10: has no METADATA comment before its package; write one with `scope: package`"]),
        ("# METADATA\n",
         "# METADATA\n# METADATA\n", ["line 12: has two METADATA comments before its package; keep one"]),
        ("package policies.test.sample", "package policies.test.other", [
            "line 11: package policies.test.other is not that of its folder; write `package policies.test.sample`"
        ]),
        ("package policies.test.sample",
         "", ["line 1: does not begin with a package; write `package policies.<area>.<policy>`"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_at_its_line(tmp_path: Path, old: str, new: str, expected: list[str]) -> None:
    text = rego(ALWAYS)
    assert old in text
    root = write_bundle(tmp_path, {"test/sample/sample.rego": text.replace(old, new)})
    assert problems_of(root) == [f"test/sample/sample.rego: {problem}" for problem in expected]


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ("{type: integer, default: x}", 'the default of `limit` fails its own schema: "x" is not of type "integer"'),
        ("{type: integer, minimun: 3}",
         "the schema of `limit` has the unknown keyword `minimun`; correct or remove it"),
        ("{minimum: 3}", "the parameter `limit` has no JSON Schema with a type; write `{type: integer}`, say"),
        ("{type: array, items: {type: string, patern: a}}",
         "the schema of `limit` has the unknown keyword `patern`; correct or remove it"),
        ("{type: string, $ref: 'https://example.com/x'}",
         "the schema of `limit` has the unknown keyword `$ref`; correct or remove it"),
        ("{type: integer, additive: true}",
         "only a list adds up; write `additive: true` with `type: array`, or remove it"),
        ("{type: array, additive: 1}", "only a list adds up; write `additive: true` with `type: array`, or remove it"),
        ("{type: array, additive: false}",
         "only a list adds up; write `additive: true` with `type: array`, or remove it"),
    ],
)  # fmt: skip
def test_a_parameter_is_a_json_schema_with_a_default_that_fits(tmp_path: Path, schema: str, expected: str) -> None:
    text = rego(ALWAYS).replace("#   remediation", f"#   parameters:\n#     limit: {schema}\n#   remediation")
    problems = problems_of(write_bundle(tmp_path, {"test/sample/sample.rego": text}))
    assert problems == [f"test/sample/sample.rego: line 11: {expected}"]


def test_all_problems_come_together(tmp_path: Path) -> None:
    root = write_bundle(
        tmp_path,
        {
            "test/one/one.rego": rego(ALWAYS, package="policies.test.one"),
            "test/two/two.rego": rego(ALWAYS, package="policies.test.two"),
            "test/three/other.rego": rego(ALWAYS, package="policies.test.three", id="TEST-003"),
            "test/Four/Four.rego": rego(ALWAYS, package="policies.test.Four", id="TEST-004"),
            "lib/a.rego": "package lib.a\n",
            "lib/b.rego": "package lib.a\n",
            "lib/c.rego": "package policies.c\n",
            "data.json": "[1]",
            "policies/data.json": "{",
            "x/data.json": '{"a": 1}',
            "data.yaml": "x: 2\nlib: {}\n",
        },
    )
    advice = "a policy lies at <area>/<policy>/<policy>.rego, and shared rules lie in lib/; move the file"
    assert problems_of(root) == [
        "data.json: is in the bundle twice; remove one",
        "lib/b.rego: line 1: lib.a is defined by lib/a.rego too; keep one file for each package",
        "lib/c.rego: line 1: package policies.c is not below `lib`; write `package lib.c`",
        "test/Four/Four.rego: line 11: an area and a policy are named with a-z, 0-9 and `-`; rename the folder",
        f"test/three/other.rego: line 11: {advice}",
        "test/two/two.rego: line 11: the id TEST-001 is that of test/one/one.rego too; ids are never reused, "
        "take the next free one",
        "data.json: line 1: is not an object; write keys and values",
        "data.yaml: data.lib is where modules are; use another key",
        "x/data.json: data.x is set by another data file too; set it once",
    ]


def test_an_empty_set_is_no_success(tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as caught:
        PolicySet.load(write_bundle(tmp_path, {"lib/a.rego": "package lib.a\n"}))
    message = "there is no policy in it; put each at <area>/<policy>/<policy>.rego"
    assert caught.value.problems == (Problem(str(tmp_path), "", message),)
    assert problems_of(tmp_path / "nowhere.tar.gz") == [f"{tmp_path}/nowhere.tar.gz: there is no such file or folder"]


def test_a_folder_behind_a_link_is_not_left_out_in_silence(tmp_path: Path) -> None:
    root = write_bundle(tmp_path / "root", {"test/sample/sample.rego": rego(ALWAYS)})
    write_bundle(tmp_path / "elsewhere", {"x/x.rego": "package policies.far.x\n"})
    (root / "far").symlink_to(tmp_path / "elsewhere")
    assert problems_of(root) == ["far: a folder that is a symbolic link is not followed; put the folder itself here"]


def test_a_tarball_holds_files_below_its_root_only(tmp_path: Path) -> None:
    link, device = tarfile.TarInfo("test/link.rego"), tarfile.TarInfo("test/device.rego")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    device.type = tarfile.CHRTYPE
    path = tarball(
        tmp_path / "b.tar.gz",
        {
            "test/sample/sample.rego": rego(ALWAYS).encode(),
            "../outside.rego": b"package x",
            "a\\b.rego": b"package x",
            "link": link,
            "device": device,
            ".manifest": b'{"rego_version": 0}',
            "lib/latin.rego": "package lib.é".encode("latin-1"),
        },
    )
    advice = "the path leaves the bundle; pack the bundle again with `opa build -b`"
    assert problems_of(path) == [
        f"../outside.rego: {advice}",
        f"a\\b.rego: {advice}",
        "test/link.rego: is a link or a device; a bundle holds files only",
        "test/device.rego: is a link or a device; a bundle holds files only",
        ".manifest: rego_version is 0; build the bundle with `opa build --v1-compatible`",
        "lib/latin.rego: byte 12: is not UTF-8; save the file as UTF-8",
    ]


def test_bombs_and_rubbish_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = tmp_path / "bomb.tar.gz"
    bomb.write_bytes(gzip.compress(bytes(policy_module.MAX_BUNDLE_BYTES + 1)))
    assert "holds more than 5000 files or 33554432 bytes" in problems_of(bomb)[0]

    many = tarball(tmp_path / "many.tar.gz", {f"f{number}": b"" for number in range(5001)})
    assert "holds more than 5000 files" in problems_of(many)[0]

    rubbish = tmp_path / "rubbish.tar.gz"
    rubbish.write_bytes(b"PK\x03\x04")
    assert problems_of(rubbish) == [f"{rubbish}: cannot be read: Not a gzipped file (b'PK')"]
    rubbish.write_bytes(gzip.compress(b"no tar")[:-4])
    assert "is not a whole gzipped tarball" in problems_of(rubbish)[0]

    monkeypatch.setattr(policy_module, "MAX_FILE_BYTES", 100)
    large = write_bundle(tmp_path / "large", {"test/sample/sample.rego": rego(ALWAYS)})
    assert problems_of(large) == ["test/sample/sample.rego: is larger than 100 bytes; split it"]


def test_a_deep_or_endless_annotation_is_refused(tmp_path: Path) -> None:
    deep = rego(ALWAYS).replace("Change it.", "[" * 40 + "]" * 40)
    assert problems_of(write_bundle(tmp_path, {"test/sample/sample.rego": deep})) == [
        "test/sample/sample.rego: line 10: nested deeper than 30; flatten it"
    ]
    deeper = rego(ALWAYS).replace("Change it.", "[" * 4000 + "]" * 4000)
    [problem] = problems_of(write_bundle(tmp_path, {"test/sample/sample.rego": deeper}))
    assert problem.startswith("test/sample/sample.rego: line 2: is not YAML: maximum recursion depth exceeded")
