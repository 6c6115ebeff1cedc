"""The servers and tools that load models, and how each is told which: one entry each.

Flags are written without dashes, and with `-` for `_`: all of these read both, or only one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pratique.subject import ModelRole


@dataclass(frozen=True, slots=True)
class Framework:
    """How one server is told what to load.

    It is recognised by the program that is run, the Python module, or (where no command is given) a part of the
    image's repository. `verbs` are the words between the program and its flags where it loads models; with
    `positional`, what follows them names the model. `flags` and `env` say what a flag or variable names; `revisions`
    where the revision of a role is. `scheme` is that of a bare name.
    """

    name: str
    programs: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    verbs: tuple[tuple[str, ...], ...] = ((),)
    positional: bool = False
    flags: Mapping[str, ModelRole] = field(default_factory=dict)
    env: Mapping[str, ModelRole] = field(default_factory=dict)
    revisions: Mapping[ModelRole, tuple[str, ...]] = field(default_factory=dict)
    scheme: str = "hf"
    serves: bool = True


_VLLM_FLAGS: Mapping[str, ModelRole] = {
    "model": "model",
    "model-path": "model",
    "tokenizer": "tokenizer",
    "lora-modules": "lora",
    "speculative-config": "draft",
    "speculative-model": "draft",
}
_REVISIONS: Mapping[ModelRole, tuple[str, ...]] = {
    "model": ("revision", "model-revision", "REVISION"),
    "tokenizer": ("tokenizer-revision", "revision"),
    "draft": ("speculative-draft-model-revision",),
    "dataset": ("revision",),
}

FRAMEWORKS: tuple[Framework, ...] = (
    # vllm-project/vllm vllm/engine/arg_utils.py, vllm/entrypoints/openai/cli_args.py (v0.11)
    Framework(
        "vllm",
        programs=("vllm",),
        modules=("vllm.entrypoints", "dynamo.vllm", "vllm_omni.entrypoints"),
        images=("vllm",),
        verbs=(("serve",), ("bench",), ("run-batch",), ()),
        positional=True,
        flags=_VLLM_FLAGS,
        revisions=_REVISIONS,
    ),
    # huggingface/text-generation-inference launcher/src/main.rs (v3.3)
    Framework(
        "tgi",
        programs=("text-generation-launcher", "text-generation-server"),
        images=("text-generation-inference", "huggingface-pytorch-tgi"),
        flags={"model-id": "model", "tokenizer-name": "tokenizer", "lora-adapters": "lora"},
        env={"MODEL_ID": "model", "HF_MODEL_ID": "model", "LORA_ADAPTERS": "lora"},
        revisions=_REVISIONS,
    ),
    # sgl-project/sglang python/sglang/srt/server_args.py (v0.5)
    Framework(
        "sglang",
        programs=("sglang",),
        modules=("sglang.launch_server", "sglang.srt", "sglang_router", "dynamo.sglang"),
        images=("sglang",),
        verbs=(("serve",), ()),
        flags={
            "model-path": "model",
            "model": "model",
            "tokenizer-path": "tokenizer",
            "lora-paths": "lora",
            "speculative-draft-model-path": "draft",
            "speculative-draft": "draft",
        },
        revisions=_REVISIONS,
    ),
    # triton-inference-server/server src/command_line_parser.cc (r25)
    Framework(
        "triton",
        programs=("tritonserver",),
        images=("tritonserver",),
        flags={"model-repository": "model", "model-store": "model"},
        scheme="file",
    ),
    # huggingface/text-embeddings-inference router/src/main.rs (v1.8)
    Framework(
        "tei",
        programs=("text-embeddings-router",),
        images=("text-embeddings-inference",),
        flags={"model-id": "model"},
        env={"MODEL_ID": "model"},
        revisions=_REVISIONS,
    ),
    # ggml-org/llama.cpp common/arg.cpp
    Framework(
        "llama.cpp",
        programs=("llama-server", "llama-cli", "llama-run"),
        modules=("llama_cpp.server",),
        images=("llama.cpp", "llama-cpp"),
        flags={
            "m": "model",
            "model": "model",
            "mu": "model",
            "model-url": "model",
            "hf": "model",
            "hfr": "model",
            "hf-repo": "model",
            "lora": "lora",
            "md": "draft",
            "model-draft": "draft",
            "hfd": "draft",
            "hfrd": "draft",
            "hf-repo-draft": "draft",
        },
        env={"LLAMA_ARG_MODEL": "model", "LLAMA_ARG_MODEL_URL": "model", "LLAMA_ARG_HF_REPO": "model"},
    ),
    # ollama/ollama cmd/cmd.go
    Framework(
        "ollama",
        programs=("ollama",),
        images=("ollama",),
        verbs=(("run",), ("pull",), ("serve",), ()),
        positional=True,
        env={"OLLAMA_MODEL": "model"},
        scheme="ollama",
    ),
    # mlflow/mlflow mlflow/models/cli.py
    Framework(
        "mlflow",
        programs=("mlflow",),
        modules=("mlflow",),
        images=("mlflow",),
        verbs=(("models",),),
        flags={"m": "model", "model-uri": "model"},
        env={"MLFLOW_MODEL_URI": "model"},
        scheme="file",
    ),
    # kserve/kserve python/huggingfaceserver/huggingfaceserver/__main__.py (v0.15)
    Framework(
        "huggingfaceserver",
        programs=("huggingfaceserver",),
        modules=("huggingfaceserver",),
        images=("huggingfaceserver",),
        flags={"model-id": "model", "model-dir": "model", "tokenizer": "tokenizer", "lora-modules": "lora"},
        env={"STORAGE_URI": "model"},
        revisions=_REVISIONS,
    ),
    # NVIDIA/TensorRT-LLM tensorrt_llm/commands/serve.py (v1.0)
    Framework(
        "trtllm",
        programs=("trtllm-serve",),
        modules=("dynamo.trtllm",),
        verbs=(("serve",), ("mm_embedding_serve",), ()),
        positional=True,
        flags={"model-path": "model", "model": "model", "tokenizer": "tokenizer"},
        revisions=_REVISIONS,
    ),
    # NVIDIA NIM for LLMs, configuration (environment variables)
    Framework(
        "nim",
        images=("nim/",),
        env={"NIM_MODEL_NAME": "model", "NIM_FT_MODEL": "model", "NIM_PEFT_SOURCE": "lora"},
        scheme="ngc",
    ),
    # InternLM/lmdeploy lmdeploy/cli/serve.py
    Framework(
        "lmdeploy",
        programs=("lmdeploy",),
        images=("lmdeploy",),
        verbs=(("serve", "api_server"), ("serve", "gradio")),
        positional=True,
        flags={"adapters": "lora"},
        revisions=_REVISIONS,
    ),
    # michaelfeil/infinity libs/infinity_emb/infinity_emb/cli.py
    Framework(
        "infinity",
        programs=("infinity_emb",),
        images=("infinity",),
        verbs=(("v2",), ()),
        flags={"model-id": "model"},
        env={"INFINITY_MODEL_ID": "model"},
        revisions={"model": ("revision", "INFINITY_REVISION")},
    ),
    # tensorflow/serving tensorflow_serving/model_servers/main.cc
    Framework(
        "tensorflow-serving",
        programs=("tensorflow_model_server",),
        images=("tensorflow/serving",),
        flags={"model-base-path": "model"},
        env={"MODEL_BASE_PATH": "model"},
        scheme="file",
    ),
    # pytorch/serve ts/arg_parser.py
    Framework(
        "torchserve",
        programs=("torchserve",),
        images=("torchserve",),
        flags={"models": "model", "model-store": "model"},
        scheme="file",
    ),
    # SeldonIO/MLServer mlserver/settings.py
    Framework(
        "mlserver",
        programs=("mlserver",),
        images=("mlserver",),
        env={"MLSERVER_MODEL_URI": "model"},
        scheme="file",
    ),
    # lm-sys/FastChat fastchat/serve
    Framework("fastchat", modules=("fastchat.serve",), flags={"model-path": "model"}, revisions=_REVISIONS),
    # huggingface/huggingface_hub src/huggingface_hub/cli/download.py
    Framework(
        "huggingface-cli",
        programs=("huggingface-cli", "hf"),
        verbs=(("download",),),
        positional=True,
        revisions=_REVISIONS,
        serves=False,
    ),
)

GENERIC = Framework(
    "",
    flags={
        "model": "model",
        "model-id": "model",
        "model-path": "model",
        "model-name": "model",
        "model-uri": "model",
        "model-name-or-path": "model",
        "pretrained-model-name-or-path": "model",
        "base-model": "model",
        "hf-model-id": "model",
        "checkpoint": "model",
        "tokenizer": "tokenizer",
        "tokenizer-name": "tokenizer",
        "adapter-name-or-path": "lora",
    },
    env={
        "MODEL": "model",
        "MODEL_ID": "model",
        "MODEL_NAME": "model",
        "MODEL_PATH": "model",
        "MODEL_URI": "model",
        "MODEL_URL": "model",
        "MODEL_NAME_OR_PATH": "model",
        "BASE_MODEL": "model",
        "HF_MODEL_ID": "model",
        "HF_MODEL": "model",
        "STORAGE_URI": "model",
        "TOKENIZER": "tokenizer",
    },
    revisions={"model": ("revision", "model-revision", "REVISION", "MODEL_REVISION", "HF_REVISION")},
    serves=False,
)
"""A program that is not known: what such flags and variables hold counts if it is surely a model."""

BY_PROGRAM: Mapping[str, Framework] = {program: item for item in FRAMEWORKS for program in item.programs}

TRUST_FLAGS = frozenset({"trust-remote-code"})
TRUST_ENV = frozenset({"TRUST_REMOTE_CODE", "HF_TRUST_REMOTE_CODE", "VLLM_TRUST_REMOTE_CODE", "NIM_TRUST_REMOTE_CODE"})
FORMAT_FLAGS = frozenset({"load-format"})
SWITCHES = frozenset(
    {
        "trust-remote-code", "enforce-eager", "enable-lora", "disable-log-requests", "enable-prefix-caching",
        "enable-chunked-prefill", "enable-auto-tool-choice", "disable-log-stats", "enable-expert-parallel", "headless",
    }
)  # fmt: skip
"""Flags without a value: the word behind one is not its value."""
