"""Fetches policies into a folder: from OCI registries, by git or HTTP, or from this machine."""

from __future__ import annotations

import glob
import os
import posixpath
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pratiquectl.conftest.addresses import Address, address_of, shown
from pratiquectl.conftest.archives import KINDS, kind_of, unpack
from pratiquectl.conftest.errors import ConftestError
from pratiquectl.conftest.fetching import check, clone, fetch_file
from pratiquectl.conftest.registry import Registry, parse_reference


def download(addresses: Sequence[str], folder: str, *, tls: bool | None, overwrite: bool = False) -> None:
    """Writes the policies of each address below `folder`, or makes it a link to a folder of this machine.

    Without `overwrite`, nothing is lost that is there; with it, the folder is what conftest makes of it.

    Raises:
        ConftestError: an address stands for nothing, cannot be fetched, or a file is there with another content.
    """
    for text in addresses:
        address = address_of(text, folder)
        try:
            _fetch(address, Path(folder), tls=tls, overwrite=overwrite)
        except OSError as error:
            hint = ""
            if address.how == "file" and isinstance(error, FileNotFoundError) and "://" not in text and text[:1] != "/":
                hint = (
                    f"; write oci://{shown(text)} if this is an OCI registry, and a path from the root if it is a file"
                )
            raise ConftestError(
                f"client get: {error.filename or shown(text)}: {error.strerror or error}{hint}"
            ) from error


def _fetch(address: Address, folder: Path, *, tls: bool | None, overwrite: bool) -> None:
    """Write what is at one address into the folder."""
    if address.how == "oci" and not address.subfolder:
        _pull(address.url, folder, tls=tls, overwrite=overwrite, environ=os.environ)
        return
    target = folder / address.name
    if not overwrite and address.how not in ("git", "oci") and target.exists():
        raise ConftestError(f"policy file already exists at {target}, refusing to overwrite")
    with tempfile.TemporaryDirectory(prefix="pratique-fetch-") as temporary:
        fetched, tree = Path(temporary, "fetched"), Path(temporary, "tree")
        if address.how == "oci":
            _pull(address.url, tree, tls=tls, overwrite=True, environ=os.environ)
        elif address.how == "git":
            clone(address, tree)
        elif address.how == "file":
            fetched = Path(address.path)
            tree = fetched if stat.S_ISDIR(fetched.stat().st_mode) else tree
        else:
            fetch_file(address, fetched)
        if tree.is_dir() and "checksum" in address.options:
            raise ConftestError("client get: checksum cannot be specified for directory download")
        if not tree.is_dir():
            if "checksum" in address.options:
                check(fetched, address.options["checksum"])
            if kind := _archive(address):
                tree.mkdir()
                unpack(fetched, kind, tree)
        if not tree.is_dir():
            _install_file(address, fetched, folder)
        elif tree == fetched and not address.subfolder:
            _link(tree, folder)
        else:
            _install(_subfolder(tree, address.subfolder), folder, overwrite=overwrite, alone=bool(address.subfolder))


def _archive(address: Address) -> str:
    """The kind of archive that the file is, or is said to be; nothing if it is to stay what it is."""
    said = address.options.get("archive", "")
    if not said:
        return kind_of(address.path)
    return said if said in KINDS else ""


def _install_file(address: Address, fetched: Path, folder: Path) -> None:
    """Put one file into the folder, or a link to it if it is of this machine."""
    if address.subfolder:
        raise ConftestError(f"client get: {shown(address.url)} is a file, and has no folder {address.subfolder!r}")
    path = _inside(folder, address.options.get("filename") or posixpath.basename(address.path.rstrip("/")))
    folder.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    if address.how == "file":
        temporary.symlink_to(fetched)
    else:
        shutil.copyfile(fetched, temporary)
    temporary.replace(path)


def _link(source: Path, folder: Path) -> None:
    """Make `folder` a link to a folder of this machine."""
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        raise ConftestError(f"client get: error downloading '{source}': destination exists and is not a symlink")
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.symlink_to(source)


def _subfolder(tree: Path, pattern: str) -> Path:
    """The one folder of `tree` that the pattern names."""
    if not pattern:
        return tree
    found = glob.glob(os.path.join(glob.escape(str(tree)), pattern))
    if len(found) != 1:
        what = "matches multiple paths" if found else "not found"
        raise ConftestError(f'client get: subdir "{pattern}" {what}')
    place = Path(found[0])
    if not place.is_dir() or not place.resolve().is_relative_to(tree.resolve()):
        raise ConftestError(f'client get: subdir "{pattern}" is no folder of what was fetched')
    return place


def _install(tree: Path, folder: Path, *, overwrite: bool, alone: bool) -> None:
    """Copy a tree into the folder; `alone` says that nothing else is to be in it."""
    files = {path.relative_to(tree): path for path in _files(tree)}
    there = {path.relative_to(folder): path for path in _files(folder)} if alone or not overwrite else {}
    for name, path in there.items():
        same = name in files and path.read_bytes() == files[name].read_bytes()
        if not overwrite and (name in files or alone) and not same:
            raise ConftestError(f"policy file already exists at {path}, refusing to overwrite")
    if alone and overwrite:
        folder.unlink() if folder.is_symlink() else shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    for name, source in files.items():
        _write(_inside(folder, str(name)), source.read_bytes())


def _files(tree: Path) -> Iterator[Path]:
    """The files below `tree`, but for what git keeps there.

    Raises:
        ConftestError: a link leads to a folder, or out of the tree.
    """
    for folder, names, files in os.walk(tree):
        if ".git" in names:
            names.remove(".git")
        for name in (*names, *files):
            path = Path(folder, name)
            if path.is_symlink() and not (path.is_file() and path.resolve().is_relative_to(tree.resolve())):
                raise ConftestError(f"client get: {path.relative_to(tree)} is a link to a folder, or out of it")
        yield from (Path(folder, name) for name in files if name != ".git")


def _pull(address: str, folder: Path, *, tls: bool | None, overwrite: bool, environ: Mapping[str, str]) -> None:
    files: list[tuple[Path, bytes]] = []
    for title, content in Registry(parse_reference(address), tls=tls, environ=environ).pull():
        path = _inside(folder, title)
        if path.exists() and not overwrite and (path.is_dir() or path.read_bytes() != content):
            raise ConftestError(f"policy file already exists at {path}, refusing to overwrite")
        files.append((path, content))
    folder.mkdir(parents=True, exist_ok=True)
    for path, content in files:
        _write(path, content)


def _write(path: Path, content: bytes) -> None:
    """Write a file so that nobody sees a part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(content)
    temporary.replace(path)


def _inside(folder: Path, title: str) -> Path:
    """The path of a file that is fetched; what is there may be a link, which is replaced.

    Raises:
        ConftestError: its name leads out of the folder, or is none.
    """
    if "\0" in title:
        raise ConftestError(f"the layer {title!r} cannot be written: no file can have this name")
    path = Path(os.path.normpath(folder / title))
    if os.path.isabs(title) or not path.name or not path.parent.resolve().is_relative_to(folder.resolve()):
        raise ConftestError(f"the layer {title!r} would be written outside of {folder}")
    return path
