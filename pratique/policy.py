"""Policies: one Rego package and its METADATA annotation each, and the set of them that is loaded together."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import tarfile
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import jsonschema_rs
import yaml

from pratique.decision import Severity
from pratique.errors import PolicyError, Problem
from pratique.fields import CONTAINER_FIELDS, POD_FIELDS, Reads
from pratique.rego import PackageClause, data_references, package_clause, rule_names, tokenize

SUBJECT_TYPES = frozenset({"workload", "resource", "call"})
NEEDS = frozenset({"identity", "user", "old", "object", "namespace", "now"})  # and facts.<source>

MAX_FILE_BYTES = 1024 * 1024
"""The largest file of a bundle: what a policy author can still read, and regopy still compile."""
MAX_BUNDLE_BYTES = 32 * 1024 * 1024
"""All files of a bundle together, and a tarball once unpacked: protects memory against a decompression bomb."""
MAX_FILES = 5_000
"""Protects against a path given by mistake (`/`), and against a tarball of empty members."""
MAX_YAML_DEPTH = 30
"""Nesting of an annotation or data document: protects the recursive readers."""


@dataclass(frozen=True, slots=True)
class Module:
    """One Rego file of a bundle: `path` is relative to the bundle's root, `text` as it was read."""

    path: str
    package: str
    text: str


@dataclass(frozen=True, slots=True)
class PolicyMetadata:
    """The METADATA annotation of one policy: the only source of its title, severity, controls and remediation.

    `name` is `<area>/<policy>` as users write it (`workload/resource-limits`): taken from the package
    `policies.<area>.<policy>` (`policies.workload.resource_limits`) with `_` written as `-`; the folder and file are
    named like it (`policies/workload/resource-limits/resource-limits.rego`). `parameters` maps a parameter's name to
    its JSON Schema; `needs` names the parts of `input` beyond `subject` and `parameters` that the policy may read.
    `reads` names Kubernetes' own fields of pods and containers that it reads, itself or in what it calls of `lib`; None
    where it does not say, so that it is sent all.
    Lists among the parameters that say `additive: true` are united where several waivers name them.
    With `override`, its patches may change what the author of an object wrote; without, they only add what is missing.
    """

    name: str
    id: str
    title: str
    description: str
    severity: Severity
    subjects: frozenset[str]
    needs: frozenset[str]
    parameters: Mapping[str, Mapping[str, Any]]
    remediation: str
    controls: Mapping[str, Sequence[str]]
    references: tuple[str, ...]
    file: str
    line: int
    has_patches: bool = False
    reads: Reads | None = None
    override: bool = False

    @property
    def defaults(self) -> dict[str, Any]:
        """The default of each parameter that has one."""
        return {name: schema["default"] for name, schema in self.parameters.items() if "default" in schema}

    @property
    def additive(self) -> frozenset[str]:
        """The parameters to which each waiver adds, so that several waivers of one object add up."""
        return frozenset(name for name, schema in self.parameters.items() if schema.get("additive") is True)


@dataclass(frozen=True, slots=True)
class PolicySet:
    """A bundle: policies that were loaded, checked and digested together.

    `digest` is `sha256:<hex>` over the canonical listing of the modules and data (see `digest_of`); it is in every
    decision.
    """

    digest: str
    modules: tuple[Module, ...]
    policies: Mapping[str, PolicyMetadata]
    data: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> PolicySet:
        """Read a directory of policies or an OPA bundle tarball (`.tar.gz`, `.tgz`).

        What counts: `<area>/<policy>/<policy>.rego`, `lib/**.rego`, and `data.json`, `data.yaml` or `data.yml` in any
        folder, which is where in `data` its content goes. A leading `/` or `policies/` of a path (as `opa build
        policies` writes) does not count. Tests (`_test.rego`), the folders `bindings` and `schemas`, hidden files and
        everything else are not read.

        Ensures that every policy has a whole and valid METADATA annotation, and that there is at least one policy.
        Whether its Rego is portable is for `evaluators.capabilities.check` to say.

        Raises:
            PolicyError: everything that is wrong with the bundle, not only the first thing.
        """
        problems: list[Problem] = []
        files = _read_directory(path, problems) if path.is_dir() else _read_tarball(path, problems)
        modules = _modules(files, problems)
        policies = _policies(modules, problems)
        data = _data(files, problems)
        if not policies and not problems:
            advice = "put each at <area>/<policy>/<policy>.rego"
            problems.append(Problem(str(path), "", f"there is no policy in it; {advice}"))
        if problems:
            raise PolicyError(*problems)
        return cls(digest=digest_of(modules, data), modules=modules, policies=policies, data=data)

    def only(self, names: Collection[str]) -> PolicySet:
        """The part of the bundle that answers for the policies `names`: them, what they need of `lib`, and all data.

        It keeps the digest, which says what the answers were made from: they are those of the whole bundle. Where a
        policy may refer to another one, the part is the whole.
        """
        packages = {f"policies.{name.replace('-', '_').replace('/', '.')}": name for name in self.policies}
        policies = {name: metadata for name, metadata in self.policies.items() if name in names}
        if len(policies) == len(self.policies):
            return self
        references: dict[str, frozenset[tuple[str, ...]]] = {}
        for module in self.modules:
            references[module.package] = frozenset(data_references(list(tokenize(module.text))))
            if any(not path or path[0] == "policies" for path in references[module.package]):
                return self
        needed = {package for package, name in packages.items() if name in policies}
        reached = list(needed)
        for package in reached:
            libraries = {other for other in references if other not in packages and _refers(references[package], other)}
            reached += libraries - needed
            needed |= libraries
        modules = tuple(module for module in self.modules if module.package in needed)
        return replace(self, modules=modules, policies=policies)


def _refers(references: Collection[tuple[str, ...]], package: str) -> bool:
    """Whether one of them leads into the package, or to a place that it is below. No reference in names and dots goes
    beyond a part of its path that is written in brackets."""
    names, bracket, _ = package.partition("[")
    path = tuple(names.split("."))
    return any(
        path[: len(reference)] == reference or (not bracket and path == reference[: len(path)])
        for reference in references
    )


def digest_of(modules: Sequence[Module], data: Mapping[str, Any]) -> str:
    """The digest of a bundle: SHA-256 over one line for each module, sorted by path, and one for the data if there is
    any.

    A line is `<sha256 of the content, hex>  <size in bytes>  <path>\\n`, in UTF-8. Modules count with their lines
    ended by `\\n`; data counts as one `data.json`: keys sorted, no white space, ASCII. A directory and the tarball
    made of it agree.
    """
    contents = {module.path: module.text.encode() for module in modules}
    if data:
        contents["data.json"] = json.dumps(data, sort_keys=True, separators=(",", ":")).encode()
    lines = (
        f"{hashlib.sha256(content).hexdigest()}  {len(content)}  {name}\n" for name, content in sorted(contents.items())
    )
    return "sha256:" + hashlib.sha256("".join(lines).encode()).hexdigest()


# Reading files: both kinds of bundle become one mapping of normalised path to content.

_DATA_FILES = frozenset({"data.json", "data.yaml", "data.yml"})
_FOLDERS_LEFT_OUT = frozenset({"bindings", "schemas"})


def _normalised(path: str) -> str:
    return path.removeprefix("./").lstrip("/").removeprefix("policies/")


def _counts(path: str) -> bool:
    """Whether the file at this normalised path is a part of the bundle."""
    *folders, name = path.split("/")
    if any(part.startswith(".") for part in (*folders, name)) or (folders and folders[0] in _FOLDERS_LEFT_OUT):
        return False
    return name in _DATA_FILES or (name.endswith(".rego") and not name.endswith("_test.rego"))


def _read_directory(root: Path, problems: list[Problem]) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    total = 0
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in folders:
            if Path(folder, name).is_symlink():
                where = Path(folder, name).relative_to(root).as_posix()
                problems.append(
                    Problem(where, "", "a folder that is a symbolic link is not followed; put the folder itself here")
                )
        for name in sorted(names):
            path = _normalised(Path(folder, name).relative_to(root).as_posix())
            if not _counts(path):
                continue
            try:
                with Path(folder, name).open("rb") as stream:
                    content = stream.read(MAX_FILE_BYTES + 1)
            except OSError as error:
                problems.append(Problem(path, "", f"cannot be read: {error.strerror}"))
                continue
            total += len(content)
            _keep(path, content, files, problems)
            if len(files) > MAX_FILES or total > MAX_BUNDLE_BYTES:
                problems.append(Problem(str(root), "", _too_much()))
                return files
    return files


def _read_tarball(path: Path, problems: list[Problem]) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    try:
        with gzip.open(path) as stream:
            unpacked = stream.read(MAX_BUNDLE_BYTES + 1)
        if len(unpacked) > MAX_BUNDLE_BYTES:
            problems.append(Problem(str(path), "", _too_much()))
            return files
        with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as archive:
            for number, member in enumerate(archive, start=1):
                if number > MAX_FILES:
                    problems.append(Problem(str(path), "", _too_much()))
                    break
                _read_member(archive, member, files, problems)
    except FileNotFoundError:
        problems.append(Problem(str(path), "", "there is no such file or folder"))
    except OSError as error:  # gzip.BadGzipFile is one
        problems.append(Problem(str(path), "", f"cannot be read: {error.strerror or error}"))
    except (tarfile.TarError, EOFError, zlib.error, UnicodeError) as error:
        problems.append(Problem(str(path), "", f"is not a whole gzipped tarball: {error}"))
    return files


def _read_member(
    archive: tarfile.TarFile, member: tarfile.TarInfo, files: dict[str, bytes], problems: list[Problem]
) -> None:
    if member.isdir():
        return
    path = _normalised(member.name)
    if not path or "\\" in path or "\0" in path or ".." in path.split("/"):
        problems.append(
            Problem(member.name, "", "the path leaves the bundle; pack the bundle again with `opa build -b`")
        )
    elif not member.isreg():
        problems.append(Problem(path, "", "is a link or a device; a bundle holds files only"))
    elif path == ".manifest":
        _check_manifest(_content(archive, member), problems)
    elif _counts(path):
        _keep(path, _content(archive, member), files, problems)


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(member)
    return stream.read(MAX_FILE_BYTES + 1) if stream else b""


def _check_manifest(content: bytes, problems: list[Problem]) -> None:
    try:
        manifest = json.loads(content)
    except ValueError as error:
        problems.append(Problem(".manifest", "", f"is not JSON: {error}"))
        return
    version = manifest.get("rego_version", 1) if isinstance(manifest, dict) else None
    if version != 1:
        problems.append(
            Problem(".manifest", "", f"rego_version is {version}; build the bundle with `opa build --v1-compatible`")
        )


def _keep(path: str, content: bytes, files: dict[str, bytes], problems: list[Problem]) -> None:
    if path in files:
        problems.append(Problem(path, "", "is in the bundle twice; remove one"))
    elif len(content) > MAX_FILE_BYTES:
        problems.append(Problem(path, "", f"is larger than {MAX_FILE_BYTES} bytes; split it"))
    else:
        files[path] = content


def _too_much() -> str:
    return f"holds more than {MAX_FILES} files or {MAX_BUNDLE_BYTES} bytes; give the folder of the policies alone"


# Modules, and the package each must have.


def _modules(files: Mapping[str, bytes], problems: list[Problem]) -> tuple[Module, ...]:
    modules = []
    files_of: dict[str, str] = {}
    for path in sorted(path for path in files if path.endswith(".rego")):
        try:
            text = files[path].decode().removeprefix("\ufeff").replace("\r\n", "\n")
        except UnicodeDecodeError as error:
            problems.append(Problem(path, f"byte {error.start}", "is not UTF-8; save the file as UTF-8"))
            continue
        clause = package_clause(list(tokenize(text)))
        if clause is None:
            problems.append(
                Problem(path, "line 1", "does not begin with a package; write `package policies.<area>.<policy>`")
            )
            continue
        if problem := _misplaced(path, clause):
            problems.append(problem)
            continue
        package = str(clause)
        if package in files_of:
            message = f"{package} is defined by {files_of[package]} too; keep one file for each package"
            problems.append(Problem(path, f"line {clause.line}", message))
            continue
        files_of[package] = path
        modules.append(Module(path=path, package=package, text=text))
    return tuple(modules)


def _misplaced(path: str, clause: PackageClause) -> Problem | None:
    """What is wrong with a module of this package at this path."""
    where = f"line {clause.line}"
    parts = PurePosixPath(path).parts
    if parts[0] == "lib":
        if clause.path[0] == "lib" and len(clause.path) > 1:
            return None
        return Problem(
            path, where, f"package {clause} is not below `lib`; write `package lib.{PurePosixPath(path).stem}`"
        )
    if len(parts) != 3 or parts[2] != f"{parts[1]}.rego":
        return Problem(
            path, where, "a policy lies at <area>/<policy>/<policy>.rego, and shared rules lie in lib/; move the file"
        )
    if not all(re.fullmatch("[a-z][a-z0-9-]*", part) for part in parts[:2]):
        return Problem(path, where, "an area and a policy are named with a-z, 0-9 and `-`; rename the folder")
    expected = PackageClause(("policies", *(part.replace("-", "_") for part in parts[:2])), clause.line, 0)
    if clause.path != expected.path:
        return Problem(path, where, f"package {clause} is not that of its folder; write `package {expected}`")
    return None


# Data documents, laid out as OPA does: the folder is the place in `data`.


def _data(files: Mapping[str, bytes], problems: list[Problem]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for path in sorted(path for path in files if PurePosixPath(path).name in _DATA_FILES):
        *folders, _ = path.split("/")
        try:
            document = _Document.parse(files[path].decode())
        except (UnicodeDecodeError, _YamlProblem) as error:
            problems.append(Problem(path, *_placed(error)))
            continue
        content = document.value
        if not isinstance(content, dict):
            problems.append(Problem(path, "line 1", "is not an object; write keys and values"))
            continue
        for folder in reversed(folders):
            content = {folder: content}
        for root in sorted(content.keys() & {"policies", "lib", "pratique"}):
            problems.append(Problem(path, "", f"data.{root} is where modules are; use another key"))
        for key in _merge(data, content):
            problems.append(Problem(path, "", f"data.{key} is set by another data file too; set it once"))
    return data


def _merge(into: dict[str, Any], content: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Merge `content` into `into`, and yield the keys that both set."""
    for key, value in content.items():
        if key not in into:
            into[key] = value
        elif isinstance(into[key], dict) and isinstance(value, dict):
            yield from _merge(into[key], value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


# YAML that knows its lines, refuses duplicate keys and aliases, and holds what JSON can hold.


class _YamlProblem(ValueError):
    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def _placed(error: ValueError) -> tuple[str, str]:
    if isinstance(error, _YamlProblem):
        return f"line {error.line}", str(error)
    return "", f"is not UTF-8: {error}"


@dataclass(frozen=True, slots=True)
class _Document:
    """A YAML document as JSON values, with the line of every key and item by its path."""

    value: Any
    lines: Mapping[tuple[str | int, ...], int]

    @classmethod
    def parse(cls, text: str, first_line: int = 1) -> _Document:
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            lines: dict[tuple[str | int, ...], int] = {(): first_line}
            value = None if node is None else _json_value(node, loader, first_line, (), lines, set())
        except yaml.MarkedYAMLError as error:
            line = first_line + (error.problem_mark.line if error.problem_mark else 0)
            raise _YamlProblem(line, f"is not YAML: {error.problem or error.context}") from error
        except (yaml.YAMLError, RecursionError) as error:
            raise _YamlProblem(first_line, f"is not YAML: {error}") from error
        finally:
            loader.dispose()
        return cls(value, lines)

    def line(self, *path: str | int) -> str:
        """`line N` of the deepest part of `path` that exists."""
        while path not in self.lines:
            path = path[:-1]
        return f"line {self.lines[path]}"


def _json_value(
    node: yaml.Node,
    loader: yaml.SafeLoader,
    first_line: int,
    path: tuple[str | int, ...],
    lines: dict[tuple[str | int, ...], int],
    seen: set[int],
) -> Any:
    line = first_line + node.start_mark.line
    if id(node) in seen:
        raise _YamlProblem(line, "a YAML alias; write the value out")
    if len(path) > MAX_YAML_DEPTH:
        raise _YamlProblem(line, f"nested deeper than {MAX_YAML_DEPTH}; flatten it")
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key_line = first_line + key_node.start_mark.line
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag != "tag:yaml.org,2002:str":
                raise _YamlProblem(key_line, "a key is not a text; quote it")
            key = key_node.value
            if key in mapping:
                raise _YamlProblem(key_line, f"the key `{key}` stands here twice; remove one")
            lines[(*path, key)] = key_line
            mapping[key] = _json_value(value_node, loader, first_line, (*path, key), lines, seen)
        return mapping
    if isinstance(node, yaml.SequenceNode):
        items = []
        for index, item in enumerate(node.value):
            lines[(*path, index)] = first_line + item.start_mark.line
            items.append(_json_value(item, loader, first_line, (*path, index), lines, seen))
        return items
    try:
        value = loader.construct_object(node)
    except ValueError as error:
        raise _YamlProblem(line, f"`{node.value}` is not a value; quote it") from error
    if value is None or isinstance(value, str | bool | int) or (isinstance(value, float) and value - value == 0):
        return value
    raise _YamlProblem(line, f"`{node.value}` is no JSON value; quote it")


# The METADATA annotation.

_ANNOTATION_KEYS = frozenset(
    {"title", "description", "scope", "related_resources", "custom", "authors", "organizations", "schemas"}
)
_CUSTOM_KEYS = frozenset(
    {"id", "severity", "subjects", "needs", "reads", "parameters", "remediation", "controls", "override"}
)
_SCHEMA_KEYS = frozenset(
    {"$comment", "additionalProperties", "allOf", "anyOf", "const", "contains", "default", "deprecated", "description"}
    | {
        "enum",
        "examples",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "format",
        "items",
        "maxItems",
        "maxLength",
        "maximum",
    }
    | {"maxProperties", "minItems", "minLength", "minProperties", "minimum", "multipleOf", "not", "oneOf", "pattern"}
    | {"patternProperties", "prefixItems", "properties", "propertyNames", "required", "title", "type", "uniqueItems"}
)  # no $ref: a schema stands alone, and nothing is fetched


def _policies(modules: Sequence[Module], problems: list[Problem]) -> dict[str, PolicyMetadata]:
    policies: dict[str, PolicyMetadata] = {}
    by_id: dict[str, PolicyMetadata] = {}
    for module in modules:
        if module.path.startswith("lib/"):
            continue
        annotation = _Annotation.of(module, problems)
        metadata = annotation.metadata() if annotation else None
        if metadata is None:
            continue
        if other := by_id.get(metadata.id):
            message = f"the id {metadata.id} is that of {other.file} too; ids are never reused, take the next free one"
            problems.append(Problem(module.path, f"line {metadata.line}", message))
            continue
        by_id[metadata.id] = policies[metadata.name] = metadata
    return policies


class _Annotation:
    """Reads one policy's annotation, adding what is wrong with it to `problems`."""

    def __init__(self, module: Module, document: _Document, package_line: int, problems: list[Problem]) -> None:
        self._module = module
        self._document = document
        self._package_line = package_line
        self._problems = problems

    @classmethod
    def of(cls, module: Module, problems: list[Problem]) -> _Annotation | None:
        tokens = list(tokenize(module.text))
        lines = module.text.split("\n")[: tokens[0].line - 1]
        starts = [number for number, line in enumerate(lines) if re.fullmatch(r"\s*#\s*METADATA\s*", line)]
        if len(starts) != 1:
            message = (
                "has two METADATA comments before its package; keep one"
                if starts
                else "has no METADATA comment before its package; write one with `scope: package`"
            )
            problems.append(Problem(module.path, f"line {tokens[0].line}", message))
            return None
        first = starts[0] + 1
        block = []
        for line in lines[first:]:
            if not line.lstrip().startswith("#"):
                break
            block.append(line.lstrip()[1:])
        try:
            document = _Document.parse("\n".join(block), first + 1)
        except _YamlProblem as error:
            problems.append(Problem(module.path, *_placed(error)))
            return None
        return cls(module, document, tokens[0].line, problems)

    def metadata(self) -> PolicyMetadata | None:
        """The annotation's content, or None when anything is wrong with it."""
        before = len(self._problems)
        top = self._document.value
        if not isinstance(top, dict):
            self._wrong("the annotation is not keys and values; write `title:`, `scope: package` and `custom:`")
            return None
        self._known(top, _ANNOTATION_KEYS)
        title, description = self._text(top, "title"), self._text(top, "description")
        if top.get("scope") != "package":
            self._wrong("scope must be `package`; write `scope: package`", "scope")
        references = self._references(top.get("related_resources", []))
        custom = top.get("custom")
        if not isinstance(custom, dict):
            self._wrong(
                "custom is missing; write `custom:` with id, severity, subjects, parameters and remediation", "custom"
            )
            return None
        self._known(custom, _CUSTOM_KEYS, "custom")
        id_ = self._text(custom, "id", "custom")
        if id_ and not re.fullmatch("[A-Z]+-[0-9]{3}", id_):
            self._wrong(
                f"the id `{id_}` is not like `GPU-001`; use capitals, a hyphen and three digits", "custom", "id"
            )
        severity = self._text(custom, "severity", "custom")
        if severity and severity not in list(Severity):
            self._wrong(f"unknown severity `{severity}`; use one of {', '.join(Severity)}", "custom", "severity")
        subjects = self._names(custom, "subjects", required=True)
        for index, subject in enumerate(subjects):
            if subject not in SUBJECT_TYPES:
                choice = ", ".join(sorted(SUBJECT_TYPES))
                self._wrong(f"unknown subject `{subject}`; use one of {choice}", "custom", "subjects", index)
        needs = self._names(custom, "needs", required=False)
        for index, need in enumerate(needs):
            if need not in NEEDS and not re.fullmatch(r"facts\.[a-z][a-z0-9_]*", need):
                choice = ", ".join(sorted(NEEDS))
                self._wrong(f"unknown need `{need}`; use one of {choice}, facts.<source>", "custom", "needs", index)
        reads = self._reads(custom["reads"]) if "reads" in custom else None
        parameters = self._parameters(custom.get("parameters", {}))
        remediation = self._text(custom, "remediation", "custom")
        controls = self._controls(custom.get("controls", {}))
        has_patches = "patches" in rule_names(list(tokenize(self._module.text)))
        override = custom.get("override", False)
        if not isinstance(override, bool):
            self._wrong("override is neither true nor false", "custom", "override")
        elif override and not has_patches:
            self._wrong("override is for policies with `patches`; write them, or remove it", "custom", "override")
        if len(self._problems) > before:
            return None
        _, area, policy = PurePosixPath("/", *PurePosixPath(self._module.path).parts[:2]).parts
        return PolicyMetadata(
            name=f"{area}/{policy}",
            id=id_,
            title=title,
            description=description,
            severity=Severity(severity),
            subjects=frozenset(subjects),
            needs=frozenset(needs),
            parameters=parameters,
            remediation=remediation,
            controls=controls,
            references=references,
            file=self._module.path,
            line=self._package_line,
            has_patches=has_patches,
            override=override,
            reads=reads,
        )

    def _wrong(self, message: str, *path: str | int) -> None:
        self._problems.append(Problem(self._module.path, self._document.line(*path), message))

    def _known(self, mapping: Mapping[str, Any], known: frozenset[str], *path: str) -> None:
        for key in mapping.keys() - known:
            choice = ", ".join(sorted(known))
            self._wrong(f"unknown key `{'.'.join((*path, key))}`; known are {choice}", *path, key)

    def _text(self, mapping: Mapping[str, Any], key: str, *path: str) -> str:
        value = mapping.get(key)
        if isinstance(value, str) and value.strip():
            return value.strip()
        what = "is missing" if key not in mapping else "is not a text"
        self._wrong(f"{'.'.join((*path, key))} {what}; write `{key}: ...`", *path, key)
        return ""

    def _names(self, custom: Mapping[str, Any], key: str, *, required: bool) -> list[str]:
        value = custom.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self._wrong(f"custom.{key} is not a list of names; write `{key}: [...]`", "custom", key)
            return []
        if required and not value:
            self._wrong(f"custom.{key} is missing or empty; name at least one", "custom", key)
        return value

    def _reads(self, value: Any) -> Reads:
        if not isinstance(value, dict) or not all(
            isinstance(names, list) and all(isinstance(name, str) for name in names) for names in value.values()
        ):
            self._wrong(
                "reads maps pod and container to their fields; write `reads: {container: [env]}`", "custom", "reads"
            )
            return Reads()
        self._known(value, frozenset({"pod", "container"}), "custom", "reads")
        for whose, known in (("pod", POD_FIELDS), ("container", CONTAINER_FIELDS)):
            for index, name in enumerate(value.get(whose, [])):
                if name not in known:
                    self._wrong(
                        f"unknown field `{name}` of a {whose}; use one that is listed in pratique/fields.py",
                        "custom",
                        "reads",
                        whose,
                        index,
                    )
        return Reads(frozenset(value.get("pod", [])), frozenset(value.get("container", [])))

    def _references(self, value: Any) -> tuple[str, ...]:
        references = []
        for index, item in enumerate(value if isinstance(value, list) else [None]):
            reference = item.get("ref") if isinstance(item, dict) else item
            if isinstance(reference, str):
                references.append(reference)
            else:
                self._wrong("related_resources is a list of `ref: <URL>`", "related_resources", index)
        return tuple(references)

    def _controls(self, value: Any) -> dict[str, list[str]]:
        if isinstance(value, dict) and all(
            isinstance(ids, list) and ids and all(isinstance(control, str) for control in ids) for ids in value.values()
        ):
            return value
        self._wrong(
            "controls maps each framework to its controls; write `nist-800-53-r5: [SC-6]`", "custom", "controls"
        )
        return {}

    def _parameters(self, value: Any) -> dict[str, dict[str, Any]]:
        if not isinstance(value, dict):
            self._wrong("parameters maps each name to a JSON Schema", "custom", "parameters")
            return {}
        for name, schema in value.items():
            path = ("custom", "parameters", name)
            if not re.fullmatch("[a-z][a-z0-9_]*", name):
                self._wrong(f"the parameter `{name}` is not named with a-z, 0-9 and `_`; rename it", *path)
            if not isinstance(schema, dict) or "type" not in schema:
                self._wrong(
                    f"the parameter `{name}` has no JSON Schema with a type; write `{{type: integer}}`, say", *path
                )
                continue
            if not self._schema(schema, name, path):
                continue
            if "additive" in schema and not (schema["additive"] is True and schema["type"] == "array"):
                self._wrong("only a list adds up; write `additive: true` with `type: array`, or remove it", *path)
            if "default" in schema:
                for error in jsonschema_rs.Draft202012Validator(schema).iter_errors(schema["default"]):
                    self._wrong(f"the default of `{name}` fails its own schema: {error.message}", *path, "default")
        return value

    def _schema(self, schema: Mapping[str, Any], name: str, path: tuple[str, ...]) -> bool:
        """Whether a parameter's schema is a JSON Schema, and it and those in it have known keywords only."""
        schema = {keyword: value for keyword, value in schema.items() if keyword != "additive"}
        unknown = sorted({keyword for part in _schemas_in(schema) for keyword in part.keys() - _SCHEMA_KEYS})
        for keyword in unknown:
            self._wrong(
                f"the schema of `{name}` has the unknown keyword `{keyword}`; correct or remove it", *path, keyword
            )
        if unknown:  # and not compiled: a reference would be fetched
            return False
        try:
            jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})
            jsonschema_rs.Draft202012Validator(dict(schema))
        except (jsonschema_rs.ValidationError, ValueError) as error:
            message = getattr(error, "message", str(error))
            self._wrong(f"the schema of `{name}` is not a JSON Schema: {message}", *path)
            return False
        return True


def _schemas_in(schema: Any) -> Iterator[Mapping[str, Any]]:
    """A JSON Schema and every schema inside it."""
    if not isinstance(schema, Mapping):
        return
    yield schema
    for keyword in ("additionalProperties", "contains", "items", "not", "propertyNames"):
        yield from _schemas_in(schema.get(keyword))
    for keyword in ("allOf", "anyOf", "oneOf", "prefixItems"):
        parts = schema.get(keyword)
        for part in parts if isinstance(parts, list) else ():
            yield from _schemas_in(part)
    for keyword in ("patternProperties", "properties"):
        named = schema.get(keyword)
        for part in named.values() if isinstance(named, dict) else ():
            yield from _schemas_in(part)
