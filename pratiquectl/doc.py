"""`pratique doc`: a Markdown page for each folder of policies, from their annotations, as conftest writes it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pratiquectl.__main__ import Subparsers
from pratiquectl.conftest.command import EXIT_ERROR, add_help, execute, opa_binary
from pratiquectl.conftest.errors import ConftestError
from pratiquectl.conftest.options import Flag, Options

INSPECT_SECONDS = 60.0

FLAGS = (
    Flag(name="outDir", short="o", kind="text", default=".", bound=False, help="folder to write the pages to"),
    Flag(name="template", short="t", kind="text", bound=False, help="a Go template, which is not supported here"),
)


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb's parser."""
    add_help(
        subparsers,
        "doc",
        FLAGS,
        usage="pratique doc FOLDER [FOLDER ...] [flags]",
        help="write documentation from the annotations of policies",
        description="Write FOLDER.md with title, description and links of each annotated package and rule.",
        example="pratique doc policies/gpu",
    )


def run_arguments(arguments: Sequence[str]) -> int:
    """Write the pages."""
    return execute(arguments, FLAGS, _run)


def _run(options: Options) -> int:
    if not options.arguments:
        print("usage: pratique doc FOLDER [FOLDER ...] [flags]", file=sys.stderr)
        print("Error: missing required arguments", file=sys.stderr)
        return EXIT_ERROR
    if options.text("template"):
        raise ConftestError("generating document: Go templates (--template) are not supported")
    for folder in options.arguments:
        if not Path(folder).exists():
            raise ConftestError(f"stat {folder}: no such file or directory")
        if not Path(folder).is_dir():
            raise ConftestError(f"{folder} is not a directory")
        name = folder.rstrip("/").rpartition("/")[2] or "/"
        page = Path(options.text("outDir")) / f"{'policy' if name in ('.', '..') else name}.md"
        text = _page(_annotations(folder))
        try:
            descriptor = os.open(page, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as stream:
                stream.write(text)
        except OSError as error:
            raise ConftestError(f"opening {page} for writing output: {error.strerror}") from error
    return 0


def _annotations(folder: str) -> list[Any]:
    """The annotations below `folder`, in OPA's order, without those of tests.

    Raises:
        ConftestError: there are none, or a policy does not compile.
    """
    import subprocess

    from pratiquectl.conftest.gojson import decode
    from pratiquectl.conftest.opa_process import child_environment
    from pratiquectl.conftest.options import environment

    done = subprocess.run(
        [str(opa_binary("opa")), "inspect", "--annotations", "--format", "json", folder],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=child_environment(environment()),
        check=False,
        timeout=INSPECT_SECONDS,
    )
    stage = "generating document: parse rego annotations"
    if done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise ConftestError(f"{stage}: load rego files: {said.removeprefix('error: ')}")
    found = [
        each
        for each in decode(done.stdout).get("annotations") or ()
        if not each["location"]["file"].endswith("_test.rego")
    ]
    if not found:
        raise ConftestError(f"{stage}: no annotations found")
    return found


def _page(annotations: Sequence[Any]) -> str:
    """A section for each annotation; headings go down by one level at most."""
    sections = []
    current, offset = 0, 1
    for number, each in enumerate(annotations):
        depth = len(each["path"]) - offset
        if number == 0 and depth > 1:
            offset = depth
        current = min(depth, current + 1)
        sections.append(_section("#" * current, each))
    return "".join(sections)


def _section(heading: str, entry: Any) -> str:
    from pratiquectl.conftest.rules import package_name

    said = entry["annotations"]
    name = package_name([str(term["value"]) for term in entry["path"][1:]])
    text = f"{heading} {name} - {said.get('title', '')}\n\n{said.get('description', '')}\n"
    links = said.get("related_resources") or ()
    if links:
        text += "\nRelated Resources:\n"
        for link in links:
            shown = f"[{link['description']}]({link['ref']})" if link.get("description") else link["ref"]
            text += f"\n* {shown}"
        text += "\n"
    return f"{text}\n"
