"""The packages that make a workload one of AI, by name: what image/ai-packages-scanned asks about.

Names of PyPI and conda, as PEP 503 writes them. A scanner that leaves the packages of a language out still finds the
operating system's, and says nothing of these.
"""

from __future__ import annotations

from attestations.purl import Purl, normalised

AI_PACKAGES = frozenset(
    {
        *("accelerate", "autogen-core", "autogpt", "bentoml", "bitsandbytes", "catboost", "comfyui"),
        *("crewai", "datasets", "deepspeed", "diffusers", "faiss-cpu", "faiss-gpu", "fairseq", "flash-attn"),
        *("flax", "gguf", "gradio", "haystack-ai", "huggingface-hub", "instructor", "jax"),
        *("jaxlib", "joblib", "keras", "kserve", "langchain", "langchain-community", "langchain-core"),
        *("langgraph", "lightgbm", "lightning", "litellm", "llama-cpp-python", "llama-index"),
        *("llama-index-core", "lmdeploy", "mlflow", "mlflow-skinny", "mlserver", "onnx"),
        *("onnxruntime", "onnxruntime-gpu", "openai-whisper", "openvino", "optimum"),
        *("paddlepaddle", "peft", "pytorch", "pytorch-cpu", "pytorch-gpu", "pytorch-lightning", "ray", "ray-core"),
        *("ray-default", "ray-serve", "safetensors", "scikit-learn", "tensorflow-base", "tensorflow-gpu"),
        *("sentence-transformers", "sentencepiece", "sglang", "spacy", "tensorboard"),
        *("tensorflow", "tensorflow-cpu", "tensorrt", "tensorrt-llm", "text-generation", "timm"),
        *("tokenizers", "torch", "torchaudio", "torchserve", "torchvision", "transformers", "triton"),
        *("tritonclient", "trl", "ultralytics", "unsloth", "vllm", "xformers", "xgboost"),
    }
)

_PYPI, _CONDA = "pkg:pypi/", "pkg:conda/"


def is_ai_package(purl: Purl | None, name: str) -> bool:
    """Whether a package is in the table: by its purl, or where it has none, by its name."""
    if purl is None:
        return normalised(name) in AI_PACKAGES
    if purl.package.startswith(_PYPI):
        return purl.package[len(_PYPI) :] in AI_PACKAGES  # normalised already
    return purl.package.startswith(_CONDA) and normalised(purl.name) in AI_PACKAGES
