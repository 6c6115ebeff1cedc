"""`pratique waiver`: from a request to a signature that counts at `pratique check`, with the real policies."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from attestations.signers import agent_signers, signer_of
from pratique.decision import Result
from pratique.errors import ConfigError, EvidenceUnavailable
from pratique.keys import verify
from pratique.ledger import DATABASE_NAME, Ledger
from pratiquectl.__main__ import main
from tests.support import workloads
from tests.support.approvals import (
    GRACE,
    Someone,
    approval,
    approvers,
    ecdsa,
    ed25519,
    openssh_public,
    private_pem,
    request,
    write_approval,
)
from tests.support.decisions import decision, evaluation
from tests.support.policies import binding

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[2]
NOW = ("--now", "2026-11-21T08:00:00Z")
BEN = Someone("ben@example.com", ed25519(3), policies=("gpu/*",))


class Place:
    """A folder with a binding, an approver list, and the keys of Grace and Ben."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self.config, self.approvers = root, root / "config", root / "approvers.yaml"
        self._capsys = capsys
        self.config.mkdir()
        self.write(self.config / "bindings.yaml", binding("gpu-limit", "gpu/limit"))
        self.write(self.approvers, approvers(GRACE.entry, BEN.entry))
        self.grace, self.ben = root / "grace.pem", root / "ben.pem"
        self.grace.write_bytes(private_pem(GRACE.key))
        self.ben.write_bytes(private_pem(BEN.key))
        self.waiver = self.config / "w.yaml"

    def write(self, path: Path, *documents: object) -> Path:
        path.write_text(yaml.dump_all(documents, Dumper=yaml.CSafeDumper))
        return path

    def run(self, *arguments: str | Path) -> tuple[int, str, str]:
        code = main([*map(str, arguments), "--policies", str(REPOSITORY / "policies")])
        captured = self._capsys.readouterr()
        return code, captured.out, captured.err

    def new(self, *more: str | Path, name: str = "w") -> tuple[int, str, str]:
        return self.run(
            *("waiver", "new", "--name", name, "--policy", "GPU-001", "--reason", "agreed on", "--out", self.waiver),
            *("--requested-by", "ada@example.com", *NOW, *more),
        )

    def approve(self, *more: str | Path, key: Path | None = None) -> tuple[int, str, str]:
        keys: tuple[str | Path, ...] = ("--key", key or self.grace) if "--ssh-agent" not in more else ()
        trusted = ("--approvers", self.approvers)
        return self.run("waiver", "approve", self.waiver, *keys, *trusted, *NOW, *more)

    def list(self, what: str, *more: str | Path) -> tuple[int, str, str]:
        options = ("--config", self.config, "--approvers", self.approvers, *NOW)
        state = () if what == "check" else ("--state", self.root / "state")
        return self.run("waiver", what, *options, *state, *more)

    def judged(self, gpus: int = 8) -> int:
        manifest = workloads.pod("bad", namespace="team-a", faults=(workloads.Fault.GPUS,))
        manifest["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] = gpus
        file = self.write(self.root / "pod.yaml", manifest)
        options = ("--config", self.config, "--approvers", self.approvers, "--engine", "regopy", *NOW)
        return self.run("check", file, *options)[0]


@pytest.fixture
def place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Place:
    return Place(tmp_path, capsys)


# From a request to a signature that counts


def test_a_waiver_counts_once_it_is_approved_and_no_further_than_it_goes(place: Place) -> None:
    assert place.judged() == 1
    code, out, err = place.new("--parameter", "max_gpus=8", "--namespace", "team-a", "--days", "30")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        f"{place.waiver}: w, until 2026-12-21T08:00:00Z; it counts once somebody approved it:",
        f"  pratique waiver approve {place.waiver} --key KEY --approvers APPROVERS",
    ]
    assert place.judged() == 1
    before = place.waiver.read_bytes()
    code, out, err = place.approve()
    (signature,) = place.config.glob("w.yaml.w.*.dsse.json")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "Waiver w",
        "  policies       gpu/limit",
        '  for            {"namespaces":{"include":["team-a"]}}',
        '  how far        limits raised to {"max_gpus":8}',
        "  reason         agreed on",
        "  requested by   ada@example.com",
        "  until          2026-12-21T08:00:00Z",
        f"{signature}: approved by grace@example.com; keep it beside the waiver",
    ]
    assert place.waiver.read_bytes() == before
    assert (place.judged(8), place.judged(9)) == (0, 1)
    place.waiver.write_text(place.waiver.read_text().replace("max_gpus: 8", "max_gpus: 9"))
    assert place.judged(8) == 1


def test_a_request_says_all_that_it_can(place: Place) -> None:
    code, _, _ = place.new(
        *("--kind", "Job", "--kind", "Pod", "--object", "finetune-*", "--label", "team=ml", "--image", "docker.io/*"),
        *("--namespace", "a", "--ticket", "T-1", "--compensating-control", "watched", "--parameter", "max_gpus=16"),
        *("--expires", "2026-12-31T01:00:00+01:00"),
    )
    assert code == 0
    assert yaml.safe_load(place.waiver.read_text()) == {
        "apiVersion": "pratique.dev/v1alpha1",
        "kind": "Waiver",
        "metadata": {"name": "w"},
        "spec": {
            "policies": ["gpu/limit"],
            "match": {
                "namespaces": {"include": ["a"]},
                "kinds": ["Job", "Pod"],
                "names": ["finetune-*"],
                "selector": {"matchLabels": {"team": "ml"}},
                "images": ["docker.io/*"],
            },
            "parameters": {"max_gpus": 16},
            "reason": "agreed on",
            "ticket": "T-1",
            "compensatingControl": "watched",
            "requestedBy": "ada@example.com",
            "expires": "2026-12-31T00:00:00Z",
        },
    }


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--days", "1", "--parameter", "max_gpus=many"), '/spec/parameters/max_gpus: "many" is not of type "integer"'),
        (("--days", "1", "--parameter", "gpus=1"), "gpu/limit has no parameter 'gpus'; it has: max_gpus"),
        (("--days", "1", "--parameter", "max_gpus"), "--parameter is 'max_gpus', not NAME=VALUE"),
        (("--days", "1", "--policy", "gpu/none"), "there is no policy 'gpu/none' in the bundle"),
        (("--expires", "2026-11-21T08:00:00Z"), "it would end at 2026-11-21T08:00:00Z, which is over"),
        (("--days", "1", "--reason", ""), '/spec/reason: "" is shorter than 1 character'),
    ],
)
def test_a_request_that_could_never_count_is_not_written(place: Place, options: tuple[str, ...], told: str) -> None:
    code, out, err = place.new(*options)
    assert (code, out) == (2, "")
    assert told in err
    assert not place.waiver.exists()


def test_a_request_for_too_long_is_not_written_where_the_limit_is_known(place: Place) -> None:
    told = (
        "pratique: it would not count: it runs for 91 days from its approval on, and one from gpu/limit (high) may run"
    )
    assert place.new("--days", "91", "--approvers", place.approvers)[2].startswith(told)
    assert place.new("--days", "90", "--approvers", place.approvers)[0] == 0


def test_a_request_replaces_nothing(place: Place) -> None:
    assert place.new("--days", "1")[0] == 0
    assert place.new("--days", "2")[2] == f"pratique: {place.waiver}: there is a file of this name; name another\n"
    assert place.new("--days", "2", name="../w")[2].startswith("pratique: '../w' is not a name: write lower-case")


# What is not signed


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"requestedBy": "grace@example.com"}, "grace@example.com both asked for it and approved it"),
        ({"expires": "2027-11-01T00:00:00Z"}, "it runs for 344 days and 16:00:00 from its approval on"),
        ({"expires": "2026-11-21T08:00:00Z"}, "it ends at 2026-11-21T08:00:00Z"),
        ({"approvedBy": "ben@example.com"}, "it was changed after grace@example.com approved it (/spec/approvedBy)"),
    ],
)
def test_what_would_not_count_is_not_signed(place: Place, spec: dict[str, Any], told: str) -> None:
    place.write(place.waiver, request("w", ["gpu/limit"], **spec))
    code, out, err = place.approve()
    assert (code, out) == (2, "")
    assert err.startswith(f"pratique: not signed, it would not count: {told}")
    assert list(place.config.glob("*.dsse.json")) == []


def test_an_approver_signs_only_for_their_policies_and_with_their_key(place: Place) -> None:
    place.write(place.waiver, request("w", ["workload/privileged"]))
    assert "ben@example.com is not an approver of workload/privileged" in place.approve(key=place.ben)[2]
    stranger = place.root / "stranger.pem"
    stranger.write_bytes(private_pem(ed25519(99)))
    code, _, err = place.approve(key=stranger)
    assert code == 2
    assert err.startswith("pratique: no key is in the list of approvers; there is: sha256:")
    assert "no key is listed for ben@example.com" in place.approve("--as", "ben@example.com")[2]


def test_of_several_waivers_in_a_file_one_is_named(place: Place) -> None:
    place.write(place.waiver, request("a", ["gpu/limit"]), binding("b", "gpu/limit"), request("c", ["gpu/limit"]))
    assert place.approve()[2] == f"pratique: {place.waiver} holds these waivers: a, c; name one with --name\n"
    assert place.approve("--name", "c")[0] == 0
    assert [path.name.split(".")[2] for path in place.config.glob("*.dsse.json")] == ["c"]


def test_without_a_list_of_approvers_nothing_is_signed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PRATIQUE_APPROVERS", raising=False)
    place.write(place.waiver, request("w", ["gpu/limit"]))
    code, _, err = place.run("waiver", "approve", place.waiver, "--key", place.grace, *NOW)
    assert (code, err) == (2, "pratique: --approvers: name the list of approvers: without it, no waiver counts\n")


# Keys


@pytest.mark.parametrize("key", [ed25519(), ecdsa(), ecdsa(curve=ec.SECP384R1())], ids=["ed25519", "p256", "p384"])
@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.OpenSSH, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("password", [None, b"secret"])
def test_private_keys_are_read_in_every_form(
    tmp_path: Path, key: Any, form: PrivateFormat, password: bytes | None
) -> None:
    if form is PrivateFormat.TraditionalOpenSSL and not isinstance(key, ec.EllipticCurvePrivateKey):
        pytest.skip("there is no such form of Ed25519")
    if form is PrivateFormat.OpenSSH and password:
        pytest.skip("see the test below: it takes another program to make one")
    file = tmp_path / "key.pem"
    file.write_bytes(
        key.private_bytes(Encoding.PEM, form, BestAvailableEncryption(password) if password else NoEncryption())
    )
    signer = signer_of(file, password=password)
    assert verify(signer.public_key, signature=signer.sign(b"message"), message=b"message") == b"message"
    if password:
        with pytest.raises(ConfigError, match="the key is encrypted, and there is no password"):
            signer_of(file)
        with pytest.raises(ConfigError, match="the password is wrong"):
            signer_of(file, password=b"wrong")


def test_an_encrypted_key_of_openssh_is_for_the_agent(tmp_path: Path) -> None:
    file = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", str(file)], check=True)
    for password in (None, b"secret"):
        with pytest.raises(ConfigError, match="add the key to the ssh agent, and use --ssh-agent"):
            signer_of(file, password=password)


def test_other_keys_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    with pytest.raises(ConfigError, match="the key cannot be read: No such file"):
        signer_of(file)
    file.write_bytes(b"nonsense")
    with pytest.raises(ConfigError, match="this is no private key in PEM"):
        signer_of(file)
    weak = rsa.generate_private_key(65537, 2048)
    file.write_bytes(weak.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(ConfigError, match="the key is neither Ed25519 nor ECDSA"):
        signer_of(file)


def test_the_password_may_be_in_a_file(place: Place) -> None:
    place.write(place.waiver, request("w", ["gpu/limit"]))
    place.grace.write_bytes(private_pem(GRACE.key, password=b"secret"))
    password = place.root / "password"
    password.write_text("secret\n")
    assert place.approve()[2] == f"pratique: {place.grace}: the key is encrypted, and there is no password\n"
    assert place.approve("--password-file", password)[0] == 0
    assert place.list("check")[0] == 0


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Path]:
    """A real ssh-agent."""
    path = tmp_path / "agent.sock"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL) as process:
        try:
            for _ in range(200):
                if path.exists():
                    break
                threading.Event().wait(0.05)
            yield path
        finally:
            process.terminate()


def add_key(agent: Path, folder: Path, key: Any) -> None:
    file = folder / "agent-key"
    file.touch(mode=0o600)
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    subprocess.run(
        ["ssh-add", "-q", str(file)], env={**os.environ, "SSH_AUTH_SOCK": str(agent)}, check=True, capture_output=True
    )


@pytest.mark.parametrize(
    "key",
    [ed25519(), ecdsa(), ecdsa(curve=ec.SECP384R1()), ecdsa(curve=ec.SECP521R1())],
    ids=["ed25519", "p256", "p384", "p521"],
)
def test_a_key_of_an_ssh_agent_approves(place: Place, agent: Path, monkeypatch: pytest.MonkeyPatch, key: Any) -> None:
    place.write(place.waiver, request("w", ["gpu/limit"]))
    place.write(place.approvers, approvers({"name": "g", "policies": ["*"], "keys": [openssh_public(key)]}))
    monkeypatch.setenv("SSH_AUTH_SOCK", str(agent))
    assert place.approve("--ssh-agent")[2] == ("pratique: no key is in the list of approvers; there is: none at all\n")
    add_key(agent, place.root, rsa.generate_private_key(65537, 2048))
    add_key(agent, place.root, key)
    assert place.approve("--ssh-agent")[0] == 0
    assert place.list("check")[0] == 0


def test_keys_of_several_approvers_in_one_agent_need_a_name(
    place: Place, agent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.write(place.waiver, request("w", ["gpu/limit"]))
    monkeypatch.setenv("SSH_AUTH_SOCK", str(agent))
    add_key(agent, place.root, GRACE.key)
    add_key(agent, place.root, BEN.key)
    told = "pratique: there are keys of several approvers: ben@example.com, grace@example.com; name one with --as\n"
    assert place.approve("--ssh-agent")[2] == told
    assert place.approve("--ssh-agent", "--as", "ben@example.com")[0] == 0


def test_without_an_agent_it_says_so(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.write(place.waiver, request("w", ["gpu/limit"]))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    assert place.approve("--ssh-agent")[2] == "pratique: there is no ssh agent: SSH_AUTH_SOCK is not set\n"
    monkeypatch.setenv("SSH_AUTH_SOCK", str(place.root / "nowhere"))
    assert "cannot be asked: No such file or directory" in place.approve("--ssh-agent")[2]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"\x00\x00\x00\x01\x05", "refused, or its owner did"),
        (b"\x00\x00\x00\x01\x06", "answered with message 6, not 12"),
        (b"\xff\xff\xff\xff", "sent a message of 4294967295 bytes"),
        (b"\x00\x00\x00\x05\x0c", "it hung up"),
        (b"\x00\x00\x00\x05\x0c" + struct.pack(">I", 9), "the agent's answer is cut off"),
        (b"\x00\x00\x00\x09\x0c" + struct.pack(">II", 1, 99), "the agent's answer is cut off"),
    ],
)
def test_an_agent_that_answers_nonsense_is_an_error(tmp_path: Path, answer: bytes, told: str) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(5)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(EvidenceUnavailable) as caught:
            agent_signers(path)
        thread.join()
    assert told in str(caught.value)


# Looking at them


@pytest.mark.parametrize(("now", "code"), [("2026-11-30T23:59:59Z", 0), ("2026-12-01T00:00:00Z", 1)])
def test_check_is_0_while_all_count(place: Place, now: str, code: int) -> None:
    asked = request("w", ["gpu/limit"])
    place.write(place.waiver, asked)
    write_approval(place.config, "w", approval(asked))
    found, out, err = place.list("check", "--now", now)
    assert (found, err) == (code, "")
    header, row = out.splitlines()
    assert header.split() == ["NAME", "STATE", "UNTIL", "POLICIES", "REQUESTED", "BY", "APPROVED", "BY", "WHY"]
    assert row.split(maxsplit=6) == [
        *("w", "ignored" if code else "counts", "2026-12-01T00:00:00Z", "gpu/limit", "ada@example.com"),
        *("grace@example.com", *(["it expired at 2026-12-01T00:00:00Z"] if code else [])),
    ]


def test_check_of_nothing_is_2(place: Place) -> None:
    code, _, err = place.list("check")
    assert (code, err) == (2, "pratique: there is no waiver; see that --config is right\n")


def test_show_tells_all(place: Place) -> None:
    asked = request("w", ["gpu/limit"], ticket="T-1", compensatingControl="watched")
    place.write(place.waiver, asked)
    code, out, _ = place.list("show", "w")
    assert code == 0
    assert out.splitlines()[0] == "Waiver w: does not count: it is not approved: there is no signature for it"
    write_approval(place.config, "w", approval(asked))
    _, out, _ = place.list("show", "w")
    digest = json.loads(place.list("show", "w", "-o", "json")[1])[0]["digest"]
    assert out.splitlines() == [
        "Waiver w: counts",
        "",
        "  policies       gpu/limit",
        "  for            EVERYTHING that these policies judge",
        "  how far        these policies do not apply at all",
        "  reason         a benchmark that was agreed on",
        "  ticket         T-1",
        "  instead        watched",
        "  requested by   ada@example.com",
        "  approved by    grace@example.com at 2026-11-01T00:00:00Z",
        "  until          2026-12-01T00:00:00Z",
        f"  digest         {digest}",
        "  file           w.yaml",
        "  not known      whether it was ever used is not known: there is no ledger",
        "  not known      whether what it is for is still there is not known: no objects were named",
    ]
    assert place.list("show", "x")[2] == "pratique: there is no waiver 'x'; there are: w\n"


def test_stale_are_those_that_end_were_never_used_or_have_no_target(place: Place) -> None:
    used = request("used", ["gpu/limit"], match={"names": ["here"]}, expires="2026-11-28T08:00:01Z")
    soon = request("soon", ["gpu/limit"], match={"names": ["here"]}, expires="2026-11-28T08:00:00Z")
    over = request("over", ["gpu/limit"], match={"names": ["here"]}, expires="2026-11-21T08:00:00Z")
    gone = request("gone", ["gpu/limit"], match={"names": ["elsewhere"]})
    for each in (used, soon, over, gone):
        name = each["metadata"]["name"]
        place.write(place.config / f"{name}.yaml", each)
        write_approval(place.config, name, approval(each))
    targets = place.write(place.root / "objects.yaml", workloads.pod("here", namespace="team-a"))
    digests = {each["name"]: each["digest"] for each in json.loads(place.list("list", "-o", "json")[1])}
    exempt = [
        evaluation(result=Result.EXEMPT, waivers=(f"{name}@{digests[name]}",))
        for name in ("used", "soon", "over", "gone")
    ]
    asyncio.run(_record(place.root / "state" / DATABASE_NAME, exempt[:1]))
    code, out, err = place.list("list", "--stale", "--targets", targets, "-o", "json")
    assert (code, err) == (0, "")
    never = "it was never used, as far back as the ledger goes"
    assert {each["name"]: each["stale"] for each in json.loads(out)} == {
        "gone": [never, "what it is for is gone: it covers none of 1 objects"],
        "over": ["it expired at 2026-11-21T08:00:00Z", never],
        "soon": ["it ends within 7 days, at 2026-11-28T08:00:00Z", never],
    }
    asyncio.run(_record(place.root / "state" / DATABASE_NAME, exempt))
    _, out, _ = place.list("list", "--stale", "--targets", targets, "-o", "json")
    assert {each["name"]: (each["stale"], each["last_used"]) for each in json.loads(out)} == {
        "gone": (["what it is for is gone: it covers none of 1 objects"], "2026-11-21T08:00:00Z"),
        "over": (["it expired at 2026-11-21T08:00:00Z"], "2026-11-21T08:00:00Z"),
        "soon": (["it ends within 7 days, at 2026-11-28T08:00:00Z"], "2026-11-21T08:00:00Z"),
    }


async def _record(path: Path, evaluations: list[Any]) -> None:
    ledger = Ledger.open(path, logs=False)
    for number, each in enumerate(evaluations):
        made = decision(each, time=datetime(2026, 11, 21, 8, tzinfo=UTC))
        await ledger.record(replace(made, id=f"{made.id[:-4]}{len(evaluations)}{number:03}"))
    await ledger.close()


def test_what_could_not_be_found_out_is_said(place: Place) -> None:
    asked = request("w", ["gpu/limit"], match={"namespaceSelector": {"matchLabels": {"tier": "a"}}})
    place.write(place.waiver, asked)
    code, out, err = place.list("list", "--stale")
    assert (code, out) == (0, "")
    assert err.splitlines() == [
        "pratique: whether it was ever used is not known: there is no ledger (w)",
        "pratique: whether what it is for is still there is not known: no objects were named (w)",
        "pratique: there is no waiver that is stale",
    ]
    targets = place.write(place.root / "objects.yaml", workloads.pod("here", namespace="team-a"))
    err = place.list("list", "--stale", "--targets", targets)[2]
    assert "is not known: it depends on labels of a namespace (w)" in err


def test_targets_that_cannot_be_read_are_an_error(place: Place) -> None:
    place.write(place.waiver, request("w", ["gpu/limit"]))
    bad = place.root / "bad.yaml"
    bad.write_text("a: [")
    assert place.list("list", "--targets", bad)[0] == 2


def test_an_altered_waiver_is_told_at_the_denial(place: Place) -> None:
    asked = request("w", ["gpu/limit"], parameters={"max_gpus": 8})
    write_approval(place.config, "w", approval(asked))
    place.write(place.waiver, request("w", ["gpu/limit"], parameters={"max_gpus": 64}))
    assert place.judged() == 1
    told = place.run(
        *("check", place.root / "pod.yaml", "--engine", "regopy", "--config", place.config),
        *("--approvers", place.approvers, *NOW),
    )[1]
    assert (
        "waiver w does not count: it was changed after grace@example.com approved it (/spec/parameters); it has to be"
        " approved again" in " ".join(told.split())
    )
