"""The models that a container is told to load, the server that loads them, and the datasets that it is told to read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

import orjson

from pratique.errors import InputError
from pratique.image import parse_image
from pratique.models.arguments import MAX_SCRIPT_LENGTH, Variables, Word, commands_in, commands_of, variables_of
from pratique.models.datasets import datasets_of_arguments, datasets_of_environment, may_name_a_dataset
from pratique.models.frameworks import (
    BY_PROGRAM,
    FORMAT_FLAGS,
    FRAMEWORKS,
    GENERIC,
    SWITCHES,
    TRUST_ENV,
    TRUST_FLAGS,
    Framework,
)
from pratique.models.reference import names_a_model, parse_model, unresolved_model
from pratique.shape import Object, list_at, lookup, mapping_at
from pratique.subject import Container, ModelRef, ModelRole, Pod, Server

_LAUNCHERS = frozenset(
    {
        "python", "python3", "uv", "run", "torchrun", "accelerate", "launch", "mpirun", "numactl", "tini", "dumb-init",
        "deepspeed", "nice", "stdbuf", "poetry", "nsys", "profile", "ray", "job", "submit", "timeout", "catatonit",
    }
)  # fmt: skip
"""Programs that start others: the one that is started comes later on the line."""

_MAX_LAUNCH_WORDS = 24
_FALSE = frozenset({"", "0", "false", "no", "off"})
_MOUNTED_BY_CONTROLLER = "/mnt/models"
"""Where KServe puts what `storageUri` names (pkg/constants/constants.go, `DefaultModelLocalMountPath`)."""

_NAMED = re.compile(r"[A-Za-z0-9._-]+=(?P<reference>.+)")

_NAMED_ELSEWHERE = frozenset({"nim", "ollama", "mlserver"})
"""Servers that need not be told: a NIM's image holds its model, the others load what they are asked for."""

_HINT = re.compile(
    "model|token|checkpoint|adapter|trust|pretrained|snapshot_download|data|train|valid|eval|corpus|input|://|[$]|"
    + "|".join(re.escape(name) for item in FRAMEWORKS for name in (*item.programs, *item.modules))
)
"""What is somewhere in every command line that names a model or a dataset: most containers are done with after one
search."""

_ENV = frozenset({*GENERIC.env, *TRUST_ENV, *(name for item in FRAMEWORKS for name in item.env)})

Read = tuple[list[ModelRef], Server | None]
_NOTHING: Read = ([], None)


def serving_of(container: Container, pod: Pod) -> Read:
    """What the command line, the environment and the start hook of `container` say of models.

    Raises:
        InputError: `command`, `args`, `env` or `volumeMounts` have the wrong type.
    """
    fields = container.fields
    framework = _by_image(container.image.repository)
    if framework is None and "lifecycle" not in fields and _says_nothing(fields):
        return _NOTHING
    variables = variables_of(fields, container.path)
    commands = commands_of(fields, container.path, variables)
    found, server = serving_of_commands(
        commands, variables, container.path, framework, entrypoint=not fields.get("command")
    )
    if "lifecycle" in fields:
        hook = lookup(fields, "/lifecycle/postStart/exec", base=container.path)
        if hook is not None:
            place = f"{container.path}/lifecycle/postStart/exec"
            started = commands_of(mapping_at(hook, place), place, variables)
            found.extend(serving_of_commands(started, variables, container.path, None)[0])
    if (
        server is not None
        and server.framework
        and not pod.partial
        and server.framework not in _NAMED_ELSEWHERE
        and not any(model.role == "model" for model in found)
    ):
        source = " (it may be in what envFrom brings in)" if fields.get("envFrom") else ""
        reason = f"{server.framework} is not told which model to load{source}"
        found.append(unresolved_model(container.path, reason, framework=server.framework))
    if pod.partial:
        found = [model for model in found if not model.uri.startswith(_MOUNTED_BY_CONTROLLER)]
    return _mounted(found, container, pod) if any(model.scheme == "file" for model in found) else found, server


def _says_nothing(fields: Object) -> bool:
    """Whether nothing in a container can be about models. Of what is not well formed, that is not known."""
    if "source" in fields or "script" in fields:
        return False
    for name in ("command", "args"):
        words = fields.get(name)
        if words is not None:
            if type(words) is not list:
                return False
            try:
                if _HINT.search(" ".join(words)) is not None:
                    return False
            except TypeError:
                return False
    env = fields.get("env")
    if env is not None:
        if type(env) is not list:
            return False
        for entry in env:
            if type(entry) is not dict or entry.get("name") in _ENV:
                return False
            value = entry.get("value")
            if may_name_a_dataset(entry.get("name"), value) or (type(value) is str and "$(" in value):
                return False
            if "valueFrom" in entry and type(entry["valueFrom"]) is not dict:
                return False
    return True


def serving_of_fields(fields: Object, path: str, framework: str) -> tuple[list[ModelRef], Server]:
    """As for a container, of `args` and `env` that a kind hands on to the server `framework`."""
    variables = variables_of(fields, path)
    known = _named(framework)
    if known is None:
        return [], Server(path, framework)
    models, server = serving_of_commands(commands_of(fields, path, variables), variables, path, known, entrypoint=True)
    return models, server or Server(path, framework)


def _named(name: str) -> Framework | None:
    return next((framework for framework in FRAMEWORKS if framework.name == name), None)


def serving_of_script(text: str, path: str) -> Read:
    """As for a container, of one line of shell that a kind holds (a RayJob's entrypoint)."""
    variables: dict[str, Word] = {}
    return serving_of_commands(commands_in(Word(text, path), variables), variables, path, None)


def serving_of_commands(
    commands: list[list[Word]], variables: Variables, path: str, by_image: Framework | None, *, entrypoint: bool = False
) -> Read:
    """The models and datasets that `commands` name, each once, and the server among them.

    `by_image` is what the image is made to run; with `entrypoint`, the words are arguments of that.
    """
    found: dict[tuple[str, str, str], ModelRef] = {}
    server: Server | None = None
    chosen: Framework | None = None
    recognised = False
    for words in commands:
        framework, arguments = _recognised(words)
        if framework is None and entrypoint:
            framework, arguments = by_image, words
        recognised = recognised or framework is not None
        flags = _flags(arguments)
        for model in (*_of_arguments(framework or GENERIC, arguments, flags, variables), *_of_code(arguments)):
            found.setdefault((model.path, model.uri, model.role), model)
        if framework is not None and framework.serves and _verb(framework, arguments) is not None:
            server, chosen = _together(_server(framework, arguments, flags, variables, path), server), framework
        elif any("trust" in word.text for word in arguments):
            loader = _server(framework or GENERIC, arguments, flags, variables, path)
            server = server or (loader if loader.trust_remote_code else None)
    if by_image is not None and not recognised:
        chosen = by_image
        if not commands and by_image.serves and _verb(by_image, []) is not None:
            server = _server(by_image, [], [], variables, path)
    for model in _of_environment(chosen or GENERIC, variables, known=bool(found)):
        found.setdefault((model.path, model.uri, model.role), model)
    if chosen is None or not chosen.serves:
        for model in _datasets(commands, variables, {(path, uri) for path, uri, _ in found}):
            found.setdefault((model.path, model.uri, model.role), model)
    return list(found.values()), server


def _datasets(commands: list[list[Word]], variables: Variables, known: set[tuple[str, str]]) -> Iterator[ModelRef]:
    """The datasets that a program which serves nothing reads; what names a model is none."""
    named = {name: word for name, word in variables.items() if name not in _ENV}
    for model in (
        *(model for words in commands for model in datasets_of_arguments(words)),
        *datasets_of_environment(named),
    ):
        if (model.path, model.uri) not in known:
            yield model


def _together(server: Server, earlier: Server | None) -> Server:
    """One of several commands; what an earlier one allows is allowed, and its format is listed, too."""
    if earlier is None:
        return server
    return replace(
        server,
        trust_remote_code=server.trust_remote_code or earlier.trust_remote_code,
        load_format=",".join(dict.fromkeys(filter(None, (earlier.load_format, server.load_format)))),
    )


_MARKS = {mark: framework for framework in FRAMEWORKS for mark in framework.images}
_ANY_MARK = re.compile(
    f"(?<![a-z0-9])(?:{'|'.join(re.escape(mark) for mark in sorted(_MARKS, key=len, reverse=True))})"
)


@lru_cache(maxsize=1024)
def _by_image(repository: str) -> Framework | None:
    """What an image of this repository is made to run, by a mark in its name."""
    match = _ANY_MARK.search(repository)
    return _MARKS[match.group(0)] if match is not None else None


def _recognised(words: list[Word]) -> tuple[Framework | None, list[Word]]:
    """The framework whose program is run, and the words behind it; of an unknown one, all words."""
    launched = False
    for index, word in enumerate(words[:_MAX_LAUNCH_WORDS]):
        text = word.text
        if text == "-m" and index + 1 < len(words) and launched:
            module = words[index + 1].text
            for framework in FRAMEWORKS:
                if any(module == name or module.startswith(f"{name}.") for name in framework.modules):
                    return framework, words[index + 2 :]
            continue
        program = text.rpartition("/")[2]
        framework_found = BY_PROGRAM.get(program)
        if framework_found is not None and (index == 0 or launched):
            return framework_found, words[index + 1 :]
        if index == 0 and program.rstrip("0123456789.") not in _LAUNCHERS and program not in _LAUNCHERS:
            return None, words
        launched = True
    return None, words


def _of_arguments(
    framework: Framework, words: list[Word], flags: list[_Flag], variables: Variables
) -> Iterator[ModelRef]:
    if framework.positional:
        word = _positional(framework, words)
        if word is not None:
            yield from _models(framework, word, _kind_of_repository(flags), flags, variables)
    for flag, values in flags:
        role = framework.flags.get(flag)
        if role is not None:
            for word in values:
                if framework is not GENERIC or names_a_model(word.text) or word.unresolved:
                    yield from _models(framework, word, role, flags, variables)


def _kind_of_repository(flags: list[_Flag]) -> ModelRole:
    """What the Hugging Face command line downloads."""
    kinds = (values[0].text for flag, values in flags if flag == "repo-type" and values)
    return "dataset" if "dataset" in kinds else "model"


_CODE = re.compile(
    r"(?:from_pretrained|snapshot_download|hf_hub_download|SentenceTransformer|LLM|pipeline)\(\s*"
    r"(?:[^()]*?\b(?:repo_id|model|pretrained_model_name_or_path)\s*=\s*)?[\"'](?P<name>[\w.-]+/[\w.-]+)[\"'](?P<rest>[^)]*)"
)
_CODE_REVISION = re.compile(r"\brevision\s*=\s*[\"'](?P<revision>[^\"']+)[\"']")
_CODE_TRUST = re.compile(r"\btrust_remote_code\s*=\s*True")


def _of_code(words: list[Word]) -> Iterator[ModelRef]:
    """The models that Python code on the command line loads by name."""
    for word in words:
        if "(" not in word.text:
            continue
        for match in _CODE.finditer(word.text[:MAX_SCRIPT_LENGTH]):
            revision = _CODE_REVISION.search(match["rest"])
            yield parse_model(match["name"], word.path, revision=revision["revision"] if revision else "")


def _verb(framework: Framework, words: list[Word]) -> tuple[str, ...] | None:
    """What `words` begin with, of the ways in which the framework loads a model; None for its other commands."""
    for verb in framework.verbs:
        if tuple(word.text for word in words[: len(verb)]) == verb:
            return verb
    return None


def _positional(framework: Framework, words: list[Word]) -> Word | None:
    verb = _verb(framework, words)
    if verb is None:
        return None
    takes_values = takes_many = False
    for word in words[len(verb) :]:
        if word.text.startswith("-"):
            flag = word.text.lstrip("-").replace("_", "-")
            takes_many = flag in _MANY
            takes_values = "=" not in flag and flag not in SWITCHES
        elif takes_values:
            takes_values = takes_many
        elif word.text or word.unresolved:
            return word
    return None


_Flag = tuple[str, list[Word]]
"""A flag without its dashes, and its values."""


def _flags(words: list[Word]) -> list[_Flag]:
    """Each flag with its values: what follows `=`, or the words up to the next flag."""
    found: list[_Flag] = []
    index = 0
    while index < len(words):
        word = words[index]
        index += 1
        if not word.text.startswith("-") or word.text in ("-", "--"):
            continue
        name, equals, value = word.text.partition("=")
        flag = name.lstrip("-").replace("_", "-")
        values: list[Word] = []
        if equals:
            values.append(Word(value, word.path, word.unresolved))
        else:
            while index < len(words) and not (words[index].text.startswith("-") and len(words[index].text) > 1):
                values.append(words[index])
                index += 1
                if flag not in _MANY:
                    break
        found.append((flag, values))
    return found


_MANY = frozenset({"lora-modules", "lora-paths", "models", "model-repository", "adapters"})
"""Flags that take all words up to the next flag."""


def _models(
    framework: Framework, word: Word, role: ModelRole, flags: list[_Flag], variables: Variables
) -> Iterator[ModelRef]:
    if word.unresolved and (not word.text or "$" in word.text):
        yield unresolved_model(word.path, word.unresolved, role=role, framework=framework.name)
        return
    for text, revision in _references(word.text, role, framework):
        revision = revision or _revision(framework, role, flags, variables)
        yield parse_model(
            text, word.path, revision=revision, role=role, framework=framework.name, default=framework.scheme
        )


def _references(text: str, role: ModelRole, framework: Framework) -> Iterable[tuple[str, str]]:
    """What a value names: itself; the path in JSON; the second half of `name=path`; each of a list."""
    text = text.strip()
    if text.startswith("{"):
        try:
            value: Any = orjson.loads(text)
        except orjson.JSONDecodeError:
            return []
        reference = value.get("path") or value.get("model") or value.get("lora_path")
        return [(reference, str(value.get("revision") or ""))] if isinstance(reference, str) else []
    if role == "lora" or framework.name == "torchserve":
        found = []
        for part in text.split(","):
            match = _NAMED.fullmatch(part.strip())
            found.append((match["reference"] if match is not None else part.strip(), ""))
        return [item for item in found if item[0] and item[0] != "all"]
    return [(text, "")] if text else []


def _revision(framework: Framework, role: ModelRole, flags: list[_Flag], variables: Variables) -> str:
    names = framework.revisions.get(role, ())
    for name in names:
        for flag, values in flags:
            if flag == name and values:
                return values[0].text
        if name in variables and name.isupper():
            return variables[name].text
    return ""


def _of_environment(framework: Framework, variables: Variables, *, known: bool) -> Iterator[ModelRef]:
    if not variables:
        return
    for name, role in framework.env.items():
        word = variables.get(name)
        if word is not None and (framework is not GENERIC or names_a_model(word.text)):
            yield from _models(framework, word, role, [], variables)
    if framework is not GENERIC and not known:
        for name, role in GENERIC.env.items():
            word = variables.get(name)
            if name not in framework.env and word is not None and (names_a_model(word.text) or word.unresolved):
                yield from _models(framework, word, role, [], variables)
    elif framework is GENERIC and not known:
        for name in ("MODEL_ID", "MODEL_URI", "HF_MODEL_ID", "STORAGE_URI"):
            word = variables.get(name)
            if word is not None and word.unresolved:
                yield unresolved_model(word.path, word.unresolved)


def _server(framework: Framework, words: list[Word], flags: list[_Flag], variables: Variables, path: str) -> Server:
    trust = load_format = ""
    for flag, values in flags:
        if _trusts(flag) and (not values or _is_set(values[0])):
            trust = next(word.path for word in words if word.text.lstrip("-").replace("_", "-").startswith(flag))
        elif flag in FORMAT_FLAGS and values:
            load_format = values[0].text
    for word in words:
        if not trust and "trust_remote_code" in word.text and _CODE_TRUST.search(word.text) is not None:
            trust = word.path
    for name in TRUST_ENV:
        if not trust and name in variables and _is_set(variables[name]):
            trust = variables[name].path
    return Server(path, framework.name, trust_remote_code=trust, load_format=load_format)


def _trusts(flag: str) -> bool:
    """Whether `flag` is one that trusts, or a beginning of it: argparse takes those too."""
    return len(flag) >= _SHORTEST_TRUST and any(name.startswith(flag) for name in TRUST_FLAGS)


_SHORTEST_TRUST = len("trust")


def _is_set(word: Word) -> bool:
    """Whether a switch is on; where its value is not in the object, it has to be taken as on."""
    return bool(word.unresolved) or word.text.lower() not in _FALSE


# Paths in a container: what is mounted there


def _mounted(found: list[ModelRef], container: Container, pod: Pod) -> list[ModelRef]:
    """`found`, with models below a mount named by what is mounted."""
    mounts: dict[str, tuple[str, str]] = {}
    place = f"{container.path}/volumeMounts"
    for index, value in enumerate(list_at(container.fields.get("volumeMounts"), place)):
        mount = mapping_at(value, f"{place}/{index}")
        where, name, below = mount.get("mountPath"), mount.get("name"), mount.get("subPath")
        if isinstance(where, str) and isinstance(name, str):
            mounts[where.rstrip("/")] = (name, below if isinstance(below, str) else "")
    if not mounts:
        return found
    volumes = {
        volume["name"]: volume
        for volume in list_at(pod.fields.get("volumes"), f"{pod.path}/volumes")
        if isinstance(volume, dict) and isinstance(volume.get("name"), str)
    }
    return [_in_mount(model, mounts, volumes) for model in found]


def _in_mount(model: ModelRef, mounts: dict[str, tuple[str, str]], volumes: dict[str, Any]) -> ModelRef:
    if model.scheme != "file":
        return model
    inside = [where for where in mounts if model.name == where or model.name.startswith(f"{where}/")]
    if not inside:
        return model
    where = max(inside, key=len)
    name, below = mounts[where]
    volume = volumes.get(name, {})
    rest = "/".join(part for part in (below, model.name[len(where) :].strip("/")) if part)
    scheme = target = version = ""
    pinned = False
    try:
        if volume.get("image") is not None:
            reference = mapping_at(volume["image"], "").get("reference")
            image = parse_image(reference, "")
            scheme, target, pinned = "oci", f"{image.registry}/{image.repository}", bool(image.digest)
            version = image.digest or image.tag
            rest = ""
        elif volume.get("persistentVolumeClaim") is not None:
            scheme, target = "pvc", str(mapping_at(volume["persistentVolumeClaim"], "").get("claimName", ""))
        elif volume.get("hostPath") is not None:
            scheme, target = "hostpath", str(mapping_at(volume["hostPath"], "").get("path", ""))
        elif volume.get("nfs") is not None:
            share = mapping_at(volume["nfs"], "")
            scheme, target = "nfs", f"{share.get('server', '')}/{str(share.get('path', '')).strip('/')}"
        elif volume.get("csi") is not None:
            scheme, target = _by_driver(mapping_at(volume["csi"], ""))
    except InputError:
        return model
    if not scheme:
        return model
    full = f"{target.rstrip('/')}/{rest}" if rest else target
    return ModelRef(model.path, model.uri, scheme, full, version, pinned, model.role, model.framework)


_BUCKET_DRIVERS = {
    "gcsfuse.csi.storage.gke.io": ("gs", "bucketName"),
    "blob.csi.azure.com": ("az", "containerName"),
}
"""Drivers that mount a bucket: its scheme, and the attribute of the volume that names it (GoogleCloudPlatform/
gcs-fuse-csi-driver pkg/csi_driver/node.go; kubernetes-sigs/blob-csi-driver docs/driver-parameters.md)."""


def _by_driver(csi: Object) -> tuple[str, str]:
    driver = str(csi.get("driver", ""))
    scheme, attribute = _BUCKET_DRIVERS.get(driver, ("", ""))
    bucket = mapping_at(csi.get("volumeAttributes"), "").get(attribute)
    return (scheme, bucket) if isinstance(bucket, str) and bucket else ("csi", driver)
