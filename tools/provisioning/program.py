"""A program and the version that it says it has; the one on the PATH."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from provisioning.cache import Cache
from provisioning.errors import TableError, UnavailableError
from provisioning.table import Tool

PROBE_TIMEOUT_SECONDS = 20.0  # a program on the PATH that hangs when asked for its version


def reported_version(tool: Tool, program: Path) -> str | None:
    """The version that the program says it has, with a leading v; None when it does not say."""
    try:
        done = subprocess.run(
            [program, *tool.probe],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=PROBE_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = tool.reports.search(done.stdout)
    return None if found is None else "v" + found[1].removeprefix("v")


def require_version(tool: Tool, program: Path, *, origin: str) -> None:
    """Ensures that a program just made is what the table says.

    Raises:
        TableError: it has another version, or cannot be run.
    """
    program.chmod(0o755)
    reported = reported_version(tool, program)
    if reported != tool.version:
        raise TableError(
            f"{tool.name} from {origin} says that its version is {reported or 'unknown'} and not {tool.version}; "
            "correct its row in the table (and see that its cache folder allows programs to run)"
        )


def install_link(tool: Tool, cache: Cache) -> None:
    """Installs a link to the program of that name on the PATH, if it has exactly the pinned version.

    Raises:
        UnavailableError: there is none, or it has another version.
    """
    own = cache.folder.resolve()
    folders = [at for at in os.environ.get("PATH", os.defpath).split(os.pathsep) if at and Path(at).resolve() != own]
    found = shutil.which(tool.name, path=os.pathsep.join(folders)) if folders else None
    if found is None or Path(found).resolve().parent == own:
        raise UnavailableError(f"there is no {tool.name} on the PATH")
    reported = reported_version(tool, Path(found))
    if reported != tool.version:
        raise UnavailableError(f"the {tool.name} on the PATH is {reported or 'of an unknown version'}")
    with cache.work_folder(tool) as work:
        link = work / tool.name
        link.symlink_to(Path(found).absolute())
        cache.install(tool, link, source="PATH")
