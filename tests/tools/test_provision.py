"""tools/provision.py from the outside: real processes, a release server on loopback, tools that are tiny scripts."""

from __future__ import annotations

import hashlib
import io
import os
import platform
import re
import signal
import subprocess
import sys
import tarfile
import threading
import time
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

TOOLS = Path(__file__).resolve().parents[2] / "tools"
MACHINE = platform.machine().lower()
PLATFORM = f"{sys.platform}-{ {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(MACHINE, MACHINE) }"
ASSET_PATH = "/releases.example/v1.2.3/demo"
WAIT_SECONDS = 60.0


def program(version: str = "1.2.3") -> bytes:
    return f'#!/bin/sh\necho "demo version {version}"\n'.encode()


@dataclass
class Releases:
    """An HTTP server in the layout of a mirror; each path has a function that answers it."""

    answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    halfway: threading.Event = field(default_factory=threading.Event)  # a slow answer has sent its first half
    go_on: threading.Event = field(default_factory=threading.Event)  # lets slow and hanging answers end
    url: str = ""

    def serve(self, body: bytes, path: str = ASSET_PATH) -> None:
        self.answers[path] = lambda request: _send(request, body, len(body))

    def serve_truncated(self, body: bytes) -> None:
        self.answers[ASSET_PATH] = lambda request: _send(request, body[:10], len(body))

    def serve_slowly(self, body: bytes) -> None:
        def answer(request: BaseHTTPRequestHandler) -> None:
            _send(request, body[:10], len(body))
            request.wfile.flush()
            self.halfway.set()
            self.go_on.wait(WAIT_SECONDS)
            request.wfile.write(body[10:])

        self.answers[ASSET_PATH] = answer

    def hang(self) -> None:
        def answer(_request: BaseHTTPRequestHandler) -> None:
            self.go_on.wait(WAIT_SECONDS)

        self.answers[ASSET_PATH] = answer

    def redirect(self, target: str) -> None:
        def answer(request: BaseHTTPRequestHandler) -> None:
            request.send_response(302)
            request.send_header("Location", target)
            request.end_headers()

        self.answers[ASSET_PATH] = answer


def _send(request: BaseHTTPRequestHandler, body: bytes, announced: int) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(announced))
    request.end_headers()
    request.wfile.write(body)


@pytest.fixture
def releases() -> Iterator[Releases]:
    served = Releases()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.requests.append(self.path)
            answer = served.answers.get(self.path)
            try:
                if answer is None:
                    self.send_error(404)
                else:
                    answer(self)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the client was killed, as some tests do

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield served
    served.go_on.set()
    server.shutdown()
    server.server_close()
    thread.join()


@dataclass
class Workplace:
    """A versions table, an empty cache and an otherwise empty PATH, in folders with a space in their names."""

    root: Path
    mirror: str

    @property
    def cache(self) -> Path:
        return self.root / "the cache"

    @property
    def table(self) -> Path:
        return self.root / "the tools" / "versions.toml"

    @property
    def bin(self) -> Path:
        return self.root / "bin"

    @property
    def tool(self) -> Path:
        return self.cache / "demo"

    def pin(self, published: bytes, *, version: str = "v1.2.3", asset: str = "demo", member: str = "") -> None:
        """Writes the table: `published` is what the release is pinned to."""
        algorithm = "sha512" if member else "sha256"
        lines = [
            "[tools.demo]",
            f'version = "{version}"',
            'probe = ["--version"]',
            r"reports = '^demo version (\S+)$'",
            "[tools.demo.release]",
            'url = "https://releases.example/{version}/{asset}"',
            f"[tools.demo.release.platforms.{PLATFORM}]",
            f'asset = "{asset}"',
            f'{algorithm} = "{hashlib.new(algorithm, published).hexdigest()}"',
            f'member = "{member}"' if member else "",
            "[tools.demo.build]",
            'module = "demo"',
            'package = "example.org/demo"',
            'pin = "example.org/demo"',
            'ldflags = "-X example.org/demo.version={version}"',
        ]
        (self.table.parent / "demo").mkdir(parents=True, exist_ok=True)
        (self.table.parent / "demo" / "go.mod").write_text("module demo\n\ngo 1.26.0\n")
        self.table.write_text("\n".join(lines))

    def put_on_path(self, name: str, script: bytes) -> Path:
        self.bin.mkdir(exist_ok=True)
        path = self.bin / name
        path.write_bytes(script)
        path.chmod(0o755)
        return path

    def put_go_on_path(self, *, makes: str = "1.2.3") -> Path:
        """A `go` that writes what it was called with to the returned file, and a demo of that version to its -o."""
        calls = self.root / "go calls"
        (self.root / "made").write_bytes(program(makes))
        self.put_on_path(
            "go",
            f"""#!/bin/sh
            echo "CGO_ENABLED=$CGO_ENABLED in $PWD:" "$@" >> "{calls}"
            while [ $# -gt 0 ]; do [ "$1" = -o ] && out=$2; shift; done
            /bin/cat "{self.root}/made" > "$out"
            """.encode(),
        )
        return calls

    def start(self, *arguments: str, mirror: str | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(TOOLS / "provision.py"), "--table", str(self.table), "--timeout", "60", *arguments],
            env={
                "PATH": str(self.bin),
                "PRATIQUE_TOOLS_CACHE": str(self.cache),
                "PRATIQUE_TOOLS_MIRROR": self.mirror if mirror is None else mirror,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, mirror: str | None = None) -> Ended:
        return ended(self.start(*arguments, mirror=mirror))

    def left(self) -> list[str]:
        """What lies in the cache, without the lock (which stays: a lock that is removed locks nothing)."""
        return sorted(path.name for path in self.cache.iterdir() if path.name != ".demo.lock")


@dataclass
class Ended:
    code: int
    out: str
    err: str

    @property
    def source(self) -> str:
        """Where the tool came from, by the table that is printed last."""
        found = re.fullmatch(r"tool +version +from +seconds\ndemo +v[\d.]+ +(\w+) +\d+\.\d\n", self.out)
        assert found, (self.out, self.err)
        return found[1]


def ended(process: subprocess.Popen[str]) -> Ended:
    try:
        out, err = process.communicate(timeout=WAIT_SECONDS)
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in err
    return Ended(code=process.returncode, out=out, err=err)


@pytest.fixture
def workplace(tmp_path: Path, releases: Releases) -> Workplace:
    place = Workplace(root=tmp_path / "a folder", mirror=releases.url)
    place.root.mkdir()
    place.pin(program())
    return place


# ---- the release ----


def test_release_with_the_pinned_checksum_is_installed(workplace: Workplace, releases: Releases) -> None:
    releases.serve(program())
    assert workplace.run().source == "release"
    assert workplace.tool.read_bytes() == program()
    assert workplace.left() == [".demo.stamp", "demo"]


def test_wrong_checksum_is_refused_with_both_sums_and_never_built(workplace: Workplace, releases: Releases) -> None:
    calls = workplace.put_go_on_path()
    releases.serve(program() + b"# evil\n")
    done = workplace.run()
    assert done.code == 1
    assert hashlib.sha256(program()).hexdigest() in done.err
    assert hashlib.sha256(program() + b"# evil\n").hexdigest() in done.err
    assert workplace.left() == []
    assert not calls.exists()


def test_release_of_another_version_than_pinned_is_refused(workplace: Workplace, releases: Releases) -> None:
    workplace.pin(program("9.9.9"))
    releases.serve(program("9.9.9"))
    done = workplace.run()
    assert done.code == 1
    assert "says that its version is v9.9.9 and not v1.2.3" in done.err
    assert workplace.left() == []


def test_missing_release_is_built_from_the_pinned_module(workplace: Workplace) -> None:
    calls = workplace.put_go_on_path()
    done = workplace.run()
    assert done.source == "build"
    assert "its release answers 404" in done.err
    assert workplace.left() == [".demo.stamp", "demo"]
    call = calls.read_text()
    assert call.startswith(f"CGO_ENABLED=0 in {workplace.table.parent / 'demo'}: build -mod=readonly -trimpath ")
    assert " -ldflags -s -w -X example.org/demo.version=v1.2.3 " in call
    assert call.endswith(" example.org/demo\n")


def test_truncated_release_is_not_installed(workplace: Workplace, releases: Releases) -> None:
    releases.serve_truncated(program())
    done = workplace.run()
    assert done.code == 1
    assert f"broke off after 10 of {len(program())} bytes" in done.err
    assert workplace.left() == []


def test_silent_server_is_given_up_for_the_build(workplace: Workplace, releases: Releases) -> None:
    workplace.put_go_on_path()
    releases.hang()
    done = workplace.run("--timeout", "0.4")
    assert done.source == "build"
    assert "was silent for 0.4 s" in done.err


def test_server_silent_in_mid_download_is_given_up_for_the_build(workplace: Workplace, releases: Releases) -> None:
    workplace.put_go_on_path()
    releases.serve_slowly(program())
    done = workplace.run("--timeout", "0.4")
    assert done.source == "build"
    assert "was silent for 0.4 s" in done.err


def test_refused_connection_is_given_up_for_the_build(workplace: Workplace) -> None:
    workplace.put_go_on_path()
    done = workplace.run(mirror="http://127.0.0.1:1")
    assert done.source == "build"
    assert "is not reachable (Connection refused)" in done.err


@pytest.mark.parametrize(
    ("mirror", "reason"),
    [
        ("http://192.0.2.1", "is neither https nor on this machine"),
        ("ftp://127.0.0.1", "is neither https nor on this machine"),
        ("https://user:secret@192.0.2.1", "has credentials in it"),
        ("https://[", "is not a valid address"),
    ],
)
def test_unsafe_mirror_is_refused(workplace: Workplace, mirror: str, reason: str) -> None:
    calls = workplace.put_go_on_path()
    done = workplace.run(mirror=mirror)
    assert done.code == 1
    assert reason in done.err
    assert "secret" not in done.err
    assert not calls.exists()


def test_redirect_to_plain_http_elsewhere_is_refused(workplace: Workplace, releases: Releases) -> None:
    calls = workplace.put_go_on_path()
    releases.redirect("http://192.0.2.1/demo")
    done = workplace.run()
    assert done.code == 1
    assert "http://192.0.2.1/demo is neither https nor on this machine" in done.err
    assert not calls.exists()


def test_redirect_on_the_same_machine_is_followed(workplace: Workplace, releases: Releases) -> None:
    releases.serve(program(), path="/elsewhere")
    releases.redirect("/elsewhere")
    assert workplace.run().source == "release"


# ---- archives ----


def tar_with(*members: tarfile.TarInfo, body: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for member in members:
            member.size = len(body) if member.isreg() else 0
            archive.addfile(member, io.BytesIO(body) if member.isreg() else None)
    return buffer.getvalue()


def zip_with(*names: str, body: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, body)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
def test_only_the_named_member_leaves_the_archive(workplace: Workplace, releases: Releases, kind: str) -> None:
    names = ["../../escaped", "/tmp/pratique-escaped", "demo-1/README", "demo-1/bin/demo"]
    archive = (
        zip_with(*names, body=program())
        if kind == "zip"
        else tar_with(*(tarfile.TarInfo(name) for name in names), body=program())
    )
    workplace.pin(archive, asset=f"demo.{kind}", member="demo-1/bin/demo")
    releases.serve(archive, path=f"{ASSET_PATH}.{kind}")
    before = sorted(workplace.root.iterdir())
    assert workplace.run().source == "release"
    assert workplace.tool.read_bytes() == program()
    assert workplace.left() == [".demo.stamp", "demo"]
    assert sorted(workplace.root.iterdir()) == sorted([*before, workplace.cache])
    assert not Path("/tmp/pratique-escaped").exists()


def test_member_that_leads_out_of_the_cache_stays_inside(workplace: Workplace, releases: Releases) -> None:
    archive = tar_with(tarfile.TarInfo("../../escaped"), body=program())
    workplace.pin(archive, asset="demo.tar.gz", member="../../escaped")
    releases.serve(archive, path=f"{ASSET_PATH}.tar.gz")
    assert workplace.run().source == "release"
    assert workplace.left() == [".demo.stamp", "demo"]
    assert not list(workplace.root.rglob("escaped"))


def test_member_that_is_a_link_is_refused(workplace: Workplace, releases: Releases) -> None:
    link = tarfile.TarInfo("demo-1/demo")
    link.type, link.linkname = tarfile.SYMTYPE, "other"
    archive = tar_with(tarfile.TarInfo("demo-1/other"), link, body=program())
    workplace.pin(archive, asset="demo.tar.gz", member="demo-1/demo")
    releases.serve(archive, path=f"{ASSET_PATH}.tar.gz")
    done = workplace.run()
    assert done.code == 1
    assert "demo.tar.gz has no regular file demo-1/demo" in done.err
    assert workplace.left() == []


@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
def test_broken_archive_is_refused(workplace: Workplace, releases: Releases, kind: str) -> None:
    archive = b"this is no archive"
    workplace.pin(archive, asset=f"demo.{kind}", member="demo")
    releases.serve(archive, path=f"{ASSET_PATH}.{kind}")
    done = workplace.run()
    assert done.code == 1
    assert f"demo.{kind} cannot be unpacked" in done.err
    assert workplace.left() == []


# ---- the PATH ----


def test_program_on_the_path_with_the_pinned_version_is_linked(workplace: Workplace, releases: Releases) -> None:
    found = workplace.put_on_path("demo", program())
    assert workplace.run().source == "PATH"
    assert workplace.tool.readlink() == found
    assert releases.requests == []


def test_program_on_the_path_with_another_version_is_not_used(workplace: Workplace, releases: Releases) -> None:
    workplace.put_on_path("demo", program("1.2.4"))
    releases.serve(program())
    done = workplace.run()
    assert done.source == "release"
    assert "the demo on the PATH is v1.2.4" in done.err


def test_link_is_made_anew_when_the_program_on_the_path_changes(workplace: Workplace, releases: Releases) -> None:
    workplace.put_on_path("demo", program())
    assert workplace.run().source == "PATH"
    workplace.put_on_path("demo", program("1.2.4 "))
    releases.serve(program())
    assert workplace.run().source == "release"
    assert not workplace.tool.is_symlink()


def test_cache_folder_on_the_path_is_not_a_source(workplace: Workplace, releases: Releases) -> None:
    workplace.cache.mkdir()
    workplace.bin.symlink_to(workplace.cache)
    workplace.put_on_path("demo", program())
    releases.serve(program())
    assert workplace.run().source == "release"


# ---- the cache ----


def test_second_run_needs_no_network_and_runs_no_program(workplace: Workplace, releases: Releases) -> None:
    runs = workplace.root / "runs"
    counting = program() + f'echo run >> "{runs}"\n'.encode()
    workplace.pin(counting)
    releases.serve(counting)
    assert workplace.run().source == "release"
    before = runs.read_text()
    done = workplace.run(mirror="http://127.0.0.1:1")
    assert (done.source, done.err) == ("cache", "")
    assert runs.read_text() == before
    assert len(releases.requests) == 1


def test_new_version_in_the_table_replaces_the_cached_tool(workplace: Workplace, releases: Releases) -> None:
    releases.serve(program())
    workplace.run()
    workplace.pin(program("1.3.0"), version="v1.3.0")
    releases.serve(program("1.3.0"), path="/releases.example/v1.3.0/demo")
    assert workplace.run().source == "release"
    assert workplace.tool.read_bytes() == program("1.3.0")


def test_changed_binary_is_not_trusted(workplace: Workplace, releases: Releases) -> None:
    releases.serve(program())
    workplace.run()
    workplace.tool.write_bytes(program() + b"# tampered\n")
    assert workplace.run().source == "release"
    assert workplace.tool.read_bytes() == program()


def test_two_runs_at_once_download_once(workplace: Workplace, releases: Releases) -> None:
    releases.serve_slowly(program())
    first = workplace.start()
    assert releases.halfway.wait(WAIT_SECONDS)
    second = workplace.start()
    assert second.stderr is not None
    assert "another run is already at work on it; waiting" in second.stderr.readline()
    releases.go_on.set()
    assert [ended(first).source, ended(second).source] == ["release", "cache"]
    assert len(releases.requests) == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_run_ended_in_mid_download_leaves_nothing(workplace: Workplace, releases: Releases, number: int) -> None:
    releases.serve_slowly(program())
    process = workplace.start()
    assert releases.halfway.wait(WAIT_SECONDS)
    process.send_signal(number)
    done = ended(process)
    assert workplace.left() == []
    if number != signal.SIGKILL:
        assert done.code == 130
        assert "interrupted; nothing half-made was kept" in done.err
    releases.go_on.set()
    assert workplace.run().source == "release"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_build_ends_its_compilers(workplace: Workplace, number: int) -> None:
    pids = workplace.root / "pids"
    workplace.put_on_path(
        "go", f'#!/bin/sh\n/bin/sleep 60 &\necho $$ $! > "{pids}.new"\n/bin/mv "{pids}.new" "{pids}"\nwait\n'.encode()
    )
    process = workplace.start()
    wait_for(pids.exists)
    process.send_signal(number)
    assert ended(process).code == 130
    assert workplace.left() == []
    for pid in pids.read_text().split():
        wait_for(lambda pid=pid: not alive(int(pid)))  # type: ignore[misc]  # a default argument binds the loop variable


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")  # an orphan that nobody has reaped yet is dead all the same
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")


def wait_for(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < limit, "it did not happen in time"
        time.sleep(0.02)


def test_what_a_killed_build_left_is_swept_by_the_next_run(workplace: Workplace, releases: Releases) -> None:
    left = workplace.cache / ".demo.work-killed"
    left.mkdir(parents=True)
    (left / "demo").write_bytes(program()[:10])
    releases.serve(program())
    workplace.run()
    assert workplace.left() == [".demo.stamp", "demo"]


# ---- the build ----


def test_without_any_way_one_sentence_says_what_was_tried_and_what_to_install(workplace: Workplace) -> None:
    done = workplace.run()
    assert done.code == 1
    assert done.out == ""
    assert done.err.splitlines()[-1] == (
        "provision: demo v1.2.3 could not be provided: there is no demo on the PATH; "
        f"its release answers 404 Not Found at {workplace.mirror}{ASSET_PATH}; "
        "there is no `go` on the PATH to build it. "
        "Install Go 1.26.0 or newer and see that it can fetch modules, or put demo v1.2.3 on the PATH."
    )


def test_failed_build_shows_its_last_line_and_keeps_its_output(workplace: Workplace) -> None:
    workplace.put_on_path("go", b"#!/bin/sh\necho first\necho 'demo.go:1: cannot compile'\nexit 1\n")
    done = workplace.run()
    assert done.code == 1
    assert "`go build` failed with 'demo.go:1: cannot compile'" in done.err
    assert workplace.left() == ["demo.build.log"]
    assert (workplace.cache / "demo.build.log").read_text() == "first\ndemo.go:1: cannot compile\n"


def test_build_of_another_version_than_pinned_is_refused(workplace: Workplace) -> None:
    workplace.put_go_on_path(makes="0.0.0")
    done = workplace.run()
    assert done.code == 1
    assert "says that its version is v0.0.0 and not v1.2.3" in done.err
    assert not workplace.tool.exists()


# ---- the command line and the table ----


def test_unknown_name_is_wrong_usage(workplace: Workplace) -> None:
    done = workplace.run("demmo")
    assert (done.code, done.err) == (2, "provision: there is no tool 'demmo'; choose from demo\n")


def test_path_is_printed_only_of_what_is_there(workplace: Workplace, releases: Releases) -> None:
    done = workplace.run("--print-path", "demo")
    assert (done.code, done.out) == (1, "")
    assert "run tools/provision.py demo" in done.err
    releases.serve(program())
    workplace.run()
    done = workplace.run("--print-path", "demo")
    assert (done.code, done.out, done.err) == (0, f"{workplace.tool}\n", "")


def test_list_changes_nothing(workplace: Workplace) -> None:
    done = workplace.run("--list")
    assert (done.code, done.out) == (0, "tool  version  path\ndemo  v1.2.3   missing\n")
    assert not workplace.cache.exists()


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('version = "v1.2.3"', 'version = "1.2"', "is not vMAJOR.MINOR.PATCH"),
        ('version = "v1.2.3"', "", "lacks the key 'version'"),
        ('sha256 = "', 'sha256 = "00', "is not a sha256 sum"),
        ('asset = "demo"', 'asset = "demo"\nmirror = ""', "unknown key 'mirror'"),
        ("https://", "http://", "url does not start with https://"),
        ("{asset}", "{file}", "lacks the key 'file'"),
        (r"(\S+)", r"\S+", "has not exactly one group"),
        ("[tools.demo]", "[tools.demo", "cannot be read"),
    ],
)
def test_defect_in_the_table_is_one_sentence(workplace: Workplace, old: str, new: str, reason: str) -> None:
    text = workplace.table.read_text()
    assert old in text
    workplace.table.write_text(text.replace(old, new))
    done = workplace.run()
    assert done.code == 1
    assert done.err.startswith(f"provision: the table {workplace.table} ")
    assert reason in done.err
    assert done.err.count("\n") == 1


def test_unusable_cache_folder_is_one_sentence(workplace: Workplace) -> None:
    workplace.cache.write_text("a file, not a folder")
    done = workplace.run()
    assert done.code == 1
    assert done.err == f"provision: {workplace.cache}: File exists; correct that and try again\n"


# ---- the real table ----


def real_tools() -> list[str]:
    return list(tomllib.loads((TOOLS / "versions.toml").read_text())["tools"])


def test_real_table_has_the_tools_that_the_tests_need(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, TOOLS / "provision.py", "--list", "--cache", tmp_path],
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=True,
    )
    listed = [line.split()[0] for line in done.stdout.splitlines()[1:]]
    assert listed == ["opa", "kube-apiserver", "kubectl", "etcd", "psa-oracle", "conftest", "cosign", "registry"]


def test_the_oracle_judges_as_the_api_server_of_the_same_table() -> None:
    tools = tomllib.loads((TOOLS / "versions.toml").read_text())["tools"]
    assert tools["psa-oracle"]["version"] == re.sub(r"^v1\.", "v0.", tools["kube-apiserver"]["version"])


@pytest.mark.parametrize("name", real_tools())
def test_module_is_pinned_to_the_version_of_the_table(name: str) -> None:
    row = tomllib.loads((TOOLS / "versions.toml").read_text())["tools"][name]
    go_mod = (TOOLS / row["build"]["module"] / "go.mod").read_text()
    required = re.findall(rf"^(?:require )?\s*{re.escape(row['build']['pin'])} (v\S+)", go_mod, re.MULTILINE)
    assert required == [row["version"]]
    assert re.search(rf"^(?:tool )?\s*{re.escape(row['build']['package'])}$", go_mod, re.MULTILINE)
    assert (TOOLS / row["build"]["module"] / "go.sum").is_file()


def test_staging_modules_of_kubernetes_have_its_version() -> None:
    version = tomllib.loads((TOOLS / "versions.toml").read_text())["tools"]["kube-apiserver"]["version"]
    go_mod = (TOOLS / "kubernetes" / "go.mod").read_text()
    replaced = re.findall(r"^\t(k8s\.io/\S+) => (\S+) (v\S+)$", go_mod, re.MULTILINE)
    assert len(replaced) > 25
    assert {(new == old, at) for old, new, at in replaced} == {(True, re.sub(r"^v1\.", "v0.", version))}
