"""TLS: the serving certificate follows its files, and certificates are made as clients want them."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from pratique.errors import ConfigError
from tests.support.pki import Authority
from webhook.tls import ServingCertificate, TlsFiles, make_certificates, server_context


def _files(folder: Path, *, client_ca: Path | None = None, hosts: tuple[str, ...] = ("localhost",)) -> TlsFiles:
    make_certificates(folder, hosts=hosts, days=30, force=True)
    return TlsFiles(folder / "tls.crt", folder / "tls.key", client_ca)


def _serial(path: Path) -> int:
    return x509.load_pem_x509_certificate(path.read_bytes()).serial_number


class _Echo:
    """A TLS server in a thread that sends back what it gets, and hands out connections to itself."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def connect(
        self, authority: Path, *, identity: tuple[Path, Path] | None = None, version: ssl.TLSVersion | None = None
    ) -> ssl.SSLSocket:
        context = ssl.create_default_context(cafile=str(authority))
        if identity is not None:
            context.load_cert_chain(*identity)
        if version is not None:
            context.maximum_version = version
        plain = socket.create_connection(self._listener.getsockname(), timeout=60)
        self._open.append(plain)
        secure = context.wrap_socket(plain, server_hostname="localhost")
        self._open.append(secure)
        return secure

    def close(self) -> None:
        self._listener.close()
        for connection in self._open:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        try:
            with plain, self._context.wrap_socket(plain, server_side=True) as secure:
                while data := secure.recv(100):
                    secure.sendall(data)
        except OSError:
            return  # the client was refused, or left


@contextmanager
def _echo(context: ssl.SSLContext) -> Iterator[_Echo]:
    server = _Echo(context)
    try:
        yield server
    finally:
        server.close()


def _asked(connection: ssl.SSLSocket) -> bytes:
    connection.sendall(b"ping")
    return connection.recv(4)


def _is_refused(server: _Echo, authority: Path, identity: tuple[Path, Path] | None) -> bool:
    """Whether nothing comes back. In TLS 1.3 a client learns that it is refused only after it has sent something."""
    try:
        return _asked(server.connect(authority, identity=identity)) == b""
    except OSError:
        return True


def _served(connection: ssl.SSLSocket) -> int:
    der = connection.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der).serial_number


def test_a_new_pair_is_served_to_new_connections_and_old_ones_stay_open(tmp_path: Path) -> None:
    files = _files(tmp_path)
    certificate = ServingCertificate(files)
    with _echo(certificate.context) as server:
        before = server.connect(tmp_path / "ca.crt")
        first = _serial(files.certificate)
        make_certificates(tmp_path, hosts=["localhost"], days=60, force=True)
        certificate.poll()
        after = server.connect(tmp_path / "ca.crt")

        assert _served(before) == first
        assert _served(after) == _serial(files.certificate) != first
        assert (_asked(before), _asked(after)) == (b"ping", b"ping")
    assert (certificate.problem, certificate.rotations) == ("", 1)
    assert certificate.expires > datetime.now(UTC) + timedelta(days=59)


def test_half_of_a_new_pair_is_not_taken_and_the_whole_of_it_is(tmp_path: Path) -> None:
    files = _files(tmp_path / "old")
    certificate = ServingCertificate(files)
    fresh = _files(tmp_path / "new")
    first = _serial(files.certificate)
    with _echo(certificate.context) as server:
        fresh.key.replace(files.key)
        certificate.poll()

        assert _served(server.connect(tmp_path / "old" / "ca.crt")) == first
        assert certificate.problem == (
            f"{files.certificate}: is no certificate for the key in {files.key} (key values mismatch);"
            " give the pair that belongs together"
        )
        fresh.certificate.replace(files.certificate)
        certificate.poll()

        assert _served(server.connect(tmp_path / "new" / "ca.crt")) == _serial(files.certificate)
    assert (certificate.problem, certificate.rotations) == ("", 1)


def test_a_symlink_swap_as_kubernetes_does_it_is_a_change(tmp_path: Path) -> None:
    for version in ("one", "two"):
        _files(tmp_path / version)
    (tmp_path / "..data").symlink_to("one")
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).symlink_to(f"..data/{name}")
    certificate = ServingCertificate(TlsFiles(tmp_path / "tls.crt", tmp_path / "tls.key"))
    (tmp_path / "..tmp").symlink_to("two")
    (tmp_path / "..tmp").replace(tmp_path / "..data")

    certificate.poll()
    certificate.poll()

    assert certificate.rotations == 1


def test_with_a_client_ca_only_its_clients_are_served(tmp_path: Path) -> None:
    clients = Authority(tmp_path / "clients", name="clients")
    others = Authority(tmp_path / "others", name="others")
    api_server = clients.client("api", user="kube-apiserver", groups=())
    stranger = others.client("stranger", user="kube-apiserver", groups=())
    files = _files(tmp_path, client_ca=clients.certificate)
    with _echo(ServingCertificate(files).context) as server:
        identity = (api_server.certificate, api_server.key)
        assert _asked(server.connect(tmp_path / "ca.crt", identity=identity)) == b"ping"
        assert _is_refused(server, tmp_path / "ca.crt", None)
        assert _is_refused(server, tmp_path / "ca.crt", (stranger.certificate, stranger.key))
        with pytest.raises(ssl.SSLError, match=r"(?i)protocol version"):
            server.connect(tmp_path / "ca.crt", identity=identity, version=ssl.TLSVersion.TLSv1_2)


def test_a_new_client_ca_replaces_the_old_one(tmp_path: Path) -> None:
    old = Authority(tmp_path / "a", name="old")
    new = Authority(tmp_path / "b", name="new")
    before = old.client("api", user="kube-apiserver", groups=())
    after = new.client("api", user="kube-apiserver", groups=())
    files = _files(tmp_path, client_ca=old.certificate)
    certificate = ServingCertificate(files)
    with _echo(certificate.context) as server:
        assert _asked(server.connect(tmp_path / "ca.crt", identity=(before.certificate, before.key))) == b"ping"
        new.certificate.replace(old.certificate)
        certificate.poll()

        assert _asked(server.connect(tmp_path / "ca.crt", identity=(after.certificate, after.key))) == b"ping"
        assert _is_refused(server, tmp_path / "ca.crt", (before.certificate, before.key))


def test_tls_1_2_is_served_and_older_is_not(tmp_path: Path) -> None:
    context = server_context(_files(tmp_path))

    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    with _echo(context) as server:
        assert server.connect(tmp_path / "ca.crt", version=ssl.TLSVersion.TLSv1_2).version() == "TLSv1.2"
        assert server.connect(tmp_path / "ca.crt").version() == "TLSv1.3"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("tls.crt", None, "tls.crt: cannot be read: No such file or directory"),
        ("tls.key", None, "tls.key: cannot be read: No such file or directory"),
        ("tls.crt", "text", "tls.crt: is no certificate for the key in "),
        ("tls.key", "text", "tls.crt: is no certificate for the key in "),
        ("clients.crt", None, "clients.crt: cannot be read: No such file or directory"),
        ("clients.crt", "text", "clients.crt: holds no CA certificate (no certificate or crl found)"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, name: str, content: str | None, message: str) -> None:
    clients = Authority(tmp_path, name="clients")
    files = _files(tmp_path, client_ca=clients.certificate)
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_text(content)

    with pytest.raises(ConfigError) as raised:
        ServingCertificate(files)

    assert str(raised.value).startswith(f"{tmp_path}/{message}")


def test_a_certificate_that_has_expired_is_refused_at_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = _files(tmp_path)

    clock = SimpleNamespace(now=lambda _: datetime(2100, 1, 1, tzinfo=UTC))
    monkeypatch.setattr("webhook.tls.datetime", clock)

    with pytest.raises(ConfigError, match=r"tls\.crt: expired at .*Z; renew it"):
        ServingCertificate(files)


def test_what_is_made_is_what_clients_want(tmp_path: Path) -> None:
    made = make_certificates(tmp_path, hosts=["pratique.pratique-system.svc", "127.0.0.1", "::1"], days=90, force=False)

    leaf = x509.load_pem_x509_certificate((tmp_path / "tls.crt").read_bytes())
    authority = x509.load_pem_x509_certificate((tmp_path / "ca.crt").read_bytes())
    leaf.verify_directly_issued_by(authority)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["pratique.pratique-system.svc"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert not usage.key_cert_sign
    assert list(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.SERVER_AUTH
    ]
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert authority.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert authority.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    assert made.new_authority
    assert made.expires - datetime.now(UTC) > timedelta(days=89)
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()}
    assert modes == {"ca.crt": "0o644", "ca.key": "0o600", "tls.crt": "0o644", "tls.key": "0o600"}


def test_a_certificate_does_not_outlive_its_authority(tmp_path: Path) -> None:
    made = make_certificates(tmp_path, hosts=["localhost"], days=100_000, force=False)

    authority = x509.load_pem_x509_certificate((tmp_path / "ca.crt").read_bytes())
    assert made.expires == authority.not_valid_after_utc.replace(microsecond=made.expires.microsecond)
