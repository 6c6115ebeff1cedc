"""The real conftest, and what it makes of a file."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

REPOSITORY = Path(__file__).resolve().parents[4]
CONFTEST = REPOSITORY / ".cache" / "tools" / "conftest"

CORPUS = Path(__file__).parent / "corpus"

TIMEOUT_SECONDS = 60


class Refused(Exception):
    """conftest ended with an error."""


def conftest_parse(path: Path, parser: str = "", **environment: str) -> Any:
    """What `conftest parse`, run in the folder `CORPUS`, prints for the file at the absolute `path`.

    Raises:
        Refused: it prints an error instead.
    """
    return _run([path], parser, environment)


def conftest_parse_all(paths: Sequence[Path], parser: str) -> dict[str, Any]:
    """What `conftest parse` prints for the files at `paths`, by path.

    Raises:
        Refused: it refuses one of them.
    """
    found = _run(paths, parser, {})
    return {str(paths[0]): found} if len(paths) == 1 else cast(dict[str, Any], found)


def _run(paths: Sequence[Path], parser: str, environment: Mapping[str, str]) -> Any:
    chosen = ("--parser", parser) if parser else ()
    try:
        done = subprocess.run(
            [CONFTEST, "parse", *chosen, *paths],
            capture_output=True,
            cwd=CORPUS,
            env={**os.environ, **environment},
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Refused("it does not come to an end") from error
    if done.returncode:
        raise Refused(done.stderr.decode(errors="replace"))
    return loads(done.stdout)


def loads(text: bytes) -> Any:
    return json.loads(text, parse_int=lambda digits: -0.0 if digits == "-0" else int(digits))


def as_printed(value: Any) -> Any:
    """`value` as `conftest parse` prints it: Go's JSON writes 2.0 as 2."""
    if isinstance(value, dict):
        return {key: as_printed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_printed(item) for item in value]
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e21 and str(value) != "-0.0"
    return int(value) if whole else value


def canonical(document: Any) -> str:
    """`document` so that 1, 1.0 and true differ, and the order of keys does not count."""
    return json.dumps(document, sort_keys=True, ensure_ascii=False, allow_nan=False)
