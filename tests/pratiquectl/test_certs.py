"""`pratique certs`."""

from __future__ import annotations

from pathlib import Path

import pytest

from pratiquectl.__main__ import main


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_it_makes_a_ca_and_a_certificate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "certs"

    assert main(["certs", "--out", str(out), "--host", "localhost", "--host", "127.0.0.1", "--days", "7"]) == 0

    assert list(_contents(out)) == ["ca.crt", "ca.key", "tls.crt", "tls.key"]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{out}/tls.crt: for localhost, 127.0.0.1, until ")
    assert lines[1:] == [
        f"{out}/tls.key: its key",
        f"{out}/ca.crt: new CA; give it to `pratique webhook-config --ca-bundle`",
    ]


def test_it_replaces_nothing_without_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["certs", "--out", str(tmp_path), "--host", "localhost"])
    before = _contents(tmp_path)

    assert main(["certs", "--out", str(tmp_path), "--host", "localhost"]) == 2

    assert _contents(tmp_path) == before
    message = f"pratique: {tmp_path}/tls.crt: is there already; --force replaces it, and keeps the CA\n"
    assert capsys.readouterr().err == message


def test_force_renews_the_certificate_with_the_same_ca(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["certs", "--out", str(tmp_path), "--host", "localhost"])
    before = _contents(tmp_path)

    assert main(["certs", "--out", str(tmp_path), "--host", "localhost", "--force"]) == 0

    after = _contents(tmp_path)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"tls.crt", "tls.key"}
    assert "CA that was there" in capsys.readouterr().out


def test_a_folder_with_a_ca_alone_gets_a_certificate_of_it(tmp_path: Path) -> None:
    main(["certs", "--out", str(tmp_path), "--host", "localhost"])
    authority = _contents(tmp_path)["ca.crt"]
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).unlink()

    assert main(["certs", "--out", str(tmp_path), "--host", "localhost"]) == 0

    assert _contents(tmp_path)["ca.crt"] == authority


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("ca.key", None, "ca.key: is missing beside ca.crt; put it back, or take ca.crt away for a new CA"),
        ("ca.crt", None, "ca.crt: is missing beside ca.key; put it back, or take ca.key away for a new CA"),
        ("ca.crt", "text", ": ca.crt and ca.key cannot be used: "),
    ],
)
def test_a_broken_ca_is_not_replaced_in_silence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: str | None, message: str
) -> None:
    main(["certs", "--out", str(tmp_path), "--host", "localhost"])
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_text(content)

    assert main(["certs", "--out", str(tmp_path), "--host", "localhost", "--force"]) == 2

    assert message in capsys.readouterr().err


def test_the_key_of_another_ca_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one", "two"):
        main(["certs", "--out", str(tmp_path / name), "--host", "localhost"])
    (tmp_path / "two" / "ca.key").replace(tmp_path / "one" / "ca.key")

    assert main(["certs", "--out", str(tmp_path / "one"), "--host", "localhost", "--force"]) == 2

    message = f"pratique: {tmp_path}/one/ca.key: is not the elliptic key of ca.crt; take both away for a new CA\n"
    assert capsys.readouterr().err == message


@pytest.mark.parametrize("host", ["not a host", "-a.example", "", "a..b", "x" * 64])
def test_a_host_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], host: str) -> None:
    assert main(["certs", "--out", str(tmp_path / "new"), f"--host={host}"]) == 2

    assert f"--host: {host!r} is neither a DNS name nor an IP address" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("days", ["0", "-1", "soon", "99999"])
def test_a_number_of_days_that_is_none_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], days: str
) -> None:
    assert main(["certs", "--out", str(tmp_path), "--host", "localhost", f"--days={days}"]) == 2

    assert "is not a number of days from 1 to 3650" in capsys.readouterr().err
