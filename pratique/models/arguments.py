"""The words of a command line, each with the pointer it was read at: `command`, `args`, shell scripts, variables."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pratique.shape import Object, list_at, mapping_at


class Word(NamedTuple):
    """One word; `unresolved` says where a part of it comes from that is not in the object.

    A tuple, since there are dozens in a pod: it is made in a third of the time of a dataclass.
    """

    text: str
    path: str
    unresolved: str = ""


Variables = Mapping[str, Word]

MAX_SCRIPT_LENGTH = 1_000_000
"""What is behind that is not read; an object of the API server cannot be much larger."""

_MAX_LEXED_LENGTH = 8_000
"""Longer scripts are cut at white space: reading them as a shell does takes a microsecond for each character."""

_SHELLS = frozenset({"sh", "bash", "ash", "dash", "zsh", "ksh"})
_SHELL_OPTION = re.compile(r"-[a-z]*c[a-z]*")
_KUBERNETES_REFERENCE = re.compile(r"\$\((?P<name>[A-Za-z_][A-Za-z0-9_.-]*)\)")
_SHELL_REFERENCE = re.compile(
    r"\$(?:\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)(?::?[-=](?P<default>[^}]*))?\}|(?P<bare>[A-Za-z_][A-Za-z0-9_]*))"
)
_ASSIGNMENT = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)=(?P<value>.*)", re.DOTALL)
_SEPARATORS = frozenset({";", "&&", "||", "|", "&", "(", ")", ";;", "|&", "then", "do", "else", "{", "}"})
_PARAMETER = re.compile(r"\$\{?(?P<index>[0-9])\}?")
_ALL_PARAMETERS = frozenset({"$@", "$*", "${@}", "${*}"})
_SCRIPT_FIELDS = ("source", "script")
"""Where a step of Argo and of Tekton holds a script instead of a command."""

_PREFIXES = frozenset({"exec", "export", "nohup", "time", "env", "sudo", "set", "if", "while", "!"})


def variables_of(fields: Object, path: str) -> dict[str, Word]:
    """The environment of a container, by name. A value from a Secret, ConfigMap or field is unresolved.

    `env` is a list as in Kubernetes, or an object of names and values (KubeAI Model).
    """
    env = fields.get("env")
    if env is None:
        return {}
    found: dict[str, Word] = {}
    if isinstance(env, dict):
        for name, value in env.items():
            if isinstance(value, str):
                found[name] = Word(value, f"{path}/env/{name.replace('~', '~0').replace('/', '~1')}")
        return found
    for index, value in enumerate(list_at(env, f"{path}/env")):
        place = f"{path}/env/{index}"
        entry = value if type(value) is dict else mapping_at(value, place)
        name = entry.get("name")
        if not isinstance(name, str):
            continue
        text = entry.get("value")
        if isinstance(text, str):
            word = Word(text, f"{place}/value")
            found[name] = _expanded(word, found, _KUBERNETES_REFERENCE) if "$(" in text else word
        elif entry.get("valueFrom") is not None:
            source = mapping_at(entry["valueFrom"], f"{place}/valueFrom")
            found[name] = Word("", f"{place}/valueFrom", f"the variable {name} comes from {_origin(source, place)}")
    return found


def _origin(source: Object, place: str) -> str:
    for field, kind in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")):
        if source.get(field) is not None:
            reference = mapping_at(source[field], f"{place}/valueFrom/{field}")
            return f"the {kind} {reference.get('name', '?')}, key {reference.get('key', '?')}"
    return "a field of the pod" if "fieldRef" in source else "outside the object"


def commands_of(fields: Object, path: str, variables: dict[str, Word]) -> list[list[Word]]:
    """The commands that a container runs: one, or those of the script that it gives to a shell.

    Variables that a script sets are added to `variables`.
    """
    words = [*_words(fields, path, "command"), *_words(fields, path, "args")]
    for name in _SCRIPT_FIELDS:
        text = fields.get(name)
        if isinstance(text, str):
            script = Word(text, f"{path}/{name}")
            if _is_python(text, words):
                return [[script]]
            return commands_in(script, variables)
    if not words:
        return []
    words = [_expanded(word, variables, _KUBERNETES_REFERENCE) if "$(" in word.text else word for word in words]
    found = _script(words)
    if found is None:
        return [words]
    return commands_in(words[found], variables, words[found + 1 :])


def _is_python(text: str, words: list[Word]) -> bool:
    first = text.lstrip().partition("\n")[0]
    return "python" in first if first.startswith("#!") else bool(words) and "python" in words[0].text


def commands_in(script: Word, variables: dict[str, Word], parameters: Sequence[Word] = ()) -> list[list[Word]]:
    """The commands of a shell script with its `parameters` ($0, $1 ...); all words have the pointer of the script, or
    of the variable or parameter that they are."""
    text = script.text[:MAX_SCRIPT_LENGTH].replace("\\\n", " ").replace("\n", " ; ")
    tokens = _lexed(text)
    commands: list[list[Word]] = [[]]
    for token in tokens:
        if token in _SEPARATORS:
            commands.append([])
            continue
        command = commands[-1]
        if not command:
            if token in _PREFIXES:
                continue
            if (match := _ASSIGNMENT.fullmatch(token)) is not None:
                value = _expanded(Word(match["value"], script.path), variables, _SHELL_REFERENCE)
                variables[match["name"]] = value._replace(path=script.path)
                continue
        if token in _ALL_PARAMETERS:
            command.extend(parameters[1:])
            continue
        if (parameter := _PARAMETER.fullmatch(token)) is not None and int(parameter["index"]) < len(parameters):
            command.append(parameters[int(parameter["index"])])
            continue
        word = Word(token, script.path)
        command.append(_expanded(word, variables, _SHELL_REFERENCE) if "$" in token else word)
    found: list[list[Word]] = []
    for command in commands:
        inner = _script(command)
        if inner is not None and command[inner].text != script.text:
            found.extend(commands_in(command[inner], variables, command[inner + 1 :]))
        elif command:
            found.append(command)
    return found


def _lexed(text: str) -> list[str]:
    if len(text) <= _MAX_LEXED_LENGTH:
        lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        lexer.commenters = ""
        try:
            return list(lexer)
        except ValueError:
            pass  # an open quote: a heredoc, or a script that a shell would not take either
    return [token.strip("'\"") or token for token in text.replace(";", " ; ").split()]


def _words(fields: Object, path: str, name: str) -> list[Word]:
    value = fields.get(name)
    if value is None:
        return []
    if isinstance(value, str):  # a field of a CRD that holds a whole line
        return [Word(part, f"{path}/{name}") for part in value.split()]
    place = f"{path}/{name}"
    return [Word(item, f"{place}/{index}") for index, item in enumerate(list_at(value, place)) if isinstance(item, str)]


def _script(words: list[Word]) -> int | None:
    """Where the script is that a shell among the first words is given with `-c`."""
    for index, word in enumerate(words[:4]):
        if word.text.rpartition("/")[2] in _SHELLS:
            for position, option in enumerate(words[index + 1 : -1], index + 1):
                if not option.text.startswith("-"):
                    return None
                if _SHELL_OPTION.fullmatch(option.text):
                    return position + 1
            return None
    return None


def _expanded(word: Word, variables: Variables, reference: re.Pattern[str]) -> Word:
    """`word` with the variables filled in; the pointer is the variable's where the word is nothing else."""
    unresolved = ""
    whole: Word | None = None

    def value(match: re.Match[str]) -> str:
        nonlocal unresolved, whole
        groups = match.groupdict()
        name = groups.get("name") or groups.get("braced") or groups.get("bare") or ""
        known = variables.get(name)
        if known is None:
            default = groups.get("default")
            if default is not None:
                return default
            unresolved = f"the variable {name} is not set in the object"
            return match.group(0)
        if known.unresolved:
            unresolved = known.unresolved
        if match.group(0) == word.text:
            whole = known
        return known.text

    text = reference.sub(value, word.text)
    return Word(text, whole.path if whole is not None else word.path, unresolved)
