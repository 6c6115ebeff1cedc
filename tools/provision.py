#!/usr/bin/env python3
"""Puts the pinned tools (opa, kube-apiserver, kubectl, etcd ...) into the cache folder.

    python3 tools/provision.py [NAME ...] [--list] [--print-path NAME] [--cache DIR] [--table FILE]

It runs before any virtual environment exists: standard library only. For each tool of `versions.toml`, in this order:

1. already in the cache at the pinned version: nothing to do; no network and no program is run
2. on the PATH at exactly the pinned version: a link to it
3. the official release, checked against the pinned checksum; a sum that differs is a refusal, never a reason to build
4. `go build` of the pinned module beside the table

Nothing half-made ever has a tool's name: a download has no name at all until its checksum is right, a build happens in
a work folder of its own, and both end in a rename. One lock per tool makes a second run wait for the first.

Exit codes: 0 done, 1 could not (one sentence on stderr says why and what to do), 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from provisioning.build import install_build, wanted_go
from provisioning.cache import Cache
from provisioning.errors import Interrupted, ProvisionError, UnavailableError, reason_of
from provisioning.program import install_link
from provisioning.progress import Progress
from provisioning.table import Tool, read_table

HERE = Path(__file__).resolve().parent
DEFAULT_TABLE = HERE / "versions.toml"
DEFAULT_CACHE = HERE.parent / ".cache" / "tools"
CACHE_VARIABLE = "PRATIQUE_TOOLS_CACHE"
MIRROR_VARIABLE = "PRATIQUE_TOOLS_MIRROR"
NETWORK_TIMEOUT_SECONDS = 10.0  # a release host that is silent this long is given up: the build comes next


def this_platform() -> str:
    """This machine in the words of the table, such as linux-amd64."""
    machine = platform.machine().lower()
    return f"{sys.platform}-{ {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(machine, machine) }"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One line of the table printed at the end."""

    tool: Tool
    source: str
    seconds: float


def provide(tool: Tool, cache: Cache, options: Options) -> Outcome:
    """Sees that the cache has the tool at its pinned version.

    Raises:
        ProvisionError: it cannot be had.
    """
    started = time.monotonic()

    def outcome(source: str) -> Outcome:
        return Outcome(tool=tool, source=source, seconds=time.monotonic() - started)

    # 1. the cache, without and then under the lock: another run may have done the work while this one waited
    if cache.holds(tool):
        return outcome("cache")
    progress = Progress(tool.name, sys.stderr)
    with cache.locked(tool, progress):
        if cache.holds(tool):
            return outcome("cache")
        source = _make(tool, cache, options, progress)
        progress.say(f"{tool.version} is in {cache.path(tool)} (from: {source})")
    return outcome(source)


def _make(tool: Tool, cache: Cache, options: Options, progress: Progress) -> str:
    """Installs the tool in the first way that leads to it, and returns the name of that way."""
    # Imported here only: the many runs that find the cache full do without the network code.
    from provisioning.release import install_release

    modules = options.table.parent

    def release() -> None:
        install_release(tool, cache, progress, mirror=options.mirror, timeout_seconds=options.timeout_seconds)

    ways: list[tuple[str, Callable[[], None]]] = [
        ("PATH", lambda: install_link(tool, cache)),  # 2.
        ("release", release),  # 3.
        ("build", lambda: install_build(tool, cache, progress, modules=modules)),  # 4.
    ]
    tried = []
    for name, way in ways:
        try:
            way()
        except UnavailableError as error:
            tried.append(str(error))
            progress.say(str(error))
        else:
            return name
    raise ProvisionError(
        f"{tool.name} {tool.version} could not be provided: {'; '.join(tried)}. Install Go {wanted_go(tool, modules)} "
        f"or newer and see that it can fetch modules, or put {tool.name} {tool.version} on the PATH."
    )


@dataclass(frozen=True, kw_only=True)
class Options:
    """The command line and the environment, read once."""

    names: tuple[str, ...]
    table: Path
    cache: Path
    mirror: str | None
    timeout_seconds: float
    print_path: str | None
    only_list: bool


def read_options(arguments: list[str]) -> Options:
    parser = argparse.ArgumentParser(
        prog="provision.py",
        description="Put the pinned tools into the cache: from the PATH, the official release, or a build with Go.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="tools to provide (default: all of the table)")
    parser.add_argument("--list", action="store_true", help="show the tools and what the cache has; change nothing")
    parser.add_argument("--print-path", metavar="NAME", help="print where NAME is; exit 1 if it is not there yet")
    parser.add_argument("--cache", type=Path, metavar="DIR", help=f"default: ${CACHE_VARIABLE}, else .cache/tools")
    parser.add_argument("--table", type=Path, default=DEFAULT_TABLE, metavar="FILE", help="default: versions.toml")
    parser.add_argument("--mirror", metavar="URL", help=f"in place of https:// in release URLs (${MIRROR_VARIABLE})")
    parser.add_argument(
        "--timeout",
        type=float,
        default=NETWORK_TIMEOUT_SECONDS,
        metavar="SECONDS",
        help="give up on a release host that is silent for this long (default: %(default)g)",
    )
    given = parser.parse_args(arguments)
    if not 0 < given.timeout < 3600:
        parser.error(f"--timeout must be more than 0 and less than 3600 seconds, not {given.timeout:g}")
    cache = given.cache or Path(os.environ.get(CACHE_VARIABLE) or DEFAULT_CACHE)
    return Options(
        names=tuple(given.names),
        table=given.table.absolute(),
        cache=cache.absolute(),
        mirror=given.mirror or os.environ.get(MIRROR_VARIABLE) or None,
        timeout_seconds=given.timeout,
        print_path=given.print_path,
        only_list=given.list,
    )


def run(options: Options) -> int:
    """Does what the options say and returns the exit code.

    Raises:
        ProvisionError: a tool could not be provided.
    """
    tools = read_table(options.table)
    for name in (*options.names, *([options.print_path] if options.print_path else [])):
        if name not in tools:
            print(f"provision: there is no tool {name!r}; choose from {', '.join(tools)}", file=sys.stderr)
            return 2
    cache = Cache(options.cache, this_platform())
    if options.print_path:
        tool = tools[options.print_path]
        if not cache.holds(tool):
            raise ProvisionError(
                f"{tool.name} {tool.version} is not in {cache.folder}; run tools/provision.py {tool.name}"
            )
        print(cache.path(tool))
        return 0
    wanted = [tools[name] for name in dict.fromkeys(options.names or tools)]
    if options.only_list:
        rows = [(one.name, one.version, str(cache.path(one)) if cache.holds(one) else "missing") for one in wanted]
        _print_table(("tool", "version", "path"), rows)
        return 0
    done = [provide(tool, cache, options) for tool in wanted]
    _print_table(
        ("tool", "version", "from", "seconds"),
        [(one.tool.name, one.tool.version, one.source, f"{one.seconds:.1f}") for one in done],
    )
    return 0


def _print_table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _interrupt(signal_number: int, _frame: object) -> NoReturn:
    raise Interrupted(signal.Signals(signal_number).name)


def main(arguments: list[str] | None = None) -> int:
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    try:
        return run(read_options(sys.argv[1:] if arguments is None else arguments))
    except ProvisionError as error:
        print(f"provision: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains once more when it ends
        return 1
    except OSError as error:
        where = error.filename or "the cache"
        print(f"provision: {where}: {reason_of(error)}; correct that and try again", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, Interrupted):
        print("\nprovision: interrupted; nothing half-made was kept, run it again to go on", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
