"""`pratique fmt`: formats Rego, as conftest does: with OPA's formatter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pratiquectl.__main__ import Subparsers
from pratiquectl.conftest import flags
from pratiquectl.conftest.command import add_help, execute, opa_binary
from pratiquectl.conftest.errors import ConftestError
from pratiquectl.conftest.options import Flag, Options

FORMAT_SECONDS = 60.0

FLAGS = (
    Flag(name="check", kind="bool", help="change nothing; exit 1 if a file is not formatted"),
    flags.REGO_VERSION,
)


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb's parser."""
    add_help(
        subparsers,
        "fmt",
        FLAGS,
        usage="pratique fmt PATH [PATH ...] [flags]",
        help="format Rego files",
        description="Format the Rego files at the paths with OPA's formatter.",
        example="pratique fmt --check examples/conftest",
    )


def run_arguments(arguments: Sequence[str]) -> int:
    """Format."""
    return execute(arguments, FLAGS, _run)


def _run(options: Options) -> int:
    import subprocess

    from pratiquectl.conftest.opa_process import child_environment
    from pratiquectl.conftest.options import environment
    from pratiquectl.conftest.policies import read_modules

    version = options.text("rego-version")
    if version.lower() not in ("v0", "v1"):
        raise ConftestError(f"failed to parse rego-version flag: invalid Rego version: {version}")
    binary = opa_binary("opa")
    try:
        modules = read_modules(options.arguments)
    except ConftestError as error:
        text = str(error).removeprefix("load: loading policies: ").removeprefix("load: ")
        raise ConftestError(text if text.startswith("no policies") else f"get rego files: {text}") from error
    for module in modules:
        flags = ["--v0-compatible"] if version.lower() == "v0" else []
        done = subprocess.run(
            [str(binary), "fmt", *flags, module.path],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=child_environment(environment()),
            check=False,
            timeout=FORMAT_SECONDS,
        )
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip()
            raise ConftestError(f"get rego files: 1 error occurred during loading: {said}")
        if done.stdout == module.text.encode():
            continue
        if options.on("check"):
            raise ConftestError("files not formatted")
        path = Path(module.path)
        with path.open("r+b") as stream:  # the same file, with its mode and its links
            stream.write(done.stdout)
            stream.truncate()
    return 0
