"""What `pratique check` is given: files, folders and stdin, what helm and kustomize make, and which of it changed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pratique.errors import InputError, Problem
from pratiquectl.manifests import MAX_FILE_BYTES, Found, Manifest, documents_of, read_manifests
from reports.check import PassedOver
from reports.text import visible

RENDER_SECONDS = 120.0
"""How long helm or kustomize may take: both may fetch what they need."""

GIT_SECONDS = 60.0

_SOURCE = re.compile(r"^# Source: (\S.*?)\s*$", re.MULTILINE)
"""What helm writes above each manifest (helm.sh/helm/v3/pkg/action, `renderResources`)."""
_SOURCE_REACH = 2000
_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_MAX_SHOWN = 600


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is to be read. `values` go to every chart. `changed_since` is a git revision, or empty."""

    paths: Sequence[str] = ()
    charts: Sequence[str] = ()
    values: Sequence[str] = ()
    kustomizations: Sequence[str] = ()
    namespace: str = "default"
    changed_since: str = ""
    judged_with: Sequence[Path] = ()
    """Policies and configuration: where one of those changed, everything is judged."""


def read_inputs(inputs: Inputs) -> list[Found]:
    """Everything that `inputs` name. With `changed_since`, what did not change is only there for what it says.

    Raises:
        InputError: a tool that is needed is not there, or git does not know the revision.
    """
    changed = _changed(inputs) if inputs.changed_since else None
    found = list(_marked(read_manifests(inputs.paths), changed))
    for chart in inputs.charts:
        found += _only_context(_rendered_chart(chart, inputs), changed, [chart, *inputs.values])
    for folder in inputs.kustomizations:
        found += _only_context(_kustomized(folder), changed, [folder])
    return [_readable(each) for each in found]


def _readable(found: Found) -> Found:
    """`found` under a name that can be written in a report: names of files are bytes, not always UTF-8."""
    try:
        found.file.encode()
    except UnicodeEncodeError:
        return replace(found, file=os.fsencode(found.file).decode(errors="backslashreplace"))
    return found


# What helm and kustomize make


def _rendered_chart(chart: str, inputs: Inputs) -> Iterator[Found]:
    helm = _program("helm", f"install it, or render {chart} elsewhere and give the manifests")
    name = re.sub(r"[^a-z0-9-]+", "-", Path(chart).resolve().name.lower()).strip("-")[:53] or "release"
    command = [helm, "template", name, chart, "--include-crds", "--namespace", inputs.namespace]
    for values in inputs.values:
        command += ["--values", values]
    for found in _output(command, chart):
        if isinstance(found, Manifest):
            yield replace(found, file=_template_of(found, chart), line=0, place=None)
        else:
            yield found


def _template_of(found: Manifest, chart: str) -> str:
    """The template that a manifest was made from, so far as helm says; the chart otherwise."""
    if found.place is None:
        return chart
    start = found.place.start
    sources = _SOURCE.findall(found.place.text.text[max(0, start - _SOURCE_REACH) : start])
    if not sources:
        return chart
    inside = str(sources[-1]).partition("/")[2]
    file = Path(chart, inside)
    return str(file) if inside and file.is_file() else f"{chart} ({sources[-1]})"


def _kustomized(folder: str) -> Iterator[Found]:
    if shutil.which("kustomize") is None and (kubectl := shutil.which("kubectl")) is not None:
        command = [kubectl, "kustomize", folder]
    else:
        command = [_program("kustomize", f"install it (or kubectl), or build {folder} elsewhere"), "build", folder]
    names = [name for name in _KUSTOMIZATIONS if Path(folder, name).is_file()]
    file = str(Path(folder, names[0])) if names else folder
    for found in _output(command, folder):
        if isinstance(found, Manifest):
            yield replace(found, file=file, line=0, place=None)
        else:
            yield replace(found, file=file)


def _program(name: str, advice: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise InputError(f"{name} is not on the PATH; {advice}")
    return path


def _output(command: Sequence[str], name: str) -> Iterator[Found]:
    """The documents that `command` prints; a Problem where it fails."""
    said = " ".join([Path(command[0]).name, command[1]])
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=RENDER_SECONDS, stdin=subprocess.DEVNULL, check=False
        )
    except subprocess.TimeoutExpired:
        yield Problem(name, "", f"{said} was stopped after {RENDER_SECONDS:.0f} s")
        return
    except OSError as error:
        yield Problem(name, "", f"{said} cannot be run: {error.strerror}")
        return
    if done.returncode != 0:
        errors = done.stderr.decode(errors="replace").strip()
        yield Problem(name, "", f"{said} failed: {visible(errors, limit=_MAX_SHOWN) or f'status {done.returncode}'}")
    elif len(done.stdout) > MAX_FILE_BYTES:
        yield Problem(name, "", f"{said} printed more than {MAX_FILE_BYTES} bytes")
    else:
        yield from documents_of(done.stdout, name)


# What changed


@dataclass(frozen=True, slots=True)
class _Changed:
    """The files of a git work tree, by absolute path, that are not as they were."""

    root: Path
    files: frozenset[str]

    def touches(self, names: Iterable[str]) -> bool:
        """Whether one of `names` changed, or something below it, or it is outside of the work tree: nobody knows."""
        for name in names:
            for path in {Path(os.path.abspath(name)), Path(name).resolve()}:  # noqa: PTH100 - links stay links
                if not path.is_relative_to(self.root) or str(path) in self.files:
                    return True
                if path.is_dir() and any(Path(file).is_relative_to(path) for file in self.files):
                    return True
        return False


def _changed(inputs: Inputs) -> _Changed | None:
    """What changed since the revision; None where everything is to be judged, because what it is judged with did."""
    revision = inputs.changed_since
    if revision.startswith("-"):
        raise InputError(f"{revision!r} is no git revision")
    root = Path(os.fsdecode(_git("rev-parse", "--show-toplevel").rstrip(b"\n")))
    names = [
        *_git("-C", str(root), "diff", "--name-only", "-z", "--no-renames", "--merge-base", revision, "--").split(
            b"\0"
        ),
        *_git("-C", str(root), "ls-files", "--others", "--exclude-standard", "-z", "--full-name").split(b"\0"),
    ]
    changed = _Changed(root, frozenset(str(root / os.fsdecode(name)) for name in names if name))
    within = [str(path) for path in inputs.judged_with if path.resolve().is_relative_to(root)]
    return None if within and changed.touches(within) else changed


def _git(*arguments: str) -> bytes:
    program = _program("git", "--changed-since needs it")
    try:
        done = subprocess.run(
            [program, *arguments], capture_output=True, timeout=GIT_SECONDS, stdin=subprocess.DEVNULL, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(f"git cannot be run: {error}") from error
    if done.returncode != 0:
        said = visible(done.stderr.decode(errors="replace").strip(), limit=_MAX_SHOWN)
        raise InputError(f"git does not say what changed: {said}; in CI, fetch the history (fetch-depth: 0)")
    return done.stdout


def _marked(found: Iterable[Found], changed: _Changed | None) -> Iterator[Found]:
    known: dict[str, bool] = {}
    for each in found:
        if changed is None or each.file == "stdin":
            yield each
            continue
        if each.file not in known:
            known[each.file] = changed.touches([each.file])
        if known[each.file]:
            yield each
        elif (context := _context(each)) is not None:
            yield context


def _only_context(found: Iterable[Found], changed: _Changed | None, names: Sequence[str]) -> Iterator[Found]:
    """`found`, which was made of all that `names` name."""
    if changed is None or changed.touches(names):
        yield from found
    else:
        yield from (context for each in found if (context := _context(each)) is not None)


def _context(found: Found) -> Found | None:
    """What is left of something that did not change: what it says of others, or that this could not be read."""
    match found:
        case Manifest():
            return replace(found, judged=False)
        case Problem():
            where = f"{found.where}: " if found.where else ""
            reason = f"it did not change, and what it says is not known: {where}{found.message}"
            return PassedOver(found.file, 0, reason, unread=True)
        case _:
            return None
