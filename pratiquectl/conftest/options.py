"""Flags as pflag reads them, then `CONFTEST_<FLAG>` variables, then the configuration file, then the defaults.

The verbs that take conftest's place read their command line here and not with argparse: `-pfolder`, `--quiet=false`,
`-p a,b -p c` and flags after file names have to mean what they mean to conftest.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pratiquectl.conftest.errors import ConftestError, UsageError

Kind = Literal["bool", "text", "list"]

CONFIG_NAMES = ("conftest.json", "conftest.toml", "conftest.yaml", "conftest.yml")
"""Looked for in the working directory, in this order, when no configuration file is named."""

VARIABLE_PREFIX = "CONFTEST_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """One flag of a verb. `bound` flags are read from variables and the configuration file too.

    `words` says how a variable is made a list: at white space (true), or at commas.
    """

    name: str
    kind: Kind
    help: str
    default: Any = None
    short: str = ""
    bound: bool = True
    words: bool = False

    @property
    def initial(self) -> Any:
        if self.default is not None:
            return self.default
        return {"bool": False, "text": "", "list": ()}[self.kind]


CONFIG_FILE = Flag(name="config-file", short="c", kind="text", help="path to configuration file")


@dataclass(frozen=True, slots=True)
class Options:
    """The values of a verb's flags by name, its arguments, and the flags that somebody set."""

    values: Mapping[str, Any]
    arguments: tuple[str, ...]
    given: frozenset[str]

    def text(self, name: str) -> str:
        return str(self.values[name])

    def on(self, name: str) -> bool:
        return bool(self.values[name])

    def list(self, name: str) -> tuple[str, ...]:
        return tuple(self.values[name])


def read_options(flags: Sequence[Flag], arguments: Sequence[str], environ: Mapping[str, str]) -> Options:
    """The options of a verb.

    Raises:
        UsageError: the command line is wrong.
        ConftestError: a variable or the configuration file cannot be read.
    """
    set_on_line, positional = _command_line([*flags, CONFIG_FILE], arguments)
    named = set_on_line.get("config-file") or environ.get(_variable(CONFIG_FILE), "")
    configured = _read_config(named)
    values: dict[str, Any] = {}
    given = set(set_on_line)
    for flag in flags:
        if flag.name in set_on_line:
            values[flag.name] = set_on_line[flag.name]
        elif flag.bound and environ.get(_variable(flag)):
            values[flag.name] = _from_variable(flag, environ[_variable(flag)])
            given.add(flag.name)
        elif flag.bound and flag.name in configured:
            values[flag.name] = _from_config(flag, configured[flag.name])
            given.add(flag.name)
        else:
            values[flag.name] = flag.initial
    return Options(values, tuple(positional), frozenset(given))


def _variable(flag: Flag) -> str:
    return VARIABLE_PREFIX + flag.name.upper().replace("-", "_")


def _command_line(flags: Sequence[Flag], arguments: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """The flags that are set, and what is no flag; both in any order, up to `--`."""
    long = {flag.name: flag for flag in flags}
    short = {flag.short: flag for flag in flags if flag.short}
    values: dict[str, Any] = {}
    positional: list[str] = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--":
            positional += rest
            break
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            if not name or name.startswith(("-", "=")):
                raise UsageError(f"bad flag syntax: {word}")
            if name not in long:
                raise UsageError(f"unknown flag: --{name}")
            flag = long[name]
            if not equals and flag.kind == "bool":
                value = "true"
            elif not equals and not rest:
                raise UsageError(f"flag needs an argument: --{name}")
            elif not equals:
                value = rest.pop(0)
            _set(flag, value, values)
        elif word.startswith("-") and len(word) > 1:
            _shorthands(word, rest, short, values)
        else:
            positional.append(word)
    return values, positional


def _shorthands(word: str, rest: list[str], short: Mapping[str, Flag], values: dict[str, Any]) -> None:
    """`-p policy`, `-ppolicy`, `-p=policy`; several that take no value can share a dash."""
    letters = word[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        if letter not in short:
            raise UsageError(f"unknown shorthand flag: {letter!r} in {word}")
        flag = short[letter]
        if len(letters) > 1 and letters.startswith("="):
            value, letters = letters[1:], ""
        elif flag.kind == "bool":
            value = "true"
        elif letters:
            value, letters = letters, ""
        elif rest:
            value = rest.pop(0)
        else:
            raise UsageError(f"flag needs an argument: {letter!r} in {word}")
        _set(flag, value, values)


def _set(flag: Flag, value: str, values: dict[str, Any]) -> None:
    if flag.kind == "bool":
        shown = f"-{flag.short}, --{flag.name}" if flag.short else f"--{flag.name}"
        try:
            values[flag.name] = parse_bool(value)
        except ValueError:
            message = f'invalid argument "{value}" for "{shown}" flag: strconv.ParseBool: parsing "{value}"'
            raise UsageError(f"{message}: invalid syntax") from None
    elif flag.kind == "list":
        values[flag.name] = (*values.get(flag.name, ()), *_comma_separated(value))
    else:
        values[flag.name] = value


def _comma_separated(value: str) -> tuple[str, ...]:
    """The first record of `value` as CSV."""
    if not value:
        return ()
    return tuple(next(csv.reader([value]), ()))


def parse_bool(text: str) -> bool:
    """As `strconv.ParseBool`.

    Raises:
        ValueError: it is neither.
    """
    if text in ("1", "t", "T", "TRUE", "true", "True"):
        return True
    if text in ("0", "f", "F", "FALSE", "false", "False"):
        return False
    raise ValueError(text)


def _from_variable(flag: Flag, value: str) -> Any:
    if flag.kind == "list":
        return tuple(value.split() if flag.words else value.split(","))
    if flag.kind == "text":
        return value
    try:
        return parse_bool(value)
    except ValueError:
        raise ConftestError(f"unmarshal parameters: {_variable(flag)} is {value!r}: neither true nor false") from None


def _from_config(flag: Flag, value: Any) -> Any:
    if flag.kind == "bool" and isinstance(value, bool | int | float):
        return bool(value)
    if flag.kind == "bool" and isinstance(value, str):
        return _from_variable(flag, value) if value else False
    if flag.kind == "text" and not isinstance(value, list | dict):
        return {True: "1", False: "0"}[value] if isinstance(value, bool) else str(value)
    if flag.kind == "list" and isinstance(value, str):
        return _from_variable(flag, value) if value else ()
    if flag.kind == "list" and not isinstance(value, dict):
        items = value if isinstance(value, list) else [value]
        if not any(isinstance(item, list | dict) for item in items):
            return tuple(str(item) for item in items)
    raise ConftestError(
        f"unmarshal parameters: {flag.name} of the configuration file is {value!r}, which is no value for it"
    )


def _read_config(named: str) -> dict[str, Any]:
    """The keys of the configuration file in lower case; none where there is no file."""
    if named:
        path = Path(named)
    else:
        here = [Path(name) for name in CONFIG_NAMES if Path(name).is_file()]
        if not here:
            return {}
        path = here[0]
    try:
        document = _parse_config(path, path.read_bytes())
    except OSError as error:
        raise ConftestError(f"read in config: error reading config: open {path}: {error.strerror}") from error
    except ValueError as error:
        raise ConftestError(f"read in config: error reading config: While parsing config: {error}") from error
    if not isinstance(document, dict):
        raise ConftestError(f"read in config: error reading config: {path} holds no table of settings")
    return {str(key).lower(): value for key, value in document.items()}


def _parse_config(path: Path, content: bytes) -> Any:
    extension = path.suffix.lower()
    if extension == ".toml":
        import tomllib

        return tomllib.loads(content.decode())
    if extension == ".json":
        import json

        return json.loads(content)
    if extension in (".yaml", ".yml"):
        import yaml

        try:
            return yaml.safe_load(content) or {}
        except yaml.YAMLError as error:
            raise ValueError(str(error)) from error
    raise ValueError(f"{path.name}: a configuration file is named .toml, .yaml, .yml or .json")


def environment() -> Mapping[str, str]:
    """The process's own; apart, so that nothing is read at import."""
    return os.environ
