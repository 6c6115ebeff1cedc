"""The datasets that a command line, a script or a variable names.

Two kinds of names. Those of `_NAMED` (`--dataset`, `DATA_PATH`) say themselves that their value is a dataset, whatever
it is. All others name one if their value is a URI of a store and they do not say that it is something else: where a
program writes (`--output-dir`), or a model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pratique.models.arguments import MAX_SCRIPT_LENGTH, Variables, Word
from pratique.models.reference import MAX_URI_LENGTH, parse_model, unresolved_model
from pratique.subject import ModelRef

_SUBJECTS = ("data", "dataset", "datasets", "train", "training", "eval", "validation", "valid", "val", "test", "input")
_PARTS = ("data", "dataset", "dir", "file", "files", "path", "paths", "root", "uri", "url", "source", "set")
_NAMED = frozenset(
    {
        "data", "dataset", "datasets", "dataset-id", "dataset-name", "dataset-name-or-path", "dataset-repo",
        "hf-dataset", "corpus", "corpus-path", "sm-channel-train", "sm-channel-training", "sm-channel-validation",
        *(f"{subject}-{part}" for subject in _SUBJECTS for part in _PARTS),
        *(f"{subject}-data-{part}" for subject in _SUBJECTS for part in _PARTS),
        *(f"{subject}-dataset-{part}" for subject in _SUBJECTS for part in ("id", "name", *_PARTS)),
    }
)  # fmt: skip
_BARE = re.compile(r"(?:[a-z]+-)*datasets?(?:-(?:id|name|repo|name-or-path))?")
"""The names whose value may be a bare word: `--dataset squad`."""

_ELSE = frozenset(
    {
        "adapter", "adapters", "artifact", "artifacts", "backup", "cache", "checkpoint", "checkpoints", "ckpt", "dest",
        "destination", "endpoint", "export", "exports", "log", "logdir", "logs", "lora", "metrics", "model", "models",
        "out", "output", "outputs", "pretrained", "profile", "registry", "report", "reports", "result", "results",
        "save", "storage", "sink", "target", "tb", "tensorboard", "tokenizer", "tracking", "upload", "weights",
        "write",
    }
)  # fmt: skip
"""Words in a name by which its value is no dataset: what is written, or a model."""

_STORE = re.compile(
    r"(?:s3|s3a|s3n|gs|gcs|az|azure|abfs|abfss|wasb|wasbs|adl|oss|hdfs|webhdfs|pvc|hf)://"
    r"|https?://[^/]*(?:\.amazonaws\.com|storage\.googleapis\.com|\.core\.windows\.net)(?:[:/]|$)"
    r"|https?://(?:www\.)?(?:huggingface\.co|hf\.co)/datasets/",
    re.IGNORECASE,
)
_WEB = re.compile(r"https?://", re.IGNORECASE)
_OF_DATA = frozenset({"corpus", "data", "dataset", "datasets", "file", "files"})
"""`DATA_URL=https://...` is a dataset; `TEST_URL=https://...` is as likely what is tested."""

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://.")
_PATH = re.compile(r"(?:[/~]|\.{1,2}/).|[A-Za-z0-9][A-Za-z0-9._-]*/[^\s{}]+$")
_FILE = re.compile(
    r"\.(?:arrow|avro|bin|csv|gz|jsonl?|npy|npz|parquet|tar|tfrecords?|tsv|txt|ya?ml|zip|zst)$", re.IGNORECASE
)
_HUB_DATASETS = re.compile(r"hf://datasets/", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z][\w.-]*")
_ASSIGNMENT = re.compile(r"[+~]*(?P<name>[A-Za-z_][\w./@-]*)=(?P<value>.+)", re.DOTALL)
_SPACERS = re.compile(r"[._/@]+")

_COPY = frozenset({"copy", "cp", "get", "mirror", "mv", "rsync", "sync"})
"""Verbs of aws s3, gsutil, gcloud storage, azcopy, s5cmd, mc: the last place that follows is written to."""

_CODE = re.compile(
    r"(?:load_dataset|load_from_disk|read_\w+)\(\s*[\"'](?P<name>[^\"'\s]+)[\"'](?P<rest>[^)]*)",
)
_CODE_REVISION = re.compile(r"\brevision\s*=\s*[\"'](?P<revision>[^\"']+)[\"']")
_CODE_FILES = re.compile(r"\bdata_(?:files|dir)\s*=\s*[\"'](?P<name>[^\"']+)[\"']")

_REVISIONS = ("dataset-revision", "revision")


def may_name_a_dataset(name: object, value: object) -> bool:
    """Whether a variable of this name and value, in which no other is to be filled in, can matter here; quick, and errs
    on the side of yes."""
    if isinstance(value, str) and "://" in value and _STORE.search(value) is not None:
        return True
    return isinstance(name, str) and _normalised(name) in _NAMED


def datasets_of_arguments(words: Sequence[Word]) -> Iterator[ModelRef]:
    """The datasets that the words of one command name."""
    if any(word.text in _COPY for word in words[:4]):
        yield from _copied(words)
        return
    revision = _revision(words)
    name, first = "", False
    for word in words:
        text = word.text
        if "(" in text:
            yield from _of_code(word)
        if text.startswith("-") and len(text) > 1:
            name, equals, value = text.partition("=")
            name, first = _normalised(name), True
            if equals:
                yield from _named(name, Word(value, word.path, word.unresolved), revision, first=True)
                name = ""
        elif not name and (match := _ASSIGNMENT.fullmatch(text)) is not None and _URI.match(text) is None:
            yield from _assigned(match["name"], Word(match["value"], word.path, word.unresolved), revision)
        else:
            yield from _named(name, word, revision, first=first)
            first = False
            if name not in _NAMED:
                name = ""


def datasets_of_environment(variables: Variables) -> Iterator[ModelRef]:
    """The datasets that variables name."""
    for name, word in variables.items():
        yield from _named(_normalised(name), word, "", first=True)


def _normalised(name: str) -> str:
    return name.lstrip("-").replace("_", "-").lower()


def _assigned(name: str, word: Word, revision: str) -> Iterator[ModelRef]:
    """Of `data.path=...`, as configuration frameworks write it; the last of its names may be the one that is known."""
    parts = _SPACERS.split(_normalised(name))
    whole = "-".join(part for part in parts if part)
    yield from _named(parts[-1] if whole not in _NAMED and parts[-1] in _NAMED else whole, word, revision, first=True)


def _named(name: str, word: Word, revision: str, *, first: bool) -> Iterator[ModelRef]:
    """The datasets that the value of something called `name` stands for; `first`: it is what follows directly."""
    known = name in _NAMED
    if not known and not _ELSE.isdisjoint(name.split("-")):
        return
    if word.unresolved:
        if (known and first) or _STORE.match(word.text) is not None:
            yield unresolved_model(word.path, word.unresolved, role="dataset")
        return
    for text in word.text.split(","):
        reference = text.strip()
        if _STORE.match(reference) is not None or (known and _is_reference(name, reference, first=first)):
            yield _parsed(reference, word.path, revision)


def _is_reference(name: str, text: str, *, first: bool) -> bool:
    if _WEB.match(text) is not None:
        return not _OF_DATA.isdisjoint(name.split("-"))
    if _URI.match(text) is not None or _PATH.match(text) is not None:
        return True
    return first and _BARE.fullmatch(name) is not None and _WORD.fullmatch(text) is not None


def _parsed(text: str, path: str, revision: str) -> ModelRef:
    default = "file" if text.count("/") > 1 or _FILE.search(text) is not None else "hf"
    hub = _HUB_DATASETS.match(text)
    model = parse_model(
        f"hf://{text[hub.end() :]}" if hub is not None else text,
        path,
        revision=revision if _is_hub(text) else "",
        role="dataset",
        default=default,
    )
    return replace(model, uri=text[:MAX_URI_LENGTH])


def _is_hub(text: str) -> bool:
    return "://" not in text or text.lower().startswith(("hf://", "https://huggingface.co/", "https://hf.co/"))


def _copied(words: Sequence[Word]) -> Iterator[ModelRef]:
    verb = next(index for index, word in enumerate(words) if word.text in _COPY)
    ends = [word for word in words[verb + 1 :] if _STORE.match(word.text) is not None or _PATH.match(word.text)]
    for word in ends[:-1] if len(ends) > 1 else ends:
        if _STORE.match(word.text) is not None:
            yield _parsed(word.text, word.path, "")


def _of_code(word: Word) -> Iterator[ModelRef]:
    for match in _CODE.finditer(word.text[:MAX_SCRIPT_LENGTH]):
        revision = _CODE_REVISION.search(match["rest"])
        files = _CODE_FILES.search(match["rest"])
        for name in (match["name"], files["name"] if files is not None else ""):
            if name and (match.group(0).startswith("load_") or _STORE.match(name) is not None):
                yield _parsed(name, word.path, revision["revision"] if revision is not None else "")


def _revision(words: Sequence[Word]) -> str:
    for index, word in enumerate(words):
        name, equals, value = word.text.partition("=")
        if name.startswith("-") and _normalised(name) in _REVISIONS:
            if equals:
                return value
            if index + 1 < len(words):
                return words[index + 1].text
    return ""
