"""Manifests of kinds that train, run to an end, or are groups of pods; and those of Kubernetes itself."""

from __future__ import annotations

from tests.pratique.kinds.case import Case


def _gpu(image: str, count: int) -> str:
    return f'{{containers: [{{name: c, image: "{image}", resources: {{limits: {{nvidia.com/gpu: {count}}}}}}}]}}'


CORE = (
    Case(
        "a Pod",
        f"{{apiVersion: v1, kind: Pod, metadata: {{name: p}}, spec: {_gpu('r.io/a:1', 1)}}}",
        pods=(("/spec", 1, 1),),
        gpus=(1, 1),
        images=(("/spec/containers/0/image", "r.io/a:1"),),
    ),
    Case(
        "a PodTemplate runs nothing",
        f"{{apiVersion: v1, kind: PodTemplate, metadata: {{name: p}}, template: {{spec: {_gpu('r.io/a:1', 1)}}}}}",
        pods=(("/template/spec", 0, 0),),
        images=(("/template/spec/containers/0/image", "r.io/a:1"),),
    ),
    *(
        Case(
            f"a {kind}",
            f"{{apiVersion: {version}, kind: {kind}, metadata: {{name: p}},"
            f" spec: {{replicas: 3, parallelism: 3, template: {{spec: {_gpu('r.io/a:1', 2)}}}}}}}",
            pods=(("/spec/template/spec", count, count),),
            gpus=(2 * count, 2 * count),
            images=(("/spec/template/spec/containers/0/image", "r.io/a:1"),),
        )
        for version, kind, count in (
            ("v1", "ReplicationController", 3),
            ("apps/v1", "Deployment", 3),
            ("apps/v1", "ReplicaSet", 3),
            ("apps/v1", "StatefulSet", 3),
            ("apps/v1", "DaemonSet", 1),
            ("batch/v1", "Job", 3),
        )
    ),
    Case(
        "a CronJob",
        "{apiVersion: batch/v1, kind: CronJob, metadata: {name: p}, spec: {jobTemplate: {spec: {template:"
        f" {{spec: {_gpu('r.io/a:1', 1)}}}}}}}}}}}",
        pods=(("/spec/jobTemplate/spec/template/spec", 1, 1),),
        gpus=(1, 1),
        images=(("/spec/jobTemplate/spec/template/spec/containers/0/image", "r.io/a:1"),),
    ),
)

_RAY_CLUSTER = """
  enableInTreeAutoscaling: {autoscaling}
  autoscalerOptions: {{image: "registry.internal/autoscaler:v1"}}
  headGroupSpec:
    rayStartParams: {{dashboard-host: "0.0.0.0"}}
    template:
      spec:
        containers: [{{name: ray-head, image: "registry.internal/ray:2.49"}}]
  workerGroupSpecs:
  - groupName: gpu
    replicas: 2
    minReplicas: 1
    maxReplicas: 4
    numOfHosts: 2
    template:
      metadata: {{labels: {{pool: gpu}}}}
      spec:
        containers: [{{name: w, image: "registry.internal/ray:2.49-gpu", resources: {{limits: {{nvidia.com/gpu: 4}}}}}}]
  - groupName: small
    replicas: 1
    minReplicas: 0
    maxReplicas: 2147483647
    template:
      spec:
        containers: [{{name: w, image: "registry.internal/ray:2.49", resources: {{limits: {{nvidia.com/gpu: 1}}}}}}]
"""


def _ray_cluster(indent: int, *, autoscaling: bool = False) -> str:
    text = _RAY_CLUSTER.format(autoscaling=str(autoscaling).lower())
    return "\n".join(" " * indent + line for line in text.splitlines())


def _ray_pods(root: str, *, unlimited: bool = False) -> tuple[tuple[str, int, int], ...]:
    return (
        (f"{root}/headGroupSpec/template/spec", 1, 1),
        (f"{root}/workerGroupSpecs/0/template/spec", 4, 8),
        (f"{root}/workerGroupSpecs/1/template/spec", 1, 2**31 - 1 if unlimited else 1),
    )


def _ray_images(root: str) -> tuple[tuple[str, str], ...]:
    return (
        (f"{root}/headGroupSpec/template/spec/containers/0/image", "registry.internal/ray:2.49"),
        (f"{root}/workerGroupSpecs/0/template/spec/containers/0/image", "registry.internal/ray:2.49-gpu"),
        (f"{root}/workerGroupSpecs/1/template/spec/containers/0/image", "registry.internal/ray:2.49"),
    )


RAY = (
    Case(
        "a RayCluster: replicas x hosts; the maximum counts without autoscaling, its default does not",
        "apiVersion: ray.io/v1\nkind: RayCluster\nmetadata: {name: c}\nspec:\n" + _ray_cluster(0),
        pods=_ray_pods("/spec"),
        gpus=(17, 33),
        images=(*_ray_images("/spec"), ("/spec/autoscalerOptions/image", "registry.internal/autoscaler:v1")),
    ),
    Case(
        "a RayCluster with autoscaling and no bound",
        "apiVersion: ray.io/v1alpha1\nkind: RayCluster\nmetadata: {name: c}\nspec:\n"
        + _ray_cluster(0, autoscaling=True),
        pods=_ray_pods("/spec", unlimited=True),
        gpus=(17, 32 + 2**31 - 1),
        images=(*_ray_images("/spec"), ("/spec/autoscalerOptions/image", "registry.internal/autoscaler:v1")),
    ),
    Case(
        "a RayJob",
        "apiVersion: ray.io/v1\nkind: RayJob\nmetadata: {name: c}\nspec:\n"
        "  entrypoint: python train.py --model_name_or_path meta-llama/Llama-3.1-8B --epochs 3\n"
        '  submitterPodTemplate: {spec: {containers: [{name: s, image: "registry.internal/ray:2.49"}]}}\n'
        "  rayClusterSpec:\n" + _ray_cluster(2),
        pods=(*_ray_pods("/spec/rayClusterSpec"), ("/spec/submitterPodTemplate/spec", 1, 1)),
        gpus=(17, 33),
        images=(
            *_ray_images("/spec/rayClusterSpec"),
            ("/spec/submitterPodTemplate/spec/containers/0/image", "registry.internal/ray:2.49"),
            ("/spec/rayClusterSpec/autoscalerOptions/image", "registry.internal/autoscaler:v1"),
        ),
        models=(("/spec/entrypoint", "hf", "meta-llama/Llama-3.1-8B", "", False),),
    ),
    Case(
        "a RayCronJob",
        "apiVersion: ray.io/v1\nkind: RayCronJob\nmetadata: {name: c}\nspec:\n  jobTemplate:\n"
        "    entrypoint: python train.py\n    rayClusterSpec:\n" + _ray_cluster(4),
        pods=_ray_pods("/spec/jobTemplate/rayClusterSpec"),
        gpus=(17, 33),
        images=(
            *_ray_images("/spec/jobTemplate/rayClusterSpec"),
            ("/spec/jobTemplate/rayClusterSpec/autoscalerOptions/image", "registry.internal/autoscaler:v1"),
        ),
    ),
    Case(
        "a RayService: the models are in a text of YAML",
        "apiVersion: ray.io/v1\nkind: RayService\nmetadata: {name: c}\nspec:\n"
        "  serveConfigV2: |\n"
        "    applications:\n"
        "    - name: llms\n"
        "      import_path: ray.serve.llm:build_openai_app\n"
        "      args:\n"
        "        llm_configs:\n"
        "        - model_loading_config: {model_id: qwen, model_source: Qwen/Qwen2.5-7B-Instruct}\n"
        "          engine_kwargs: {trust_remote_code: true, load_format: safetensors}\n"
        "        - model_loading_config: {model_id: l, model_source: {bucket_uri: 's3://models/llama'}}\n"
        "  rayClusterConfig:\n" + _ray_cluster(2),
        pods=_ray_pods("/spec/rayClusterConfig"),
        gpus=(17, 33),
        images=(
            *_ray_images("/spec/rayClusterConfig"),
            ("/spec/rayClusterConfig/autoscalerOptions/image", "registry.internal/autoscaler:v1"),
        ),
        models=(
            ("/spec/serveConfigV2", "hf", "Qwen/Qwen2.5-7B-Instruct", "", False),
            ("/spec/serveConfigV2", "s3", "models/llama", "", False),
        ),
        trusts=("/spec/serveConfigV2",),
    ),
)

_REPLICA_SPECS = (
    ("PyTorchJob", "pytorchReplicaSpecs"),
    ("TFJob", "tfReplicaSpecs"),
    ("XGBoostJob", "xgbReplicaSpecs"),
    ("JAXJob", "jaxReplicaSpecs"),
    ("PaddleJob", "paddleReplicaSpecs"),
    ("MXJob", "mxReplicaSpecs"),
    ("MPIJob", "mpiReplicaSpecs"),
)

KUBEFLOW = (
    *(
        Case(
            f"a {kind}",
            f"""
            apiVersion: kubeflow.org/v1
            kind: {kind}
            metadata: {{name: train}}
            spec:
              {field}:
                Master: {{template: {{spec: {_gpu("r.io/t:1", 1)}}}}}
                Worker: {{replicas: 3, template: {{spec: {_gpu("r.io/t:1", 8)}}}}}
            """,
            pods=((f"/spec/{field}/Master/template/spec", 1, 1), (f"/spec/{field}/Worker/template/spec", 3, 3)),
            gpus=(25, 25),
            images=(
                (f"/spec/{field}/Master/template/spec/containers/0/image", "r.io/t:1"),
                (f"/spec/{field}/Worker/template/spec/containers/0/image", "r.io/t:1"),
            ),
        )
        for kind, field in _REPLICA_SPECS
    ),
    Case(
        "an elastic PyTorchJob grows to what its policy says",
        f"""
        apiVersion: kubeflow.org/v1
        kind: PyTorchJob
        metadata: {{name: train}}
        spec:
          elasticPolicy: {{minReplicas: 1, maxReplicas: 6}}
          pytorchReplicaSpecs:
            Worker: {{replicas: 2, template: {{spec: {_gpu("r.io/t:1", 2)}}}}}
        """,
        pods=(("/spec/pytorchReplicaSpecs/Worker/template/spec", 2, 6),),
        gpus=(4, 12),
        images=(("/spec/pytorchReplicaSpecs/Worker/template/spec/containers/0/image", "r.io/t:1"),),
    ),
    Case(
        "a TrainJob: nodes, their resources, what it starts from",
        """
        apiVersion: trainer.kubeflow.org/v1alpha1
        kind: TrainJob
        metadata: {name: llama-ft}
        spec:
          runtimeRef: {name: torch-distributed}
          initializer:
            model: {storageUri: "hf://meta-llama/Llama-3.2-1B-Instruct"}
            dataset: {storageUri: "s3://lake/alpaca"}
          trainer:
            image: registry.internal/torch:2.8
            command: [torchrun, train.py]
            numNodes: 4
            resourcesPerNode: {limits: {nvidia.com/gpu: 8}}
          podTemplateOverrides:
          - targetJobs: [{name: node}]
            spec: {initContainers: [{name: fetch, image: "r.io/fetch:1"}], containers: [{name: node}]}
        """,
        pods=(("/spec/trainer", 4, 4), ("/spec/podTemplateOverrides/0/spec", 0, 0)),
        gpus=(32, 32),
        images=(
            ("/spec/trainer/image", "registry.internal/torch:2.8"),
            ("/spec/podTemplateOverrides/0/spec/initContainers/0/image", "r.io/fetch:1"),
        ),
        models=(
            ("/spec/initializer/model/storageUri", "hf", "meta-llama/Llama-3.2-1B-Instruct", "", False),
            ("/spec/initializer/dataset/storageUri", "s3", "lake/alpaca", "", False, "dataset"),
        ),
    ),
    *(
        Case(
            f"a {kind} is a template",
            f"""
            apiVersion: trainer.kubeflow.org/v1alpha1
            kind: {kind}
            metadata: {{name: torch}}
            spec:
              mlPolicy: {{numNodes: 2}}
              template:
                spec:
                  replicatedJobs: [{{name: node, template: {{spec: {{template: {{spec: {_gpu("r.io/t:1", 8)}}}}}}}}}]
            """,
            pods=(("/spec/template/spec/replicatedJobs/0/template/spec/template/spec", 0, 0),),
            images=(
                ("/spec/template/spec/replicatedJobs/0/template/spec/template/spec/containers/0/image", "r.io/t:1"),
            ),
        )
        for kind in ("TrainingRuntime", "ClusterTrainingRuntime")
    ),
    Case(
        "a Notebook",
        f"""
        apiVersion: kubeflow.org/v1beta1
        kind: Notebook
        metadata: {{name: lab}}
        spec: {{template: {{spec: {_gpu("r.io/jupyter:1", 1)}}}}}
        """,
        pods=(("/spec/template/spec", 1, 1),),
        gpus=(1, 1),
        images=(("/spec/template/spec/containers/0/image", "r.io/jupyter:1"),),
    ),
)

GROUPS = (
    Case(
        "a LeaderWorkerSet: size pods to a replica, one of them the leader",
        f"""
        apiVersion: leaderworkerset.x-k8s.io/v1
        kind: LeaderWorkerSet
        metadata: {{name: vllm}}
        spec:
          replicas: 2
          leaderWorkerTemplate:
            size: 4
            leaderTemplate: {{metadata: {{labels: {{role: leader}}}}, spec: {_gpu("r.io/a:1", 8)}}}
            workerTemplate: {{spec: {_gpu("r.io/b:1", 8)}}}
        """,
        pods=(
            ("/spec/leaderWorkerTemplate/leaderTemplate/spec", 2, 2),
            ("/spec/leaderWorkerTemplate/workerTemplate/spec", 6, 6),
        ),
        gpus=(64, 64),
        images=(
            ("/spec/leaderWorkerTemplate/leaderTemplate/spec/containers/0/image", "r.io/a:1"),
            ("/spec/leaderWorkerTemplate/workerTemplate/spec/containers/0/image", "r.io/b:1"),
        ),
    ),
    Case(
        "a LeaderWorkerSet whose leaders are made from the worker's template",
        f"""
        apiVersion: leaderworkerset.x-k8s.io/v1
        kind: LeaderWorkerSet
        metadata: {{name: vllm}}
        spec: {{replicas: 3, leaderWorkerTemplate: {{size: 4, workerTemplate: {{spec: {_gpu("r.io/b:1", 1)}}}}}}}
        """,
        pods=(("/spec/leaderWorkerTemplate/workerTemplate/spec", 12, 12),),
        gpus=(12, 12),
        images=(("/spec/leaderWorkerTemplate/workerTemplate/spec/containers/0/image", "r.io/b:1"),),
    ),
    Case(
        "a JobSet: replicas x parallelism",
        f"""
        apiVersion: jobset.x-k8s.io/v1alpha2
        kind: JobSet
        metadata: {{name: train}}
        spec:
          replicatedJobs:
          - name: workers
            replicas: 2
            template: {{spec: {{parallelism: 4, completions: 4, template: {{spec: {_gpu("r.io/t:1", 4)}}}}}}}
          - name: driver
            template: {{spec: {{template: {{spec: {_gpu("r.io/d:1", 0)}}}}}}}
        """,
        pods=(
            ("/spec/replicatedJobs/0/template/spec/template/spec", 8, 8),
            ("/spec/replicatedJobs/1/template/spec/template/spec", 1, 1),
        ),
        gpus=(32, 32),
        images=(
            ("/spec/replicatedJobs/0/template/spec/template/spec/containers/0/image", "r.io/t:1"),
            ("/spec/replicatedJobs/1/template/spec/template/spec/containers/0/image", "r.io/d:1"),
        ),
    ),
    Case(
        "a Volcano Job",
        f"""
        apiVersion: batch.volcano.sh/v1alpha1
        kind: Job
        metadata: {{name: mpi}}
        spec:
          minAvailable: 3
          tasks:
          - {{name: worker, replicas: 2, template: {{spec: {_gpu("r.io/w:1", 8)}}}}}
        """,
        pods=(("/spec/tasks/0/template/spec", 2, 2),),
        gpus=(16, 16),
        images=(("/spec/tasks/0/template/spec/containers/0/image", "r.io/w:1"),),
    ),
    Case(
        "a Volcano CronJob",
        f"""
        apiVersion: batch.volcano.sh/v1alpha1
        kind: CronJob
        metadata: {{name: mpi}}
        spec: {{jobTemplate: {{spec: {{tasks: [{{template: {{spec: {_gpu("r.io/w:1", 1)}}}}}]}}}}}}
        """,
        pods=(("/spec/jobTemplate/spec/tasks/0/template/spec", 1, 1),),
        gpus=(1, 1),
        images=(("/spec/jobTemplate/spec/tasks/0/template/spec/containers/0/image", "r.io/w:1"),),
    ),
    Case(
        "a Volcano JobTemplate",
        f"""
        apiVersion: flow.volcano.sh/v1alpha1
        kind: JobTemplate
        metadata: {{name: mpi}}
        spec: {{tasks: [{{replicas: 4, template: {{spec: {_gpu("r.io/w:1", 1)}}}}}]}}
        """,
        pods=(("/spec/tasks/0/template/spec", 0, 0),),
        images=(("/spec/tasks/0/template/spec/containers/0/image", "r.io/w:1"),),
    ),
    Case(
        "an AppWrapper holds whole objects",
        f"""
        apiVersion: workload.codeflare.dev/v1beta2
        kind: AppWrapper
        metadata: {{name: wrapped}}
        spec:
          components:
          - template: {{apiVersion: v1, kind: Service, metadata: {{name: s}}, spec: {{ports: [{{port: 80}}]}}}}
          - podSets: [{{replicas: 2, path: template.spec.pytorchReplicaSpecs.Worker.template}}]
            template:
              apiVersion: kubeflow.org/v1
              kind: PyTorchJob
              metadata: {{name: t}}
              spec:
                pytorchReplicaSpecs:
                  Worker: {{replicas: 2, template: {{spec: {_gpu("r.io/t:1", 4)}}}}}
        """,
        pods=(("/spec/components/1/template/spec/pytorchReplicaSpecs/Worker/template/spec", 2, 2),),
        gpus=(8, 8),
        images=(
            (
                "/spec/components/1/template/spec/pytorchReplicaSpecs/Worker/template/spec/containers/0/image",
                "r.io/t:1",
            ),
        ),
    ),
    Case(
        "a ScaledJob of KEDA: up to 100 jobs where nothing is said",
        f"""
        apiVersion: keda.sh/v1alpha1
        kind: ScaledJob
        metadata: {{name: jobs}}
        spec: {{jobTargetRef: {{parallelism: 2, template: {{spec: {_gpu("r.io/j:1", 1)}}}}}}}
        """,
        pods=(("/spec/jobTargetRef/template/spec", 0, 200),),
        gpus=(0, 200),
        images=(("/spec/jobTargetRef/template/spec/containers/0/image", "r.io/j:1"),),
    ),
    Case(
        "an Argo Rollout",
        f"""
        apiVersion: argoproj.io/v1alpha1
        kind: Rollout
        metadata: {{name: r}}
        spec: {{replicas: 4, strategy: {{canary: {{maxSurge: 4}}}}, template: {{spec: {_gpu("r.io/r:1", 1)}}}}}
        """,
        pods=(("/spec/template/spec", 4, 4),),
        gpus=(4, 4),
        images=(("/spec/template/spec/containers/0/image", "r.io/r:1"),),
    ),
)

_ARGO_TEMPLATES = """
  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: prepare, template: prepare}
    - - {name: train, template: train, withItems: [1, 2, 3]}
    - - {name: apply, template: apply}
  - name: prepare
    script: {image: "r.io/prepare:1", command: [python], source: "snapshot_download('a/b')"}
    initContainers: [{name: fetch, image: "r.io/fetch:1"}]
  - name: train
    container: {image: "r.io/train:1", resources: {limits: {nvidia.com/gpu: 4}}}
    sidecars: [{name: side, image: "r.io/side:1"}]
  - name: unused
    containerSet: {containers: [{name: a, image: "r.io/a:1"}, {name: b, image: "r.io/b:1"}]}
  - name: apply
    resource:
      action: create
      manifest: |
        apiVersion: batch/v1
        kind: Job
        metadata: {generateName: eval-}
        spec:
          parallelism: {{inputs.parameters.n}}
          template:
            spec:
              containers: [{name: e, image: "r.io/eval:1", resources: {limits: {nvidia.com/gpu: 1}}}]
"""


def _argo_images(root: str) -> tuple[tuple[str, str], ...]:
    return (
        (f"{root}/templates/1/initContainers/0/image", "r.io/fetch:1"),
        (f"{root}/templates/1/script/image", "r.io/prepare:1"),
        (f"{root}/templates/2/sidecars/0/image", "r.io/side:1"),
        (f"{root}/templates/2/container/image", "r.io/train:1"),
        (f"{root}/templates/3/containerSet/containers/0/image", "r.io/a:1"),
        (f"{root}/templates/3/containerSet/containers/1/image", "r.io/b:1"),
        (f"{root}/templates/4/resource/manifest", "r.io/eval:1"),
    )


def _argo_models(root: str) -> tuple[tuple[str, str, str, str, bool], ...]:
    return ((f"{root}/templates/1/script/source", "hf", "a/b", "", False),)


def _argo_pods(root: str, *, runs: bool = True) -> tuple[tuple[str, int, int], ...]:
    one = 1 if runs else 0
    return (
        (f"{root}/templates/1", one, one),
        (f"{root}/templates/2", one, 3 * one),
        (f"{root}/templates/3", one, one),
        (f"{root}/templates/4/resource/manifest", one, one),
    )


WORKFLOWS = (
    Case(
        "an Argo Workflow: fan-out counts, what runs one after another does not add up",
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: w-}\nspec:" + _ARGO_TEMPLATES,
        pods=_argo_pods("/spec"),
        gpus=(5, 13),
        images=_argo_images("/spec"),
        models=_argo_models("/spec"),
    ),
    Case(
        "an Argo CronWorkflow",
        "apiVersion: argoproj.io/v1alpha1\nkind: CronWorkflow\nmetadata: {name: w}\nspec:\n  workflowSpec:"
        + _ARGO_TEMPLATES.replace("\n", "\n  "),
        pods=_argo_pods("/spec/workflowSpec"),
        gpus=(5, 13),
        images=_argo_images("/spec/workflowSpec"),
        models=_argo_models("/spec/workflowSpec"),
    ),
    *(
        Case(
            f"an Argo {kind} is a template",
            f"apiVersion: argoproj.io/v1alpha1\nkind: {kind}\nmetadata: {{name: w}}\nspec:" + _ARGO_TEMPLATES,
            pods=_argo_pods("/spec", runs=False),
            images=_argo_images("/spec"),
            models=_argo_models("/spec"),
        )
        for kind in ("WorkflowTemplate", "ClusterWorkflowTemplate")
    ),
    Case(
        "a graph: two branches at one time, bounded by parallelism",
        """
        apiVersion: argoproj.io/v1alpha1
        kind: Workflow
        metadata: {name: dag}
        spec:
          entrypoint: dag
          templates:
          - name: dag
            dag:
              tasks:
              - {name: a, template: gpu}
              - {name: b, template: gpu, dependencies: [a]}
              - {name: c, template: gpu, depends: "a.Succeeded && b"}
              - {name: d, template: gpu, dependencies: [a]}
          - name: gpu
            container: {image: "r.io/g:1", resources: {limits: {nvidia.com/gpu: 2}}}
        """,
        pods=(("/spec/templates/1", 1, 4),),
        gpus=(2, 4),
        images=(("/spec/templates/1/container/image", "r.io/g:1"),),
    ),
    Case(
        "a Sensor that creates objects",
        f"""
        apiVersion: argoproj.io/v1alpha1
        kind: Sensor
        metadata: {{name: s}}
        spec:
          triggers:
          - template:
              name: t
              k8s:
                operation: create
                source:
                  resource: {{apiVersion: v1, kind: Pod, metadata: {{name: p}}, spec: {_gpu("r.io/p:1", 1)}}}
        """,
        pods=(("/spec/triggers/0/template/k8s/source/resource/spec", 1, 1),),
        gpus=(1, 1),
        images=(("/spec/triggers/0/template/k8s/source/resource/spec/containers/0/image", "r.io/p:1"),),
    ),
    *(
        Case(
            f"a Tekton {kind}: steps are containers of one pod",
            f"""
            apiVersion: tekton.dev/v1
            kind: {kind}
            metadata: {{name: t}}
            spec: {prefix}
              stepTemplate: {{image: "r.io/default:1"}}
              steps:
              - {{name: one, image: "r.io/one:1", computeResources: {{limits: {{nvidia.com/gpu: 2}}}}}}
              - {{name: two, script: "#!/bin/sh\\nhf download a/b"}}
              sidecars: [{{name: side, image: "r.io/side:1"}}]
            """,
            pods=((path, runs, runs),),
            gpus=(2 * runs, 2 * runs),
            images=(
                (f"{path}/steps/0/image", "r.io/one:1"),
                (f"{path}/sidecars/0/image", "r.io/side:1"),
                (f"{path}/stepTemplate/image", "r.io/default:1"),
            ),
            models=((f"{path}/steps/1/script", "hf", "a/b", "", False),),
        )
        for kind, prefix, path, runs in (("Task", "", "/spec", 0), ("ClusterTask", "", "/spec", 0))
    ),
    Case(
        "a Tekton TaskRun",
        """
        apiVersion: tekton.dev/v1beta1
        kind: TaskRun
        metadata: {name: t}
        spec: {taskSpec: {steps: [{name: a, image: "r.io/a:1", resources: {limits: {nvidia.com/gpu: 1}}}]}}
        """,
        pods=(("/spec/taskSpec", 1, 1),),
        gpus=(1, 1),
        images=(("/spec/taskSpec/steps/0/image", "r.io/a:1"),),
    ),
    *(
        Case(
            f"a Tekton {kind}",
            f"""
            apiVersion: tekton.dev/v1
            kind: {kind}
            metadata: {{name: t}}
            spec: {before}{{tasks: [{{name: a, taskSpec: {{steps: [{{name: s, image: "r.io/a:1"}}]}}}}],
              finally: [{{name: f, taskSpec: {{steps: [{{name: s, image: "r.io/f:1"}}]}}}}]}}{after}
            """,
            pods=((f"{path}/tasks/0/taskSpec", runs, runs), (f"{path}/finally/0/taskSpec", runs, runs)),
            images=(
                (f"{path}/tasks/0/taskSpec/steps/0/image", "r.io/a:1"),
                (f"{path}/finally/0/taskSpec/steps/0/image", "r.io/f:1"),
            ),
        )
        for kind, before, after, path, runs in (
            ("Pipeline", "", "", "/spec", 0),
            ("PipelineRun", "{pipelineSpec: ", "}", "/spec/pipelineSpec", 1),
        )
    ),
    Case(
        "a Tekton StepAction",
        """
        apiVersion: tekton.dev/v1beta1
        kind: StepAction
        metadata: {name: t}
        spec: {image: "r.io/a:1", script: "echo"}
        """,
        pods=(("/spec", 0, 0),),
        images=(("/spec/image", "r.io/a:1"),),
    ),
    Case(
        "a Tekton TriggerTemplate",
        """
        apiVersion: triggers.tekton.dev/v1beta1
        kind: TriggerTemplate
        metadata: {name: t}
        spec:
          resourcetemplates:
          - apiVersion: tekton.dev/v1
            kind: TaskRun
            metadata: {generateName: t-}
            spec: {taskSpec: {steps: [{name: a, image: "r.io/a:1"}]}}
        """,
        pods=(("/spec/resourcetemplates/0/spec/taskSpec", 0, 0),),
        images=(("/spec/resourcetemplates/0/spec/taskSpec/steps/0/image", "r.io/a:1"),),
    ),
)

CASES = (*CORE, *RAY, *KUBEFLOW, *GROUPS, *WORKFLOWS)
