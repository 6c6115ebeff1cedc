"""Dockerfiles, as a list of instructions: `Cmd`, `SubCmd`, `Flags`, `Value`, `JSON` and `Stage` of each.

An instruction that BuildKit refuses is an error here too: an unknown one, an unknown flag, too few arguments.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pratiquectl.conftest.parsers import go, json
from pratiquectl.conftest.parsers.errors import ParseError
from pratiquectl.conftest.parsers.source import Source

_MAX_LINE_BYTES = 64 * 1024
"""What BuildKit takes of one line."""

_BLANKS = re.compile(r"[\t\v\f\r ]+")
_DIRECTIVE = re.compile(r"([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=[\t\n\f\r ]*(.+?)[\t\n\f\r ]*")
_DIRECTIVES = frozenset({"syntax", "escape", "check"})
_HEREDOC = re.compile(r"(\d*)<<(-?)[\t\n\f\r ]*([^<]*)", re.ASCII)
_STAGE_NAME = re.compile(r"[a-z][a-z0-9\-_.]*")
_DURATION = re.compile(r"[+-]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h))+")
_UNITS = {"ns": 1, "us": 10**3, "\u00b5s": 10**3, "\u03bcs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9}
_AMOUNT = re.compile(r"([0-9]*\.?[0-9]*)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)")

_TRUTH = "truth"
_TEXT = "text"
_TEXTS = "texts"
_FLAGS = {
    "add": {
        **dict.fromkeys(("chown", "chmod", "checksum"), _TEXT),
        **dict.fromkeys(("link", "keep-git-dir", "unpack"), _TRUTH),
        "exclude": _TEXTS,
    },
    "copy": {
        **dict.fromkeys(("chown", "from", "chmod"), _TEXT),
        **dict.fromkeys(("link", "parents"), _TRUTH),
        "exclude": _TEXTS,
    },
    "from": {"platform": _TEXT},
    "healthcheck": dict.fromkeys(("interval", "timeout", "start-period", "start-interval", "retries"), _TEXT),
    "run": {"mount": _TEXTS, "device": _TEXTS, "network": _TEXT, "security": _TEXT},
}
_UNCHECKED_FLAGS = frozenset({"arg", "stopsignal"})
_ALLOWED = {"network": ("default", "none", "host"), "security": ("insecure", "sandbox")}


@dataclass(slots=True)
class _Instruction:
    name: str
    original: str
    flags: list[str] | None = None
    values: list[str] | None = None
    json: bool = False
    sub: _Instruction | None = None
    comments: list[str] = field(default_factory=list)

    @property
    def arguments(self) -> list[str]:
        if self.sub is not None:
            return [self.sub.name, *self.sub.arguments]
        return self.values or []


def documents(source: Source) -> list[Any]:
    """One document, a list that holds the list of instructions."""
    commands: list[dict[str, Any]] = []
    stages = 0
    for line, instruction in _Reader(source.content).instructions():
        try:
            _check(instruction)
        except ParseError as error:
            raise ParseError(f"line {line}: {error}") from error
        stages += instruction.name.lower() == "from"
        stage = max(0, stages - 1)
        commands.extend(_command("comment", stage, values=[comment]) for comment in instruction.comments)
        inner = instruction.sub or instruction
        commands.append(
            _command(
                instruction.name.lower(),
                stage,
                values=inner.values,
                flags=instruction.flags,
                sub=inner.name if instruction.sub else "",
                is_json=inner.json,
            )
        )
    if not commands:
        raise ParseError("the file has no instructions")
    return [[commands]]


def _command(
    name: str,
    stage: int,
    *,
    values: list[str] | None,
    flags: list[str] | None = None,
    sub: str = "",
    is_json: bool = False,
) -> dict[str, Any]:
    return {"Cmd": name, "SubCmd": sub, "JSON": is_json, "Flags": flags, "Value": values or None, "Stage": stage}


class _Reader:
    """Puts lines together to instructions."""

    def __init__(self, content: bytes) -> None:
        content = content.removeprefix(b"\xef\xbb\xbf")
        if any(len(line) >= _MAX_LINE_BYTES for line in content.split(b"\n")):
            raise ParseError(f"a line is longer than {_MAX_LINE_BYTES - 1} bytes")
        self._lines = go.text(content).split("\n")
        if self._lines[-1] == "":
            self._lines.pop()
        self._next = 0
        self._escape = "\\"
        self._directives: set[str] | None = set()

    def _line(self) -> str | None:
        if self._next >= len(self._lines):
            return None
        self._next += 1
        return self._lines[self._next - 1].rstrip("\r\n")

    def instructions(self) -> Iterator[tuple[int, _Instruction]]:
        """The instructions with the numbers of their first lines."""
        comments: list[str] = []
        while (raw := self._line()) is not None:
            start = self._next
            line = raw.lstrip(go.SPACE)
            if line.startswith("#"):
                comment = raw[1:].strip(go.SPACE)
                if not self._directive(line):
                    comments = [*comments, comment] if comment else []
                continue
            self._directive(line)
            line, ends = self._continued(line)
            if ends and not line:
                continue
            while not ends and (more := self._line()) is not None:
                if not more.strip(go.SPACE) or more.lstrip(go.SPACE).startswith("#"):
                    continue
                more, ends = self._continued(more)
                line += more
            try:
                instruction = self._instruction(line)
            except ParseError as error:
                raise ParseError(f"line {start}: {error}") from error
            instruction.comments = comments
            comments = []
            self._skip_heredocs(instruction, line, start)
            yield start, instruction

    def _directive(self, line: str) -> bool:
        """Whether the line is one of the directives that a file can begin with."""
        if self._directives is None:
            return False
        match = _DIRECTIVE.fullmatch(line[1:].lstrip(go.SPACE)) if line.startswith("#") else None
        name = match[1].lower() if match else ""
        if match is None or name not in _DIRECTIVES:
            self._directives = None
            return False
        if name in self._directives:
            raise ParseError(f"the directive {name} is there twice")
        self._directives.add(name)
        if name == "escape":
            if match[2] not in ("`", "\\"):
                raise ParseError(f"the escape character {match[2]!r} is neither ` nor \\")
            self._escape = match[2]
        return True

    def _continued(self, line: str) -> tuple[str, bool]:
        """`line` without what says that it goes on; whether it ends here."""
        stripped = line.rstrip(" \t")
        if stripped.endswith(self._escape) and not stripped.endswith(self._escape * 2):
            return stripped[:-1], False
        return line, True

    def _instruction(self, line: str) -> _Instruction:
        name, *rest = _BLANKS.split(line.strip(go.SPACE), maxsplit=1)
        flags: list[str] | None = None
        arguments = ""
        if rest:
            flags, arguments = self._flags(rest[0])
            arguments = arguments.strip(go.SPACE)
        instruction = _Instruction(name, line, flags)
        match name.lower():
            case "add" | "copy" | "volume":
                if not _fill_json(instruction, arguments) and arguments:
                    instruction.values = _BLANKS.split(arguments)
            case "cmd" | "entrypoint" | "run" | "shell":
                if not arguments or not _fill_json(instruction, arguments):
                    instruction.values = [arguments] if arguments else None
            case "healthcheck":
                self._healthcheck(instruction, arguments)
            case "env" | "label":
                instruction.values = self._pairs(arguments, name.upper())
            case "arg":
                instruction.values = self._words(arguments)
            case "expose" | "from":
                instruction.values = _BLANKS.split(arguments) if arguments else None
            case "maintainer" | "stopsignal" | "user" | "workdir":
                instruction.values = [arguments] if arguments else None
            case "onbuild":
                if arguments:
                    if name.lower() == arguments.split(maxsplit=1)[0].lower():
                        raise ParseError("ONBUILD cannot be an instruction of ONBUILD")
                    instruction.sub = self._instruction(arguments)
            case _:
                # As part of ONBUILD this is no error, and has one argument, which is empty.
                instruction.values = [""]
        return instruction

    def _healthcheck(self, instruction: _Instruction, arguments: str) -> None:
        if not arguments:
            return
        kind, *rest = re.split(r"[\t\n\v\f\r \x85\xa0]+", arguments, maxsplit=1)
        command = _Instruction(kind, "")
        if rest and rest[0] and not _fill_json(command, rest[0]):
            command.values = [rest[0]]
        instruction.values = [kind, *(command.values or [])]
        instruction.json = command.json

    def _flags(self, text: str) -> tuple[list[str], str]:
        """The flags at the beginning of `text`, and what stands behind them."""
        flags: list[str] = []
        at = 0
        while True:
            while at < len(text) and text[at] in go.SPACE:
                at += 1
            if not text.startswith("--", at):
                return flags, text[at:]
            word, at = self._flag(text, at)
            if word == "--" and at < len(text):
                return flags, text[at:]
            if word and word != "--":
                flags.append(word)

    def _flag(self, text: str, at: int) -> tuple[str, int]:
        read: list[str] = []
        quote = ""
        while at < len(text):
            character = text[at]
            if quote and character == quote:
                quote = ""
            elif not quote and character in go.SPACE:
                break
            elif not quote and character in "'\"":
                quote = character
            elif character == self._escape:
                at += 1
                if at < len(text):
                    read.append(text[at])
            else:
                read.append(character)
            at += 1
        return "".join(read), at

    def _words(self, text: str) -> list[str]:
        """Words as a shell would cut them, with their quotes."""
        words: list[str] = []
        read: list[str] = []
        quote, blank_counts = "", False
        at = 0
        while at < len(text):
            character = text[at]
            at += 1
            if not quote and character in go.SPACE:
                if read or blank_counts:
                    words.append("".join(read))
                read, blank_counts = [], False
                continue
            if quote and character == quote:
                quote = ""
            elif not quote and character in "'\"":
                quote, blank_counts = character, True
            if character == self._escape and quote != "'":
                if at >= len(text):
                    break
                read.append(character)
                character = text[at]
                at += 1
            read.append(character)
        if read or blank_counts:
            words.append("".join(read))
        return words

    def _pairs(self, text: str, name: str) -> list[str]:
        words = self._words(text)
        if not words:
            return []
        if "=" not in words[0]:
            parts = _BLANKS.split(text, maxsplit=1)
            if len(parts) < 2:
                raise ParseError(f"{name} takes a name and a value")
            return [*parts, ""]
        values = []
        for word in words:
            key, equals, value = word.partition("=")
            if not equals:
                raise ParseError(f"{word[:80]!r} is not name=value")
            values += [key, value, "="]
        return values

    def _skip_heredocs(self, instruction: _Instruction, line: str, start: int) -> None:
        inner = instruction.sub or instruction
        if inner.name.lower() not in ("add", "copy", "run") or inner.json or "<<" not in line:
            return
        for name, chomp in _heredocs(line):
            while True:
                raw = self._line()
                if raw is None:
                    raise ParseError(f"line {start}: the text <<{name} is not closed")
                if (raw.lstrip("\t") if chomp else raw) == name:
                    break


def _fill_json(instruction: _Instruction, text: str) -> bool:
    """Whether `text` is a JSON list; its texts are then the values of `instruction`."""
    text = text.lstrip(go.SPACE)
    if not text.startswith("["):
        return False
    try:
        values = json.loads(text.encode())
    except ParseError:
        return False
    if not all(isinstance(value, str) for value in values):
        raise ParseError("a list of arguments in JSON can hold texts only")
    instruction.values, instruction.json = values, True
    return True


def _heredocs(line: str) -> list[tuple[str, bool]]:
    """The ends of the texts that begin in `line`, and whether tabs may stand before them."""
    found = []
    for word in _shell_words(line):
        match = _HEREDOC.fullmatch(word)
        if match and match[3]:
            names = _shell_words(match[3])
            if len(names) == 1:
                found.append((re.sub(r"[\"']", "", re.sub(r"\\(.)", r"\1", names[0])), match[2] == "-"))
    return found


def _shell_words(text: str) -> list[str]:
    """Words with their quotes and escapes; none at all if a quote is not closed."""
    words: list[str] = []
    read = ""
    quote = ""
    at = 0
    while at < len(text):
        character = text[at]
        if character == "\\" and quote != "'":
            read += text[at : at + 2]
            at += 2
            continue
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in go.SPACE:
            if read:
                words.append(read)
            read = ""
            at += 1
            continue
        read += character
        at += 1
    if quote:
        return []
    return [*words, read] if read else words


def _check(instruction: _Instruction) -> None:
    """What BuildKit demands of the instruction."""
    name = instruction.name.lower()
    if name not in _CHECKS:
        raise ParseError(f"{instruction.name[:80]!r} is no instruction of a Dockerfile")
    _CHECKS[name](instruction)
    if name not in _UNCHECKED_FLAGS and not (name == "healthcheck" and instruction.arguments[0].upper() == "NONE"):
        used = _check_flags(name, instruction.flags or [])
        if name == "healthcheck":
            _check_times(used)


def _check_flags(name: str, flags: list[str]) -> dict[str, str]:
    known = _FLAGS.get(name, {})
    used: dict[str, str] = {}
    for flag in flags:
        head, equals, value = flag.partition("=")
        kind = known.get(head[2:])
        if kind is None:
            raise ParseError(f"{name.upper()} has no flag {head[:80]}")
        if head[2:] in used and kind != _TEXTS:
            raise ParseError(f"the flag {head} is there twice")
        if kind == _TRUTH:
            if (equals and not value) or value.lower() not in ("", "true", "false"):
                raise ParseError(f"the flag {head} is true or false")
        elif not equals:
            raise ParseError(f"the flag {head} lacks a value")
        if head[2:] in _ALLOWED and value not in _ALLOWED[head[2:]]:
            raise ParseError(f"the flag {head} cannot be {value[:80]!r}")
        if head == "--mount":
            _check_mount(value)
        used[head[2:]] = value
    return used


def _check_mount(value: str) -> None:
    for item in value.split(","):
        key, _, origin = item.partition("=")
        if key.lower() == "from" and "$" in origin[:-1]:
            raise ParseError("the from of a --mount cannot hold a variable")


def _check_times(used: dict[str, str]) -> None:
    for name in ("interval", "timeout", "start-period", "start-interval"):
        value = used.get(name, "")
        if value and value not in ("0", "+0", "-0"):
            if not _DURATION.fullmatch(value):
                raise ParseError(f"--{name} is a time such as 30s, not {value[:80]!r}")
            amounts = _AMOUNT.findall(value)
            nanoseconds = sum(float(amount) * _UNITS.get(unit, 3600 * 10**9) for amount, unit in amounts)
            if nanoseconds and (value.startswith("-") or nanoseconds < 10**6):
                raise ParseError(f"--{name} is at least one millisecond")
    retries = used.get("retries", "")
    if retries and not (re.fullmatch(r"[+-]?[0-9]+", retries) and 0 <= int(retries) < 2**31):
        raise ParseError(f"--retries is a whole number, not {retries[:80]!r}")


def _exactly_one(instruction: _Instruction) -> None:
    if len(instruction.arguments) != 1:
        raise ParseError(f"{instruction.name.upper()} takes exactly one argument")


def _at_least_one(instruction: _Instruction) -> None:
    if not instruction.arguments:
        raise ParseError(f"{instruction.name.upper()} takes at least one argument")


def _check_nothing(instruction: _Instruction) -> None:
    """There is nothing that BuildKit demands."""


def _check_pairs(instruction: _Instruction) -> None:
    _at_least_one(instruction)
    if not all(instruction.arguments[::3]):
        raise ParseError(f"{instruction.name.upper()} has a name that is empty")


def _check_paths(instruction: _Instruction) -> None:
    if len(instruction.arguments) < 2:
        raise ParseError(f"{instruction.name.upper()} takes at least two arguments")
    match = _HEREDOC.fullmatch(instruction.arguments[-1])
    if match and match[3] and len(_shell_words(match[3])) == 1:
        raise ParseError(f"{instruction.name.upper()} cannot write into a text <<{match[3]}")


def _check_from(instruction: _Instruction) -> None:
    match instruction.arguments:
        case [_]:
            return
        case [_, word, name] if word.lower() == "as":
            if not _STAGE_NAME.fullmatch(name.lower()):
                raise ParseError(f"{name[:80]!r} cannot be the name of a stage")
        case _:
            raise ParseError("FROM takes an image, or an image AS a name")


def _check_onbuild(instruction: _Instruction) -> None:
    _at_least_one(instruction)
    if instruction.arguments[0].upper() in ("ONBUILD", "MAINTAINER", "FROM"):
        raise ParseError(f"{instruction.arguments[0].upper()} cannot be an instruction of ONBUILD")


def _check_healthcheck(instruction: _Instruction) -> None:
    _at_least_one(instruction)
    kind, *command = instruction.arguments
    if kind.upper() == "NONE":
        if command:
            raise ParseError("HEALTHCHECK NONE takes no arguments")
    elif kind.upper() != "CMD":
        raise ParseError(f"HEALTHCHECK is NONE or CMD, not {kind[:80]!r}")
    elif not command:
        raise ParseError("HEALTHCHECK CMD lacks a command")


def _check_volume(instruction: _Instruction) -> None:
    _at_least_one(instruction)
    if not all(value.strip(go.SPACE) for value in instruction.arguments):
        raise ParseError("VOLUME has a path that is empty")


def _check_arg(instruction: _Instruction) -> None:
    _at_least_one(instruction)
    if any(argument.startswith("=") for argument in instruction.arguments):
        raise ParseError("ARG has a name that is empty")


def _check_shell(instruction: _Instruction) -> None:
    _at_least_one(instruction)
    if not instruction.json:
        raise ParseError("SHELL takes a list in JSON")


_CHECKS: dict[str, Callable[[_Instruction], None]] = {
    "add": _check_paths,
    "arg": _check_arg,
    "cmd": _check_nothing,
    "copy": _check_paths,
    "entrypoint": _check_nothing,
    "env": _check_pairs,
    "expose": _at_least_one,
    "from": _check_from,
    "healthcheck": _check_healthcheck,
    "label": _check_pairs,
    "maintainer": _exactly_one,
    "onbuild": _check_onbuild,
    "run": _check_nothing,
    "shell": _check_shell,
    "stopsignal": _exactly_one,
    "user": _exactly_one,
    "volume": _check_volume,
    "workdir": _exactly_one,
}
