"""pull and --update from git, by HTTP and from this machine: the folders that the real conftest makes of an address."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import socket
import subprocess
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pratiquectl.conftest import archives, fetching
from pratiquectl.conftest.addresses import address_of
from pratiquectl.conftest.errors import ConftestError
from tests.conftest_compat.compare import Case, Outcome, conftest, pratique, write
from tests.support.registry import Registry

pytestmark = pytest.mark.slow

POLICY = 'package main\n\nimport rego.v1\n\ndeny contains "x"\n'
FILES = {"main.rego": POLICY, "sub/lib.rego": "package lib\n\nt := 1\n", "sub/deep/data.yaml": "a: 1\n"}


class Server:
    """Serves bytes by path on loopback; `redirects` lead elsewhere, `short` says more bytes than it sends."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.redirects: dict[str, str] = {}
        self.short = False
        self.logins: list[tuple[str, str]] = []
        files, redirects, server = self.files, self.redirects, self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                server.logins.append((path, self.headers.get("Authorization", "")))
                if path in redirects:
                    self.send_response(302)
                    self.send_header("Location", redirects[path])
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                content = files.get(path)
                self.send_response(404 if content is None else 200)
                self.send_header("Content-Length", str(len(content or b"") + server.short))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(content or b"")

            do_HEAD = do_GET  # noqa: N815  # as http.server looks for it

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder of policies, in a git repository with a branch and a tag, and beside it archives of it."""
    folder = tmp_path / "source"
    write(folder, FILES)
    git(folder, "init", "-q", "-b", "main")
    commit(folder)
    git(folder, "tag", "v1")
    git(folder, "checkout", "-q", "-b", "other")
    write(folder, {"main.rego": "package other\n"})
    commit(folder)
    git(folder, "checkout", "-q", "main")
    for kind, mode in (("tar", "w:"), ("tar.gz", "w:gz"), ("tgz", "w:gz"), ("tar.bz2", "w:bz2")):
        (tmp_path / f"p.{kind}").write_bytes(tarred(FILES, mode=mode))
    (tmp_path / "p.zip").write_bytes(zipped(FILES))
    return folder


def git(folder: Path, *arguments: str) -> None:
    command = ["git", "-c", "user.name=x", "-c", "user.email=x@example.com", *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def commit(folder: Path) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "x")


def tarred(files: Mapping[str, str], *, mode: str = "w:gz", link: str = "", folders: int = 0) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode=mode) as archive:  # type: ignore[call-overload]  # one of its modes
        for number in range(folders):
            member = tarfile.TarInfo(f"folder{number}")
            member.type = tarfile.DIRTYPE
            archive.addfile(member)
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
        if link:
            member = tarfile.TarInfo("link")
            member.type, member.linkname = tarfile.SYMTYPE, link
            archive.addfile(member)
    return written.getvalue()


def zipped(files: Mapping[str, str]) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return written.getvalue()


def what_is_there(folder: Path) -> dict[str, str]:
    """Files and links with what they hold; what git keeps for itself does not count."""
    if folder.is_symlink():
        return {"": str(folder.readlink())}
    return {
        str(path.relative_to(folder)): f"link:{path.readlink()}" if path.is_symlink() else path.read_text()
        for path in sorted(folder.rglob("*"))
        if (path.is_file() or path.is_symlink()) and ".git" not in path.parts
    }


def both(tmp_path: Path, address: str, *, prepared: Mapping[str, str] = {}, update: bool = False) -> Outcome:
    """Fetch with both programs, each in a folder of its own; what ours says, if the folders and codes are the same."""
    found = []
    for name, run in (("ours", pratique), ("theirs", conftest)):
        folder = tmp_path / name
        write(folder, {"pod.yaml": "kind: Pod\n", **prepared})
        verb = f"test --no-color -p got -u {address} pod.yaml" if update else f"pull -p got {address}"
        found.append((run(folder, Case("", verb, {})), what_is_there(folder / "got")))
    (mine, here), (expected, there) = found
    assert (mine.code, here) == (expected.code, there), (mine.stderr, expected.stderr)
    return mine


@pytest.mark.parametrize(
    "address",
    [
        "{}/source",
        "file://{}/source",
        "{}/source/main.rego",
        "{}/source//sub",
        "{}/source//s*b",
        "{}/p.tar",
        "{}/p.tar.gz",
        "{}/p.tgz",
        "{}/p.tar.bz2",
        "{}/p.zip",
        "{}/p.tgz//sub/deep",
        "{}/p.tgz?archive=false",
        "git::{}/source",
        "git::file://{}/source",
        "git::{}/source//sub",
        "git::{}/source?ref=v1",
        "git::{}/source?ref=other",
        "git::file://{}/source?ref=other&depth=1",
    ],
)
def test_a_path(tmp_path: Path, source: Path, address: str) -> None:
    assert source.is_dir()
    assert both(tmp_path, address.format(tmp_path)) == Outcome(0, "", "")


@pytest.mark.parametrize("address", ["{}/source//nothing", "{}/source//../x", "{}/none", "source", "../source"])
def test_a_path_that_is_none(tmp_path: Path, source: Path, address: str) -> None:
    assert source.is_dir()
    assert both(tmp_path, address.format(tmp_path)).code == 1


@pytest.mark.parametrize("address", ["git::{}/none", "git::{}/source?ref=none", "git::{}/source//none"])
def test_a_repository_that_is_none(tmp_path: Path, source: Path, address: str) -> None:
    assert source.is_dir()
    assert both(tmp_path, address.format(tmp_path)).code == 1


@pytest.mark.parametrize(
    "name", ["main.rego", "p.tar.gz", "p.zip", "a%20b.rego", "main.rego?token=1&b=2", "p.zip//sub"]
)
def test_a_url(tmp_path: Path, server: Server, name: str) -> None:
    server.files.update(
        {
            "/main.rego": POLICY.encode(),
            "/a%20b.rego": POLICY.encode(),
            "/p.tar.gz": tarred(FILES),
            "/p.zip": zipped(FILES),
        }
    )
    assert both(tmp_path, f"{server.url}/{name}") == Outcome(0, "", "")


def test_a_url_that_leads_elsewhere(tmp_path: Path, server: Server) -> None:
    server.files["/b.rego"] = POLICY.encode()
    server.redirects["/a.rego"] = "/b.rego"
    assert both(tmp_path, f"{server.url}/a.rego") == Outcome(0, "", "")


def test_a_login_in_a_url_goes_to_that_host_alone(tmp_path: Path, server: Server) -> None:
    server.files["/b.rego"] = POLICY.encode()
    server.redirects["/a.rego"] = "/b.rego"
    assert both(tmp_path, f"{server.url.replace('://', '://ada:s3cr%65t@')}/a.rego") == Outcome(0, "", "")
    asked = dict(server.logins[:2])
    assert asked == {"/a.rego": f"Basic {base64.b64encode(b'ada:s3cret').decode()}", "/b.rego": ""}


@pytest.mark.parametrize(
    "address",
    [
        "http://ada:s3cret@127.0.0.1:1/a.rego?key=s3cret",
        "http://ada:s3cret@127.0.0.1:1/folder/",
        "git::http://ada:s3cret@127.0.0.1:1/a",
        "git::http://s3cret@127.0.0.1:1/a?sshkey=s3cret",
        "s3::https://ada:s3cret@example.com/x?aws_access_key_secret=s3cret",
        "ftp://ada:s3cret@example.com/x",
        "https://ada:s3cret@[::1/x",
        "https://ada:s3cret@s3.amazonaws.com.example/x?checksum=s3cret",
        "bitbucket.org/a?key=s3cret",
    ],
)
def test_logins_and_keys_in_an_address_are_not_told(tmp_path: Path, address: str) -> None:
    write(tmp_path, {"x": ""})
    done = pratique(tmp_path, Case("", f"pull -p got {address}", {}))
    assert done.code == 1
    assert "s3cret" not in done.stdout + done.stderr, done.stderr


@pytest.mark.parametrize("name", ["none.rego", "folder/", "p.gz", "empty.zip", "bad.tgz", "up.tgz", "to-file"])
def test_a_url_that_is_refused(tmp_path: Path, server: Server, name: str) -> None:
    server.files.update(
        {
            "/folder/": b"<html></html>",
            "/p.gz": gzip.compress(POLICY.encode()),
            "/empty.zip": zipped({}),
            "/bad.tgz": b"none",
            "/up.tgz": tarred({"../up.rego": POLICY}),
        }
    )
    server.redirects["/to-file"] = "file:///etc/hostname"
    folder = tmp_path / "ours"
    write(folder, {"x": ""})
    done = pratique(folder, Case("", f"pull -p got {server.url}/{name}", {}))
    assert (done.code, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: download policies: client get: ")
    assert not (folder / "got").exists()
    assert conftest(folder, Case("", f"pull -p theirs {server.url}/{name}", {})).code == 1


def test_a_file_that_breaks_off(tmp_path: Path, server: Server) -> None:
    server.files["/main.rego"] = POLICY.encode()
    server.short = True
    write(tmp_path, {"x": ""})
    done = pratique(tmp_path, Case("", f"pull -p got {server.url}/main.rego", {}))
    assert (done.code, "main.rego" in done.stderr) == (1, True)
    assert not (tmp_path / "got").exists()


@pytest.mark.parametrize("kind", ["md5", "sha1", "sha256", "sha512"])
@pytest.mark.parametrize("named", [True, False])
def test_a_checksum(tmp_path: Path, server: Server, kind: str, named: bool) -> None:
    server.files["/main.rego"] = POLICY.encode()
    digest = hashlib.new(kind, POLICY.encode()).hexdigest()
    said = f"{kind}:{digest}" if named else digest
    assert both(tmp_path, f"{server.url}/main.rego?checksum={said}").code == 0
    wrong = said[:-1] + ("0" if said[-1] != "0" else "1")
    done = pratique(tmp_path / "ours", Case("", f"pull -p wrong {server.url}/main.rego?checksum={wrong}", {}))
    assert (done.code, "Checksums did not match" in done.stderr) == (1, True)
    assert not (tmp_path / "ours" / "wrong").exists()


def test_a_link_in_an_archive_becomes_an_empty_file(tmp_path: Path, server: Server) -> None:
    server.files["/p.tgz"] = tarred({"main.rego": POLICY}, link="/etc/hostname")
    assert both(tmp_path, f"{server.url}/p.tgz").code == 0
    assert (tmp_path / "ours" / "got" / "link").read_bytes() == b""


def test_a_link_that_leads_out_of_a_repository_is_refused(tmp_path: Path, source: Path) -> None:
    (source / "out.rego").symlink_to("/etc/hostname")
    commit(source)
    done = pratique(tmp_path, Case("", f"pull -p got git::{source}", {}))
    assert (done.code, "out.rego is a link" in done.stderr) == (1, True)
    assert not (tmp_path / "got").exists()


def test_what_is_there_is_not_overwritten(tmp_path: Path, source: Path, server: Server) -> None:
    server.files["/main.rego"] = POLICY.encode()
    for address in (f"{server.url}/main.rego", f"git::{source}", f"{tmp_path}/p.tgz", f"{source}/main.rego"):
        folder = tmp_path / "there"
        write(folder, {"got/main.rego": "package mine\n"})
        done = pratique(folder, Case("", f"pull -p got {address}", {}))
        expected = "Error: download policies: policy file already exists at got/main.rego, refusing to overwrite\n"
        assert done == Outcome(1, "", expected), address
        assert what_is_there(folder / "got") == {"main.rego": "package mine\n"}


def test_a_folder_is_not_emptied_for_a_part_of_a_repository(tmp_path: Path, source: Path) -> None:
    write(tmp_path, {"got/mine.rego": "package mine\n"})
    done = pratique(tmp_path, Case("", f"pull -p got git::{source}//sub", {}))
    assert (done.code, "refusing to overwrite" in done.stderr) == (1, True)
    assert what_is_there(tmp_path / "got") == {"mine.rego": "package mine\n"}


@pytest.mark.parametrize(
    "address", ["{}/source/main.rego", "git::{}/source//sub", "git::{}/source", "{}/p.tgz", "{}/p.zip//sub"]
)
def test_update_makes_the_folder(tmp_path: Path, source: Path, address: str) -> None:
    assert source.is_dir()
    both(tmp_path, address.format(tmp_path), update=True)


def test_update_takes_the_place_of_what_was_there(tmp_path: Path, server: Server) -> None:
    server.files["/main.rego"] = POLICY.encode()
    done = both(tmp_path, f"{server.url}/main.rego", prepared={"got/main.rego": "package old\n"}, update=True)
    assert (done.code, done.stdout.splitlines()[0]) == (1, "FAIL - pod.yaml - main - x")


def test_a_part_of_an_artifact(tmp_path: Path) -> None:
    with Registry() as registry:
        write(tmp_path, {f"policy/{name}": text for name, text in FILES.items()})
        assert conftest(tmp_path, Case("", f"push {registry.host}/p:v1", {})).code == 0
        assert both(tmp_path, f"oci://{registry.host}/p:v1//policy/sub") == Outcome(0, "", "")


def test_a_folder_that_is_there_is_not_made_a_link(tmp_path: Path, source: Path) -> None:
    assert both(tmp_path, f"{source}", prepared={"got/main.rego": "package old\n"}).code == 1


@pytest.mark.parametrize(
    ("address", "how", "url", "subfolder"),
    [
        ("github.com/a/b", "git", "https://github.com/a/b.git", ""),
        ("github.com/a/b//c/d?ref=v1", "git", "https://github.com/a/b.git", "c/d"),
        ("github.com/a/b/c", "git", "https://github.com/a/b.git", "c"),
        ("git@example.com:a/b.git//c", "git", "ssh://git@example.com/a/b.git", "c"),
        ("git::https://example.com/a//b", "git", "https://example.com/a", "b"),
        ("localhost:5000/p:v1", "oci", "localhost:5000/p:v1", ""),
        ("quay.io/a/b", "oci", "quay.io/a/b", ""),
        ("oci://localhost:5000/a:v1//b", "oci", "localhost:5000/a:v1", "b"),
        ("oci://example.com/a:v1", "oci", "example.com/a:v1", ""),
        ("https://example.com/p.zip?a=1&archive=tgz", "https", "https://example.com/p.zip?a=1", ""),
        ("/a/../b", "file", "file:///a/../b", ""),
        ("b", "file", "file:///got/b", ""),
    ],
)
def test_what_an_address_stands_for(address: str, how: str, url: str, subfolder: str) -> None:
    found = address_of(address, "got")
    assert (found.how, found.url, found.subfolder) == (how, url, subfolder)


@pytest.mark.parametrize(
    "address",
    [
        "s3::https://example.com/x",
        "hg::https://example.com/x",
        "bitbucket.org/a/b",
        "ftp://example.com/x",
        "github.com/a",
        "",
    ],
)
def test_what_is_fetched_by_nobody(address: str) -> None:
    with pytest.raises(ConftestError):
        address_of(address, "got")


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def test_a_server_that_says_nothing_is_given_up(tmp_path: Path, silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_SILENT_SECONDS", 0.2)
    with pytest.raises(ConftestError, match=r"cannot be fetched: .*timed out"):
        fetching.fetch_file(address_of(f"http://{silent}/a.rego", "got"), tmp_path / "a")
    monkeypatch.setattr(fetching, "SECONDS", 0.5)
    with pytest.raises(ConftestError, match="git takes longer than"):
        fetching.clone(address_of(f"git::http://{silent}/a", "got"), tmp_path / "tree")


def test_a_file_that_is_too_large(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.files["/main.rego"] = POLICY.encode()
    monkeypatch.setattr(fetching, "MAX_BYTES", len(POLICY))
    fetching.fetch_file(address_of(f"{server.url}/main.rego", "got"), tmp_path / "a")
    monkeypatch.setattr(fetching, "MAX_BYTES", len(POLICY) - 1)
    with pytest.raises(ConftestError, match="has more than"):
        fetching.fetch_file(address_of(f"{server.url}/main.rego", "got"), tmp_path / "a")


@pytest.mark.parametrize("address", ["http::file:///etc/hostname", "git::file:///none?sshkey=eA=="])
def test_what_an_address_may_not_ask_for(tmp_path: Path, address: str) -> None:
    write(tmp_path, {"x": ""})
    done = pratique(tmp_path, Case("", f"pull -p got {address}", {}))
    assert (done.code, done.stderr.startswith("Error: download policies: client get: ")) == (1, True)
    assert not (tmp_path / "got").exists()


@pytest.mark.parametrize("kind", ["tgz", "zip", "tar"])
def test_an_archive_that_comes_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(archives, "MAX_BYTES", 100_000)
    files = {"a": "x" * 60_000, "b": "x" * 60_000}
    (tmp_path / "p").write_bytes(
        zipped(files) if kind == "zip" else tarred(files, mode="w:gz" if kind == "tgz" else "w:")
    )
    with pytest.raises(ConftestError, match="more than 100000 bytes"):
        archives.unpack(tmp_path / "p", kind, tmp_path / "out")


def test_an_archive_of_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_FILES", 3)
    (tmp_path / "p").write_bytes(zipped({str(index): "" for index in range(4)}))
    with pytest.raises(ConftestError, match="more than 3 files"):
        archives.unpack(tmp_path / "p", "zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()  # nor was a list of millions of names read
    (tmp_path / "p").write_bytes(tarred({"a": ""}, folders=3))
    with pytest.raises(ConftestError, match="more than 3 files"):
        archives.unpack(tmp_path / "p", "tgz", tmp_path / "out")
