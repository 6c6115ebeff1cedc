"""References to models: scheme, name, version, and whether it can only mean one thing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.models.reference import names_a_model, parse_model

COMMIT = "0123456789abcdef0123456789abcdef01234567"
DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("uri", "seen"),
    [
        ("meta-llama/Llama-3.1-8B", ("hf", "meta-llama/Llama-3.1-8B", "", False)),
        ("gpt2", ("hf", "gpt2", "", False)),
        (f"meta-llama/Llama-3.1-8B@{COMMIT}", ("hf", "meta-llama/Llama-3.1-8B", COMMIT, True)),
        ("hf://meta-llama/Llama-3.1-8B", ("hf", "meta-llama/Llama-3.1-8B", "", False)),
        (f"hf://meta-llama/Llama-3.1-8B:{COMMIT}", ("hf", "meta-llama/Llama-3.1-8B", COMMIT, True)),
        ("hf://meta-llama/Llama-3.1-8B@main", ("hf", "meta-llama/Llama-3.1-8B", "main", False)),
        (f"hf://a/b@{COMMIT[:39]}", ("hf", "a/b", COMMIT[:39], False)),
        ("huggingface://ai-blond/lora", ("hf", "ai-blond/lora", "", False)),
        ("https://huggingface.co/a/b/resolve/" + COMMIT + "/model.gguf", ("hf", "a/b", COMMIT, True)),
        ("https://huggingface.co/a/b/resolve/main/model.gguf", ("hf", "a/b", "main", False)),
        ("https://huggingface.co/a/b", ("hf", "a/b", "", False)),
        ("https://models.internal/m.bin", ("https", "models.internal/m.bin", "", False)),
        ("s3://bucket/llama", ("s3", "bucket/llama", "", False)),
        ("s3a://bucket/llama", ("s3", "bucket/llama", "", False)),
        ("s3://bucket/llama?versionId=3sL4k", ("s3", "bucket/llama", "3sL4k", True)),
        ("gs://bucket/m#1712345678901234", ("gs", "bucket/m", "1712345678901234", True)),
        ("gcs://bucket/m", ("gs", "bucket/m", "", False)),
        ("az://container/m", ("az", "container/m", "", False)),
        ("abfss://c@a.dfs.core.windows.net/m", ("az", "c@a.dfs.core.windows.net/m", "", False)),
        ("https://a.blob.core.windows.net/c/m", ("az", "a.blob.core.windows.net/c/m", "", False)),
        ("pvc://claim/llama", ("pvc", "claim/llama", "", False)),
        ("oci://r.io/models/a:v1", ("oci", "r.io/models/a", "v1", False)),
        (f"oci://r.io/models/a@{DIGEST}", ("oci", "r.io/models/a", DIGEST, True)),
        (f"oci://r.io/models/a:v1@{DIGEST}", ("oci", "r.io/models/a", DIGEST, True)),
        ("oci://r.io/Models", ("oci", "r.io/Models", "", False)),
        ("models:/fraud/3", ("models", "fraud", "3", True)),
        ("models:/fraud@champion", ("models", "fraud", "champion", False)),
        ("models:/fraud/Production", ("models", "fraud", "Production", False)),
        ("models:/m-0123456789", ("models", "m-0123456789", "", True)),
        ("models:/catalog.schema.fraud/12", ("models", "catalog.schema.fraud", "12", True)),
        ("runs:/abc/model", ("runs", "abc/model", "", False)),
        ("ollama://llama3:8b", ("ollama", "llama3", "8b", False)),
        ("file:///models/a", ("file", "/models/a", "", False)),
        ("/models/a", ("file", "/models/a", "", False)),
        ("./a.gguf", ("file", "./a.gguf", "", False)),
        ("models/a/b.gguf", ("file", "models/a/b.gguf", "", False)),
        ("", ("file", "", "", False)),
        ("x://y", ("x", "y", "", False)),
    ],
)
def test_what_a_reference_says(uri: str, seen: tuple[str, str, str, bool]) -> None:
    model = parse_model(uri, "/a")
    assert (model.scheme, model.name, model.version, model.pinned) == seen
    assert (model.path, model.uri) == ("/a", uri)


def test_a_revision_beside_the_name_pins_it() -> None:
    assert parse_model("a/b", "/a", revision=COMMIT).pinned
    assert not parse_model("a/b", "/a", revision="v1.0").pinned
    assert parse_model(f"a/b@{COMMIT}", "/a", revision="main").version == "main"


@pytest.mark.parametrize(
    ("uri", "default", "seen"),
    [
        ("registry.internal/models/mistral-7b:v2.0", "oci", ("oci", "registry.internal/models/mistral-7b", "v2.0")),
        ("llama3:8b", "ollama", ("ollama", "llama3", "8b")),
        ("llama3", "ollama", ("ollama", "llama3", "")),
        ("hf.co/a/b:Q4_K_M", "ollama", ("ollama", "hf.co/a/b", "Q4_K_M")),
        ("models", "file", ("file", "models", "")),
        ("phi-4", "kaito", ("kaito", "phi-4", "")),
    ],
)
def test_a_bare_name_is_of_the_scheme_of_its_place(uri: str, default: str, seen: tuple[str, str, str]) -> None:
    model = parse_model(uri, "/a", default=default)
    assert (model.scheme, model.name, model.version) == seen


@pytest.mark.parametrize("uri", ["a/b", "hf://a", "s3://b/c", "models:/a/1", "oci://r.io/a:1"])
def test_surely_a_model(uri: str) -> None:
    assert names_a_model(uri)


@pytest.mark.parametrize("uri", ["gpt-4", "/models/a", "https://example.com/a", "", "a b/c", "redis://x/1", "a/b/c"])
def test_not_surely_a_model(uri: str) -> None:
    assert not names_a_model(uri)


@given(st.text())
def test_nothing_is_refused(uri: str) -> None:
    model = parse_model(uri, "/a")
    assert model.path == "/a"
    assert model.scheme
