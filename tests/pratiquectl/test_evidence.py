"""`pratique evidence`, as people call it: a real registry, the real cosign."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from pratiquectl import evidence as module
from pratiquectl.__main__ import main
from tests.support.approvals import GRACE, private_pem, public_pem
from tests.support.cluster import REPOSITORY
from tests.support.cosign import PLAIN_HTTP, Cosign, Key
from tests.support.oci_registry import PASSWORD, USER, Running, serve

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def registry() -> Iterator[Running]:
    with serve() as running:
        yield running


@pytest.fixture(scope="module")
def cosign(tmp_path_factory: pytest.TempPathFactory) -> Cosign:
    return Cosign(tmp_path_factory.mktemp("cosign"))


@pytest.fixture(scope="module")
def key(cosign: Cosign) -> Key:
    return cosign.key()


@pytest.fixture
def config(tmp_path: Path, registry: Running, key: Key) -> Path:
    return configured(tmp_path, registry, key)


def signer(name: str, key: Path) -> dict[str, Any]:
    return {"name": name, "keys": [{"name": "release", "file": str(key)}]}


def configured(folder: Path, registry: Running, key: Key, **more: Any) -> Path:
    file = folder / "evidence.yaml"
    spec = {
        "registries": [{"host": registry.host, "plainHTTP": True}],
        "signers": [signer("platform", key.public)],
        **more,
    }
    file.write_text(yaml.safe_dump({"apiVersion": "pratique.dev/v1alpha1", "kind": "EvidenceConfig", "spec": spec}))
    return file


def evidence(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    code = main(["evidence", *map(str, arguments)])
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return code, out, err


def pushed(registry: Running, name: str) -> str:
    image = registry.repository(f"team/{name}").image("1", content=name.encode())
    return f"{registry.host}/team/{name}@{image.digest}"


def manifest(folder: Path, *images: str) -> Path:
    file = folder / "pod.yaml"
    containers = [{"name": f"c{index}", "image": image} for index, image in enumerate(images)]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": containers}}
    file.write_text(yaml.safe_dump(pod))
    return file


def binding(folder: Path, policy: str) -> Path:
    file = folder / "bindings" / "binding.yaml"
    file.parent.mkdir()
    head = {"apiVersion": "pratique.dev/v1alpha1", "kind": "PolicyBinding", "metadata": {"name": "signed"}}
    file.write_text(yaml.safe_dump({**head, "spec": {"policy": policy, "match": {"kinds": ["workload"]}}}))
    return file.parent


def test_show_says_what_counts_and_why_not(
    capsys: pytest.CaptureFixture[str], registry: Running, cosign: Cosign, key: Key, config: Path, tmp_path: Path
) -> None:
    reference = pushed(registry, "shown")
    code, out, _ = evidence(capsys, "show", reference, "--evidence-config", config)
    assert (code, out.splitlines()[2:]) == (0, ["  signed by nobody who counts", "  nothing hangs on it"])
    cosign.sign(reference, key)
    cosign.sign(reference, cosign.key("stranger"))
    (tmp_path / "note").write_text('{"a note": 1}')
    cosign.attest(reference, key, kind="https://example.com/note", predicate=tmp_path / "note")
    code, out, _ = evidence(capsys, "show", reference, "--evidence-config", config)
    assert code == 0
    lines = [line.strip() for line in out.splitlines()]
    assert lines[:3] == [reference, f"digest {reference.partition('@')[2]}", "signed by platform"]
    assert any(
        line.startswith("✓ https://sigstore.dev/cosign/sign/v1 signed by platform (key sha256:") for line in lines
    )
    assert any(line.startswith("✗ unknown-key: the signature is by none of the 1 keys") for line in lines)
    assert any(line.startswith("✓ https://example.com/note signed by platform") for line in lines)
    code, out, _ = evidence(capsys, "show", reference, "--evidence-config", config, "-o", "json")
    document = json.loads(out)
    assert document["facts"]["signatures"]["signers"] == ["platform"]
    results = sorted(outcome["result"] for piece in document["pieces"] for outcome in piece["outcomes"])
    assert results == ["refused", "verified", "verified"]


def test_show_without_a_configuration_trusts_nobody(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _, err = evidence(capsys, "show", "127.0.0.1:1/team/app:1")
    assert code == 2
    assert err.startswith("pratique: ")
    assert "127.0.0.1:1" in err
    code, _, err = evidence(capsys, "show", "Not An Image")
    assert (code, "is not an image reference" in err) == (2, True)


def test_prefetch_keeps_and_names_what_cannot_be_read(
    capsys: pytest.CaptureFixture[str], registry: Running, cosign: Cosign, key: Key, config: Path, tmp_path: Path
) -> None:
    signed, gone = pushed(registry, "ahead"), f"{registry.host}/team/nowhere:1"
    cosign.sign(signed, key)
    state = tmp_path / "state"
    where = ("--evidence-config", config, "--state", state)
    code, out, err = evidence(capsys, "prefetch", manifest(tmp_path, signed), *where)
    assert (code, err) == (0, "")
    assert out == f"{signed}: signatures (no sbom, vulnerabilities, provenance)\n"
    assert (state / "evidence.sqlite3").exists()
    code, out, err = evidence(capsys, "prefetch", manifest(tmp_path, signed, gone), *where)
    assert (code, out.count("\n")) == (2, 1)
    assert err.startswith(f"pratique: {gone}: ")


def test_evidence_is_exported_and_judged_elsewhere(
    capsys: pytest.CaptureFixture[str],
    registry: Running,
    cosign: Cosign,
    key: Key,
    config: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signed, unsigned = pushed(registry, "there"), pushed(registry, "there-unsigned")
    cosign.sign(signed, key)
    file = tmp_path / "evidence.json"
    code, _, err = evidence(capsys, "export", signed, unsigned, "-f", file, "--evidence-config", config)
    assert (code, err) == (0, f"{file}: 1 pieces of evidence about 2 images\n")
    offline = config.read_text().replace(registry.host, "registry.invalid")
    config.write_text(offline)
    bindings = binding(tmp_path, "image/signed")

    def check(*more: str | Path) -> tuple[int, str]:
        options: Sequence[str | Path] = ("--config", bindings, "--policies", "policies", "-o", "json", *more)
        code = main(["check", str(manifest(tmp_path, *images)), *map(str, options)])
        return code, capsys.readouterr().out

    images = [signed]
    assert check("--evidence", file, "--evidence-config", config)[0] == 0
    images = [signed, unsigned]
    code, out = check("--evidence", file, "--evidence-config", config)
    assert (code, "is not signed" in out) == (1, True)
    images = [f"{registry.host}/team/else@sha256:{'a' * 64}"]
    code, out = check("--evidence", file, "--evidence-config", config)
    assert (code, "says nothing of" in out) == (2, True)
    assert main(["check", str(manifest(tmp_path, signed)), "--evidence", str(file)]) == 2
    assert "name that with --evidence-config" in capsys.readouterr().err


def test_imports_are_joined(
    capsys: pytest.CaptureFixture[str], registry: Running, config: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    for name in ("one", "two"):
        file = tmp_path / f"{name}.json"
        assert evidence(capsys, "export", pushed(registry, name), "-f", file, "--evidence-config", config)[0] == 0
        assert evidence(capsys, "import", file, "--state", state)[0] == 0
    kept = json.loads((state / "imported-evidence.json").read_text())
    assert [image["repository"] for image in kept["images"]] == ["team/one", "team/two"]
    broken = tmp_path / "broken.json"
    broken.write_text('{"format": "pratique.dev/evidence/v1"}')
    code, _, err = evidence(capsys, "import", broken, "--state", state)
    assert (code, "images" in err) == (2, True)
    assert json.loads((state / "imported-evidence.json").read_text()) == kept


def test_export_is_all_or_nothing(
    capsys: pytest.CaptureFixture[str], registry: Running, config: Path, tmp_path: Path
) -> None:
    file = tmp_path / "evidence.json"
    good, gone = pushed(registry, "half"), f"{registry.host}/team/nowhere:1"
    code, _, err = evidence(capsys, "export", good, gone, "-f", file, "--evidence-config", config)
    assert (code, file.exists()) == (2, False)
    assert err.splitlines()[-1] == f"pratique: {file} was not written, because 1 images could not be read"


def test_our_decision_is_evidence_that_cosign_verifies(
    capsys: pytest.CaptureFixture[str], registry: Running, cosign: Cosign, key: Key, config: Path, tmp_path: Path
) -> None:
    reference = pushed(registry, "attested")
    private, public, bundle = tmp_path / "grace.pem", tmp_path / "grace.pub", tmp_path / "decision.json"
    private.write_bytes(private_pem(GRACE.key))
    public.write_text(public_pem(GRACE.key))
    bindings = binding(tmp_path, "image/signed")
    what = ("attest", reference, "--key", private, "-f", bundle, "--config", bindings, "--policies", "policies")
    code, _, err = evidence(capsys, *what, "--evidence-config", config)
    assert (code, bundle.exists()) == (2, False)
    assert "nothing passed in decision" in err
    cosign.sign(reference, key)
    document = yaml.safe_load(config.read_text())
    document["spec"]["signers"][0]["keys"][0]["validUntil"] = "2050-01-01T00:00:00Z"
    config.write_text(yaml.safe_dump(document))
    code, _, err = evidence(capsys, *what, "--evidence-config", config, "--now", "2050-01-02T00:00:00Z")
    assert (code, "nothing passed in decision" in err) == (2, True)
    code, _, err = evidence(capsys, *what, "--evidence-config", config)
    assert code == 0
    assert err.startswith(f"{bundle}: PRATIQUE_ALLOWED, PRATIQUE_IMAGE-013 about team/attested@sha256:")
    digest = reference.partition("@")[2]
    assert main(["verify-bundle", "--bundle", str(bundle), "--key", str(public), digest]) == 0
    capsys.readouterr()
    cosign.do(
        *("verify-blob-attestation", f"--key={public}", f"--bundle={bundle}", "--insecure-ignore-tlog=true"),
        *("--type=https://in-toto.io/attestation/svr/v0.1", f"--digest={digest.removeprefix('sha256:')}"),
        "--digestAlg=sha256",
    )


@pytest.mark.parametrize("referrers", [True, False], ids=["referrers", "fallback tag"])
def test_our_decision_hangs_on_the_image_where_others_find_it(
    capsys: pytest.CaptureFixture[str], cosign: Cosign, key: Key, tmp_path: Path, referrers: bool
) -> None:
    private, public = tmp_path / "grace.pem", tmp_path / "grace.pub"
    private.write_bytes(private_pem(GRACE.key))
    public.write_text(public_pem(GRACE.key))
    what = ("--key", private, "--push", "--config", binding(tmp_path, "image/signed"), "--policies", "policies")
    with serve(login=(USER, PASSWORD), referrers=referrers) as locked:
        repository = locked.repository("team/attested")
        digest = repository.image("1").digest
        docker = cosign.folder / ".docker" / "config.json"
        docker.parent.mkdir(exist_ok=True)
        secret = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        docker.write_text(json.dumps({"auths": {locked.host: {"auth": secret}}}))
        signers = [signer("platform", key.public), signer("grace", public)]
        config = configured(tmp_path, locked, key, credentials={"dockerConfig": str(docker)}, signers=signers)
        reference = f"{locked.host}/team/attested@{digest}"
        cosign.sign(reference, key)
        for _ in range(2):
            code, _, err = evidence(capsys, "attest", reference, *what, "--evidence-config", config)
            assert code == 0
            assert "PRATIQUE_ALLOWED, PRATIQUE_IMAGE-013 about team/attested@sha256:" in err
        code, out, _ = evidence(capsys, "show", reference, "--evidence-config", config, "-o", "json")
        svr = "https://in-toto.io/attestation/svr/v0.1"
        assert (code, out.count(f'"predicate_type": "{svr}"')) == (0, 2)
        cosign.do(
            *("verify-attestation", f"--key={public}", f"--type={svr}", "--insecure-ignore-tlog=true"),
            *(PLAIN_HTTP, reference),
        )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            (),
            "pratique: say where the bundle goes: into a file with -f, to the image's registry with --push, or both\n",
        ),
        (("--push", "--evidence-config", "evidence.yaml"), "registry.internal is none of the registries that the"),
    ],
)
def test_where_a_decision_cannot_go(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    registry: Running,
    key: Key,
    options: Sequence[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    configured(tmp_path, registry, key, allowedRegistries=["*.example"])
    (tmp_path / "grace.pem").write_bytes(private_pem(GRACE.key))
    reference = f"registry.internal/team/app@sha256:{'0' * 64}"
    what = ("attest", reference, "--key", "grace.pem", "--config", binding(tmp_path, "image/digest"))
    code, _, err = evidence(capsys, *what, "--policies", REPOSITORY / "policies", *options)
    assert code == 2
    assert said in err


def test_a_decision_is_about_the_digest_that_was_judged(
    capsys: pytest.CaptureFixture[str],
    registry: Running,
    cosign: Cosign,
    key: Key,
    config: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever can push lets the tag lead to a signed image just while it is judged."""
    tag = pushed(registry, "moving").partition("@")[0] + ":1"
    real = module._resolved

    async def resolved(*arguments: Any) -> Any:
        found = await real(*arguments)
        good = registry.repository("team/moving").image("1", content=b"signed")
        cosign.sign(f"{registry.host}/team/moving@{good.digest}", key)
        return found

    monkeypatch.setattr(module, "_resolved", resolved)
    private, bundle = tmp_path / "grace.pem", tmp_path / "decision.json"
    private.write_bytes(private_pem(GRACE.key))
    bindings = binding(tmp_path, "image/signed")
    what = ("attest", tag, "--key", private, "-f", bundle, "--config", bindings, "--policies", "policies")
    code, _, err = evidence(capsys, *what, "--evidence-config", config)
    assert (code, bundle.exists(), "nothing passed in decision" in err) == (2, False, True)
    code, _, err = evidence(capsys, *what, "--evidence-config", config)
    assert (code, bundle.exists()) == (0, True)
    manifest(tmp_path, tag, tag)
    code, _, err = evidence(capsys, *what, "--evidence-config", config, "--manifest", tmp_path / "pod.yaml")
    assert code == 0
