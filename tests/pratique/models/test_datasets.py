"""The datasets that programs are told to read: flags, variables, copies, code; and what is none."""

from __future__ import annotations

from typing import Any

import pytest

from tests.pratique.models.test_containers import C, content, models

LAKE = "s3://datalake/claims/v3"


def datasets(container: dict[str, Any], **spec: Any) -> list[tuple[str, ...]]:
    """Path below the container, scheme, name, version of each dataset."""
    return [(path, *seen) for path, *seen, role in _with_roles(container, **spec) if role == "dataset"]


def _with_roles(container: dict[str, Any], **spec: Any) -> list[tuple[str, ...]]:
    return [found if len(found) == 5 else (*found, "model") for found in models(container, **spec)]


@pytest.mark.parametrize(
    ("arguments", "seen"),
    [
        ([f"--dataset={LAKE}"], [("/args/0", "s3", "datalake/claims/v3", "")]),
        (["--dataset", LAKE], [("/args/1", "s3", "datalake/claims/v3", "")]),
        (["--train_data", LAKE, "--lr", "0.1"], [("/args/1", "s3", "datalake/claims/v3", "")]),
        (
            ["--train-files", "/data/a", "/data/b"],
            [("/args/1", "file", "/data/a", ""), ("/args/2", "file", "/data/b", "")],
        ),
        (["--dataset", "acme/claims"], [("/args/1", "hf", "acme/claims", "")]),
        (["--dataset", "acme/claims", "--dataset-revision", "v2"], [("/args/1", "hf", "acme/claims", "v2")]),
        (["--dataset_name=squad", "--revision=v1"], [("/args/0", "hf", "squad", "v1")]),
        (["--dataset", "acme/a,acme/b"], [("/args/1", "hf", "acme/a", ""), ("/args/1", "hf", "acme/b", "")]),
        (["--train-file", "data/train.jsonl"], [("/args/1", "file", "data/train.jsonl", "")]),
        (["--dataset", "train.jsonl"], [("/args/1", "file", "train.jsonl", "")]),
        (["--dataset-url=https://example.com/a.parquet"], [("/args/0", "https", "example.com/a.parquet", "")]),
        (["hf://datasets/acme/claims/a.parquet"], [("/args/0", "hf", "acme/claims", "")]),
        (["--whatever", "gs://bucket/a"], [("/args/1", "gs", "bucket/a", "")]),
        (["--overwrite", LAKE], [("/args/1", "s3", "datalake/claims/v3", "")]),
        (["https://b.s3.amazonaws.com/a"], [("/args/0", "https", "b.s3.amazonaws.com/a", "")]),
        (["data.path=s3://datalake/a"], [("/args/0", "s3", "datalake/a", "")]),
        (["+trainer.dataset=acme/a"], [("/args/0", "hf", "acme/a", "")]),
        (["optim.foo=gs://bucket/a"], [("/args/0", "gs", "bucket/a", "")]),
        (["--output-dir", "s3://checkpoints/a"], []),
        (["--output-dir=s3://checkpoints/a", "ckpt.save=gs://b/c"], []),
        (["--base-model=s3://models/a", "--tokenizer", "s3://models/t"], []),
        (["--test-url", "http://localhost:8000/health"], []),
        (["--data", '{"x": 1}'], []),
        (["--val-set", "0.1"], []),
        (["--epochs", "3", "-"], []),
    ],
)
def test_arguments_of_a_program(arguments: list[str], seen: list[tuple[str, ...]]) -> None:
    assert datasets({"command": ["python", "train.py"], "args": arguments}) == seen


@pytest.mark.parametrize(
    ("words", "seen"),
    [
        (["s3", "sync", "s3://datalake/a/", "/data"], [("/args/2", "s3", "datalake/a/", "")]),
        (["s3", "cp", "--exclude", "*", "s3://datalake/a", "."], [("/args/4", "s3", "datalake/a", "")]),
        (["s3", "cp", "/results", "s3://datalake/out"], []),
        (["s3", "sync", "s3://a/b", "s3://c/d"], [("/args/2", "s3", "a/b", "")]),
        (["storage", "rsync", "gs://a/b", "./data"], [("/args/2", "gs", "a/b", "")]),
    ],
)
def test_what_is_copied_is_read_from_the_first_place(words: list[str], seen: list[tuple[str, ...]]) -> None:
    assert datasets({"args": words}) == seen


@pytest.mark.parametrize(
    ("name", "value", "seen"),
    [
        ("DATASET_URI", LAKE, ("s3", "datalake/claims/v3", "")),
        ("TRAIN_DATA", "az://claims/v3", ("az", "claims/v3", "")),
        ("DATA_PATH", "/data/claims", ("file", "/data/claims", "")),
        ("SM_CHANNEL_TRAINING", "/opt/ml/input", ("file", "/opt/ml/input", "")),
        ("HF_DATASET", "squad", ("hf", "squad", "")),
        ("BUCKET", "s3://somewhere", ("s3", "somewhere", "")),
        ("OUTPUT_URI", "s3://somewhere", None),
        ("MLFLOW_S3_ENDPOINT_URL", "https://s3.eu-west-1.amazonaws.com", None),
        ("STORAGE_URI", "s3://models/a", None),
        ("HOME", "/home/jovyan", None),
    ],
)
def test_variables(name: str, value: str, seen: tuple[str, ...] | None) -> None:
    found = datasets({"command": ["python", "train.py"], "env": [{"name": name, "value": value}]})
    assert found == ([("/env/0/value", *seen)] if seen else [])


@pytest.mark.parametrize(
    ("values", "seen"),
    [
        (["s3://$(BUCKET)/a"], [("/env/0/value", "", "the variable BUCKET is not set in the object", "")]),
        (["3://claims/v3", "s$(V0)"], [("/env/1/value", "s3", "claims/v3", "")]),
        (["s3:", "$(V0)//claims/v3"], [("/env/1/value", "s3", "claims/v3", "")]),
        (["http://127.0.0.1:8000", "info"], []),
        (["http://127.0.0.1:8000", "s3://claims"], [("/env/1/value", "s3", "claims", "")]),
        (["http://files.example.com,s3://claims"], [("/env/0/value", "s3", "claims", "")]),
    ],
)
def test_a_dataset_in_any_variable_is_seen_without_a_command_line(
    values: list[str], seen: list[tuple[str, ...]]
) -> None:
    env = [{"name": f"V{index}", "value": value} for index, value in enumerate(values)]
    assert datasets({"env": env}) == seen


@pytest.mark.parametrize("name", ["DATASET_URI", "TRAIN_DATA"])
def test_what_is_elsewhere_is_reported_as_that(name: str) -> None:
    source = {"configMapKeyRef": {"name": "run", "key": "data"}}
    found = datasets({"env": [{"name": name, "valueFrom": source}]})
    assert found == [("/env/0/valueFrom", "", f"the variable {name} comes from the ConfigMap run, key data", "")]
    assert datasets({"env": [{"name": "POD_IP", "valueFrom": source}]}) == []


def test_a_bucket_that_is_elsewhere_is_reported_as_that() -> None:
    found = datasets(
        {
            "command": ["python", "train.py", "--source", "s3://$(BUCKET)/a"],
            "env": [{"name": "BUCKET", "valueFrom": {"secretKeyRef": {"name": "s", "key": "bucket"}}}],
        }
    )
    assert found == [("/command/3", "", "the variable BUCKET comes from the Secret s, key bucket", "")]


def test_code_and_scripts() -> None:
    code = "d = load_dataset('acme/a', revision='v2', data_files='s3://b/c'); e = pd.read_parquet('gs://d/e'); d.to_csv('s3://f')"
    assert [found[1:] for found in datasets({"command": ["python", "-c", code]})] == [
        ("hf", "acme/a", "v2"),
        ("s3", "b/c", ""),
        ("gs", "d/e", ""),
    ]
    script = "aws s3 cp s3://datalake/a /scratch && python train.py --data-dir /scratch"
    assert [found[1:] for found in datasets({"command": ["sh", "-c", script]})] == [
        ("s3", "datalake/a", ""),
        ("file", "/scratch", ""),
    ]


def test_the_hub_is_told_what_to_download() -> None:
    container = {"command": ["hf", "download", "acme/a", "--repo-type", "dataset", "--revision", "v1"]}
    assert datasets(container) == [("/command/2", "hf", "acme/a", "v1")]


def test_a_server_reads_no_datasets() -> None:
    container = {"command": ["vllm", "serve", "a/b"], "env": [{"name": "DATA_PATH", "value": "s3://a/b"}]}
    assert datasets(container) == []


@pytest.mark.parametrize(
    ("volume", "seen"),
    [
        ({"persistentVolumeClaim": {"claimName": "claims"}}, ("pvc", "claims/a")),
        ({"hostPath": {"path": "/srv"}}, ("hostpath", "/srv/a")),
        ({"nfs": {"server": "10.0.0.1", "path": "/export"}}, ("nfs", "10.0.0.1/export/a")),
        (
            {"csi": {"driver": "gcsfuse.csi.storage.gke.io", "volumeAttributes": {"bucketName": "lake"}}},
            ("gs", "lake/a"),
        ),
        ({"csi": {"driver": "blob.csi.azure.com", "volumeAttributes": {"containerName": "lake"}}}, ("az", "lake/a")),
        ({"csi": {"driver": "inline.example.com"}}, ("csi", "inline.example.com/a")),
        ({"emptyDir": {}}, ("file", "/data/a")),
    ],
)
def test_a_path_is_what_is_mounted_there(volume: dict[str, Any], seen: tuple[str, str]) -> None:
    container = {
        "command": ["python", "train.py", "--data-dir=/data/a"],
        "volumeMounts": [{"name": "d", "mountPath": "/data"}],
    }
    assert datasets(container, volumes=[{"name": "d", **volume}]) == [("/command/2", *seen, "")]


def test_a_model_is_not_a_dataset_too() -> None:
    container = {"command": ["python", "train.py", "--checkpoint=s3://models/a"], "env": []}
    assert [(model.path, model.role) for model in content(container).models] == [(f"{C}/command/2", "model")]
