"""What servers are told to load: arguments, scripts, environment, mounts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.errors import InputError
from pratique.kinds import subject_of
from pratique.subject import Content, Workload
from tests.pratique.kinds.case import at, pointers, seen_model

COMMIT = "0123456789abcdef0123456789abcdef01234567"
C = "/spec/containers/0"


def _elsewhere(name: str) -> dict[str, Any]:
    """A variable that comes from a ConfigMap."""
    return {"name": name, "valueFrom": {"configMapKeyRef": {"name": "m", "key": "trust"}}}


def content(container: dict[str, Any], **spec: Any) -> Content:
    pod = {"containers": [{"name": "c", "image": "registry.internal/app:1", **container}], **spec}
    subject = subject_of({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": pod})
    assert isinstance(subject, Workload)
    for path in pointers(subject.content):
        assert at(subject.object, path) is not None, path
    return subject.content


def models(container: dict[str, Any], **spec: Any) -> list[tuple[Any, ...]]:
    """Path below the container, scheme, name, version, and the role where it is another than `model`."""
    found = []
    for model in content(container, **spec).models:
        path, scheme, name, version, _, role = seen_model(model)
        found.append((path.removeprefix(C), scheme, name, version, *(() if role == "model" else (role,))))
    return found


@pytest.mark.parametrize(
    ("container", "seen"),
    [
        ({"command": ["vllm", "serve", "a/b"]}, [("/command/2", "hf", "a/b", "")]),
        ({"command": ["vllm", "serve"], "args": ["a/b", "--port", "80"]}, [("/args/0", "hf", "a/b", "")]),
        ({"command": ["vllm", "serve", "--port", "80", "a/b"]}, [("/command/4", "hf", "a/b", "")]),
        ({"command": ["vllm", "serve", "--trust-remote-code", "a/b"]}, [("/command/3", "hf", "a/b", "")]),
        ({"image": "vllm/vllm-openai:v1", "args": ["--model", "a/b"]}, [("/args/1", "hf", "a/b", "")]),
        ({"image": "vllm/vllm-openai:v1", "args": ["--model=a/b"]}, [("/args/0", "hf", "a/b", "")]),
        ({"image": "vllm/vllm-openai:v1", "args": ["a/b", "--port=80"]}, [("/args/0", "hf", "a/b", "")]),
        (
            {"image": "vllm/vllm-openai:v1", "args": ["--model=a/b", f"--revision={COMMIT}"]},
            [("/args/0", "hf", "a/b", COMMIT)],
        ),
        (
            {"image": "x/vllm:1", "args": ["--model", "a/b", "--tokenizer", "c/d", "--tokenizer-revision", "v2"]},
            [("/args/1", "hf", "a/b", ""), ("/args/3", "hf", "c/d", "v2", "tokenizer")],
        ),
        (
            {
                "command": ["python3", "-m", "vllm.entrypoints.openai.api_server"],
                "args": ["--model=s3://m/a", "--enable-lora", "--lora-modules", "sql=a/sql", "x=/adapters/x"],
            },
            [
                ("/args/0", "s3", "m/a", ""),
                ("/args/3", "hf", "a/sql", "", "lora"),
                ("/args/4", "file", "/adapters/x", "", "lora"),
            ],
        ),
        (
            {
                "command": ["vllm", "serve", "a/b"],
                "args": ["--speculative-config", '{"model": "a/draft", "num_speculative_tokens": 5}'],
            },
            [("/command/2", "hf", "a/b", ""), ("/args/1", "hf", "a/draft", "", "draft")],
        ),
        (
            {"command": ["vllm", "serve", "a/b"], "args": ["--lora-modules", '{"name": "l", "path": "a/l"}']},
            [("/command/2", "hf", "a/b", ""), ("/args/1", "hf", "a/l", "", "lora")],
        ),
        (
            {"image": "ghcr.io/huggingface/text-generation-inference:3", "args": ["--model-id", "a/b"]},
            [("/args/1", "hf", "a/b", "")],
        ),
        (
            {
                "image": "ghcr.io/huggingface/text-generation-inference:3",
                "env": [{"name": "MODEL_ID", "value": "a/b"}, {"name": "REVISION", "value": COMMIT}],
            },
            [("/env/0/value", "hf", "a/b", COMMIT)],
        ),
        (
            {
                "command": ["python", "-m", "sglang.launch_server", "--model-path", "a/b"],
                "args": ["--speculative-draft-model-path=a/d", "--lora-paths", "x=a/x", "a/y"],
            },
            [
                ("/command/4", "hf", "a/b", ""),
                ("/args/0", "hf", "a/d", "", "draft"),
                ("/args/2", "hf", "a/x", "", "lora"),
                ("/args/3", "hf", "a/y", "", "lora"),
            ],
        ),
        (
            {"command": ["tritonserver", "--model-repository=s3://m/repo", "--model-repository", "/models"]},
            [("/command/1", "s3", "m/repo", ""), ("/command/3", "file", "/models", "")],
        ),
        (
            {"image": "ghcr.io/huggingface/text-embeddings-inference:1", "args": ["--model-id", "BAAI/bge-m3"]},
            [("/args/1", "hf", "BAAI/bge-m3", "")],
        ),
        (
            {"image": "ghcr.io/ggml-org/llama.cpp:server", "args": ["-m", "/models/a.gguf", "-hf", "a/b:Q4_K_M"]},
            [("/args/1", "file", "/models/a.gguf", ""), ("/args/3", "hf", "a/b", "Q4_K_M")],
        ),
        (
            {"image": "ghcr.io/ggml-org/llama.cpp:server", "env": [{"name": "LLAMA_ARG_HF_REPO", "value": "a/b"}]},
            [("/env/0/value", "hf", "a/b", "")],
        ),
        ({"command": ["ollama", "run", "llama3:8b"]}, [("/command/2", "ollama", "llama3", "8b")]),
        (
            {
                "image": "ollama/ollama:0.5",
                "lifecycle": {"postStart": {"exec": {"command": ["sh", "-c", "sleep 5; ollama pull llama3"]}}},
            },
            [("/lifecycle/postStart/exec/command/2", "ollama", "llama3", "")],
        ),
        (
            {"command": ["mlflow", "models", "serve", "-m", "models:/fraud@champion", "-h", "localhost"]},
            [("/command/4", "models", "fraud", "champion")],
        ),
        (
            {"command": ["huggingface-cli", "download", "a/b", "--revision", COMMIT, "--local-dir", "/m"]},
            [("/command/2", "hf", "a/b", COMMIT)],
        ),
        (
            {"command": ["trtllm-serve", "a/b", "--backend", "pytorch"]},
            [("/command/1", "hf", "a/b", "")],
        ),
        (
            {"command": ["lmdeploy", "serve", "api_server", "a/b"]},
            [("/command/3", "hf", "a/b", "")],
        ),
        (
            {"command": ["torchrun", "train.py", "--model_name_or_path", "a/b"]},
            [("/command/3", "hf", "a/b", "")],
        ),
        ({"command": ["python", "train.py", "--model", "resnet50"]}, []),
        ({"env": [{"name": "MODEL_NAME", "value": "gpt-4"}]}, []),
        ({"env": [{"name": "MODEL_URI", "value": "gs://m/a"}]}, [("/env/0/value", "gs", "m/a", "")]),
    ],
)
def test_what_a_server_is_told(container: dict[str, Any], seen: list[tuple[Any, ...]]) -> None:
    assert models(container) == seen


@pytest.mark.parametrize(
    ("script", "seen"),
    [
        ("vllm serve a/b --port 80", [("a/b", "")]),
        ("pip install x && exec vllm serve a/b", [("a/b", "")]),
        ("export HF_HOME=/tmp\nMODEL=a/b\nvllm serve $MODEL --revision v1", [("a/b", "v1")]),
        ('MODEL="a/b"; vllm serve "${MODEL}"', [("a/b", "")]),
        ("vllm serve ${MODEL:-a/b}", [("a/b", "")]),
        ("if [ -f /x ]; then vllm serve a/b; else vllm serve c/d; fi", [("a/b", ""), ("c/d", "")]),
        ("ollama serve & sleep 3; ollama pull llama3; wait", [("llama3", "")]),
        ("bash -c 'vllm serve a/b'", [("a/b", "")]),
        ("VLLM_USE_V1=1 vllm serve \\\n  a/b \\\n  --port 80", [("a/b", "")]),
        ("nohup python3 -m sglang.launch_server --model-path a/b > log 2>&1 &", [("a/b", "")]),
        ("echo 'it is an open quote; vllm serve a/b", [("a/b", "")]),
    ],
)
@pytest.mark.parametrize("shell", [["sh", "-c"], ["/bin/bash", "-lc"], ["bash", "-e", "-c"]])
def test_scripts(shell: list[str], script: str, seen: list[tuple[str, str]]) -> None:
    found = content({"command": shell, "args": [script]}).models
    assert [(model.name, model.version) for model in found] == seen
    assert {model.path for model in found} == {f"{C}/args/0"}


@pytest.mark.parametrize(
    ("command", "args", "path"),
    [
        (["sh", "-c", 'exec vllm serve "$@"', "--"], ["a/b", "--port", "80"], "/args/0"),
        (["sh", "-c", "vllm serve $1"], ["x", "a/b"], "/args/1"),
        (["sh", "-c", "vllm serve ${0}"], ["a/b"], "/args/0"),
    ],
)
def test_parameters_of_a_script_lead_to_their_value(command: list[str], args: list[str], path: str) -> None:
    assert models({"command": command, "args": args}) == [(path, "hf", "a/b", "")]


@pytest.mark.parametrize(
    ("code", "name", "version"),
    [
        ("from vllm import LLM; LLM(model='a/b', trust_remote_code=True)", "a/b", ""),
        (f"AutoModel.from_pretrained('a/b', revision='{COMMIT}', trust_remote_code=True)", "a/b", COMMIT),
        ("AutoModel.from_pretrained(\n  'a/b',\n  trust_remote_code = True)", "a/b", ""),
    ],
)
def test_code_on_the_command_line(code: str, name: str, version: str) -> None:
    found = content({"command": ["python", "-c", code]})
    assert [(model.path, model.name, model.version) for model in found.models] == [(f"{C}/command/2", name, version)]
    assert [server.trust_remote_code for server in found.servers] == [f"{C}/command/2"]


@pytest.mark.timeout(60)
def test_a_long_script_is_read_to_its_end_in_one_pass() -> None:
    """Half a second here; what reads it again from each place takes minutes."""
    script = "echo 'a' ;\n" * 50_000 + 'vllm serve "a/b" --trust-remote-code'
    found = content({"command": ["sh", "-c", script]})
    assert [model.name for model in found.models] == ["a/b"]
    assert [server.trust_remote_code for server in found.servers] == [f"{C}/command/2"]


def test_variables_of_kubernetes_lead_to_their_value() -> None:
    container = {
        "command": ["vllm", "serve", "$(MODEL)"],
        "args": ["--tokenizer=$(OWNER)/tok"],
        "env": [
            {"name": "OWNER", "value": "acme"},
            {"name": "MODEL", "value": "$(OWNER)/llm"},
        ],
    }
    assert models(container) == [
        ("/env/1/value", "hf", "acme/llm", ""),
        ("/args/0", "hf", "acme/tok", "", "tokenizer"),
    ]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ({"secretKeyRef": {"name": "s", "key": "model"}}, "the Secret s, key model"),
        ({"configMapKeyRef": {"name": "m", "key": "id"}}, "the ConfigMap m, key id"),
        ({"fieldRef": {"fieldPath": "metadata.annotations['m']"}}, "a field of the pod"),
    ],
)
@pytest.mark.parametrize("reference", ["$(MODEL_ID)", None])
def test_what_is_elsewhere_is_reported_as_that(source: dict[str, Any], reason: str, reference: str | None) -> None:
    container: dict[str, Any] = {"env": [{"name": "MODEL_ID", "valueFrom": source}]}
    if reference:
        container["command"] = ["vllm", "serve", reference]
    assert models(container) == [("/env/0/valueFrom", "", f"the variable MODEL_ID comes from {reason}", "")]


def test_a_server_that_is_told_nothing_says_so() -> None:
    container = {"image": "vllm/vllm-openai:v1", "envFrom": [{"configMapRef": {"name": "m"}}]}
    assert models(container) == [
        ("", "", "vllm is not told which model to load (it may be in what envFrom brings in)", "")
    ]
    assert models({"image": "vllm/vllm-openai:v1", "command": ["sleep", "1"]}) == []


@pytest.mark.parametrize(
    ("volume", "seen"),
    [
        ({"persistentVolumeClaim": {"claimName": "weights"}}, ("pvc", "weights/llama", "")),
        ({"hostPath": {"path": "/data"}}, ("hostpath", "/data/llama", "")),
        ({"image": {"reference": "r.io/m:v1"}}, ("oci", "r.io/m", "v1")),
        ({"image": {"reference": "r.io/m@sha256:" + "a" * 64}}, ("oci", "r.io/m", "sha256:" + "a" * 64)),
        ({"emptyDir": {}}, ("file", "/models/llama", "")),
    ],
)
def test_a_path_is_what_is_mounted_there(volume: dict[str, Any], seen: tuple[str, str, str]) -> None:
    container = {
        "command": ["vllm", "serve", "/models/llama"],
        "volumeMounts": [{"name": "root", "mountPath": "/"}, {"name": "m", "mountPath": "/models/"}],
    }
    assert models(container, volumes=[{"name": "m", **volume}]) == [("/command/2", *seen)]


@pytest.mark.parametrize(
    ("container", "path"),
    [
        ({"command": ["vllm", "serve", "a/b", "--trust-remote-code"]}, "/command/3"),
        ({"command": ["vllm", "serve", "a/b", "--trust_remote_code=True"]}, "/command/3"),
        ({"command": ["vllm", "serve", "a/b", "--trust-remote-code=false"]}, ""),
        ({"command": ["vllm", "serve", "a/b"], "env": [{"name": "TRUST_REMOTE_CODE", "value": "1"}]}, "/env/0/value"),
        ({"command": ["vllm", "serve", "a/b"], "env": [{"name": "TRUST_REMOTE_CODE", "value": "0"}]}, ""),
        ({"command": ["sh", "-c", "vllm serve a/b --trust-remote-code"]}, "/command/2"),
        ({"command": ["python", "train.py", "--trust_remote_code"]}, "/command/2"),
        ({"command": ["vllm", "serve", "a/b", "--trust-rem"]}, "/command/3"),
        ({"command": ["vllm", "serve", "a/b", "--trust-request-chat-template"]}, ""),
        ({"command": ["sh", "-c", "vllm serve a/b --trust-remote-code & vllm serve c/d"]}, "/command/2"),
        ({"command": ["vllm", "serve", "a/b"], "env": [_elsewhere("TRUST_REMOTE_CODE")]}, "/env/0/valueFrom"),
        (
            {"command": ["vllm", "serve", "a/b", "--trust-remote-code=$(TRUST)"], "env": [_elsewhere("TRUST")]},
            "/command/3",
        ),
    ],
)
def test_code_that_comes_with_a_model(container: dict[str, Any], path: str) -> None:
    (server,) = content(container).servers
    assert server.trust_remote_code.removeprefix(C) == path


def test_servers_and_load_formats() -> None:
    (server,) = content({"command": ["vllm", "serve", "a/b", "--load-format", "safetensors"]}).servers
    assert (server.framework, server.path, server.load_format) == ("vllm", C, "safetensors")
    assert content({"command": ["nginx"]}).servers == ()
    script = "vllm serve a/b --load-format pt & vllm serve c/d --load-format auto"
    (server,) = content({"command": ["sh", "-c", script]}).servers
    assert server.load_format == "pt,auto"


@pytest.mark.parametrize(
    ("container", "framework"),
    [
        ({"image": "ollama/ollama:0.5"}, "ollama"),
        ({"command": ["ollama", "serve"]}, "ollama"),
        ({"image": "nvcr.io/nim/meta/llama-3.1-8b:1"}, "nim"),
        ({"command": ["mlflow", "models", "serve", "-m", "models:/a/1"]}, "mlflow"),
        ({"image": "ghcr.io/mlflow/mlflow:3", "args": ["mlflow", "server", "--port", "5000"]}, None),
        ({"image": "ghcr.io/mlflow/mlflow:3"}, None),
        ({"image": "registry.internal/denim/app:1"}, None),
    ],
)
def test_which_commands_serve(container: dict[str, Any], framework: str | None) -> None:
    found = content(container)
    assert [server.framework for server in found.servers] == ([framework] if framework else [])
    assert not any(model.unresolved for model in found.models)


def test_init_containers_load_models_too() -> None:
    fetch = {"name": "f", "image": "r.io/hf:1", "command": ["hf", "download", "a/b"]}
    found = content({}, initContainers=[fetch]).models
    assert [(model.path, model.name) for model in found] == [("/spec/initContainers/0/command/2", "a/b")]


@pytest.mark.parametrize(
    ("container", "place"),
    [
        ({"args": "x y"}, None),
        ({"args": {"a": 1}}, f"{C}/args is an object"),
        ({"command": 7}, f"{C}/command is a number"),
        ({"env": ["A=b"]}, f"{C}/env/0 is text"),
        ({"env": 3}, f"{C}/env is a number"),
        ({"env": [{"name": "A", "valueFrom": "x"}]}, f"{C}/env/0/valueFrom is text"),
        ({"lifecycle": {"postStart": []}}, f"{C}/lifecycle/postStart is a list"),
        ({"args": ["--model", None, 5, "a/b"]}, None),
    ],
)
def test_malformed_parts_are_named(container: dict[str, Any], place: str | None) -> None:
    if place is None:
        content(container)
        return
    with pytest.raises(InputError) as caught:
        content(container)
    assert str(caught.value).startswith(place)


_words = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["vllm", "serve", "--model", "-m", "sh", "-c", "$(A)", "${A:-x}", "a/b", "{}", '{"path":1}', "&&", "'"]
    ),
)


@given(st.lists(_words, max_size=8), st.lists(_words, max_size=8), st.text(max_size=8))
def test_any_command_line_is_read(command: list[str], args: list[str], value: str) -> None:
    content({"image": "vllm/vllm-openai:v1", "command": command, "args": args, "env": [{"name": "A", "value": value}]})
