"""`pratique subject`: the input of a policy, for its author to read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from pratiquectl.__main__ import main

SERVER = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: llm, labels: {team: nlp}}
spec:
  replicas: 2
  template:
    spec:
      containers:
      - name: server
        image: vllm/vllm-openai:v0.11.0
        args: [--model=mistralai/Mistral-7B-v0.1, --trust-remote-code]
        resources: {limits: {nvidia.com/gpu: 1}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: llm}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: llm}, maxReplicas: 8}
"""

MODEL = {
    "path": "/spec/template/spec/containers/0/args/0",
    "uri": "mistralai/Mistral-7B-v0.1",
    "scheme": "hf",
    "name": "mistralai/Mistral-7B-v0.1",
    "version": "",
    "pinned": False,
    "role": "model",
    "framework": "vllm",
    "unresolved": "",
}


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "server.yaml"
    path.write_text(SERVER)
    return path


def _checked(subject: dict[str, Any]) -> None:
    assert subject["gpus"] == {"now": 2, "peak": 8, "by_resource": {"nvidia.com/gpu": 2}}
    assert subject["models"] == [MODEL]
    assert subject["servers"] == [
        {
            "path": "/spec/template/spec/containers/0",
            "framework": "vllm",
            "runtime": "",
            "trust_remote_code": "/spec/template/spec/containers/0/args/1",
            "load_format": "",
        }
    ]
    assert [image["path"] for image in subject["images"]] == ["/spec/template/spec/containers/0/image"]


def test_yaml_is_one_document_for_each_object(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["subject", str(manifest)]) == 0
    shown = capsys.readouterr().out
    first, second = yaml.safe_load_all(shown)
    _checked(first["subject"])
    assert (second["subject"]["type"], second["subject"]["kind"]) == ("resource", "HorizontalPodAutoscaler")
    assert f'# "{manifest}", line 2\n' in shown


def test_json_says_where_each_is_from(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["subject", str(manifest), "-o", "json", "--identity"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    _checked(first["subject"])
    assert (first["file"], first["line"], first["subject"]["identity"]["name"]) == (str(manifest), 2, "llm")
    assert second["line"] == 15


def test_what_cannot_be_read_does_not_hide_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.yaml").write_text("apiVersion: v1\nkind: Pod\nspec: {containers: x}\n")
    (tmp_path / "b.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n")
    assert main(["subject", str(tmp_path), "-o", "json"]) == 2
    captured = capsys.readouterr()
    assert [item["subject"]["kind"] for item in json.loads(captured.out)] == ["ConfigMap"]
    assert "a.yaml: line 1: /spec/containers is text where a list is expected" in captured.err


def test_nothing_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.yaml").write_text("# nothing\n")
    assert main(["subject", str(tmp_path)]) == 2
    assert "there was no object" in capsys.readouterr().err
