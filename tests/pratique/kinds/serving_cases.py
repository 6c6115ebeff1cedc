"""Manifests of kinds that serve models."""

from __future__ import annotations

from tests.pratique.kinds.case import Case

COMMIT = "0123456789abcdef0123456789abcdef01234567"

KSERVE = (
    Case(
        "an InferenceService with model, transformer and explainer",
        """
        apiVersion: serving.kserve.io/v1beta1
        kind: InferenceService
        metadata: {name: sentiment, namespace: nlp}
        spec:
          predictor:
            minReplicas: 2
            maxReplicas: 6
            serviceAccountName: models
            model:
              modelFormat: {name: huggingface}
              runtime: kserve-huggingfaceserver
              storageUri: hf://distilbert/distilbert-base-uncased@0123456789abcdef0123456789abcdef01234567
              args: [--trust_remote_code, --model_name=sentiment]
              resources: {limits: {nvidia.com/gpu: "1", cpu: "4", memory: 16Gi}}
          transformer:
            containers:
            - name: kserve-container
              image: registry.internal/nlp/tokenise:v3
          explainer:
            minReplicas: 0
            containers:
            - name: kserve-container
              image: registry.internal/nlp/explain:v1
        """,
        pods=(("/spec/predictor", 2, 6), ("/spec/transformer", 1, 1), ("/spec/explainer", 0, 1)),
        gpus=(2, 6),
        images=(
            ("/spec/transformer/containers/0/image", "registry.internal/nlp/tokenise:v3"),
            ("/spec/explainer/containers/0/image", "registry.internal/nlp/explain:v1"),
        ),
        models=(("/spec/predictor/model/storageUri", "hf", "distilbert/distilbert-base-uncased", COMMIT, True),),
        trusts=("/spec/predictor/model/args/0",),
    ),
    Case(
        "an InferenceService with a legacy framework key",
        """
        apiVersion: serving.kserve.io/v1beta1
        kind: InferenceService
        metadata: {name: iris}
        spec:
          predictor:
            sklearn:
              image: registry.internal/sklearn:1.5
              storageUri: gs://kfserving-examples/models/sklearn/1.0/model
        """,
        pods=(("/spec/predictor", 1, 1),),
        images=(("/spec/predictor/sklearn/image", "registry.internal/sklearn:1.5"),),
        models=(
            (
                "/spec/predictor/sklearn/storageUri",
                "gs",
                "kfserving-examples/models/sklearn/1.0/model",
                "",
                False,
            ),
        ),
    ),
    Case(
        "an InferenceService over several nodes",
        """
        apiVersion: serving.kserve.io/v1beta1
        kind: InferenceService
        metadata: {name: llama-405b}
        spec:
          predictor:
            minReplicas: 1
            maxReplicas: 2
            model:
              modelFormat: {name: huggingface}
              storageUri: pvc://llama-405b/hf/8b_instruction_tuned
            workerSpec:
              pipelineParallelSize: 4
              tensorParallelSize: 8
              containers:
              - name: worker-container
                image: registry.internal/vllm:v0.11
        """,
        pods=(("/spec/predictor", 1, 2), ("/spec/predictor/workerSpec", 3, 6)),
        gpus=(32, 64),
        images=(("/spec/predictor/workerSpec/containers/0/image", "registry.internal/vllm:v0.11"),),
        models=(("/spec/predictor/model/storageUri", "pvc", "llama-405b/hf/8b_instruction_tuned", "", False),),
    ),
    Case(
        "an InferenceService of v1alpha2",
        """
        apiVersion: serving.kubeflow.org/v1alpha2
        kind: InferenceService
        metadata: {name: flowers}
        spec:
          default:
            predictor:
              tensorflow: {storageUri: "s3://models/flowers?versionId=abc"}
          canary:
            predictor:
              custom:
                container: {name: c, image: registry.internal/flowers:v2}
        """,
        pods=(("/spec/default/predictor", 1, 1), ("/spec/canary/predictor", 1, 1)),
        images=(("/spec/canary/predictor/custom/container/image", "registry.internal/flowers:v2"),),
        models=(("/spec/default/predictor/tensorflow/storageUri", "s3", "models/flowers", "abc", True),),
    ),
    Case(
        "an LLMInferenceService with data parallelism: data / dataLocal pods, not data",
        """
        apiVersion: serving.kserve.io/v1alpha1
        kind: LLMInferenceService
        metadata: {name: deepseek}
        spec:
          trustRemoteCode: true
          model:
            uri: hf://deepseek-ai/DeepSeek-R1
            name: deepseek
            lora:
              adapters:
              - {name: legal, uri: "hf://acme/legal-lora:0123456789abcdef0123456789abcdef01234567"}
          replicas: 2
          parallelism: {data: 16, dataLocal: 8, tensor: 1, expert: true}
          template:
            containers:
            - name: main
              image: registry.internal/vllm:v0.11
              resources: {limits: {nvidia.com/gpu: 8}}
          worker:
            containers:
            - name: main
              image: registry.internal/vllm:v0.11
              resources: {limits: {nvidia.com/gpu: 8}}
          prefill:
            scaling: {minReplicas: 1, maxReplicas: 3}
            template:
              containers:
              - name: main
                image: registry.internal/vllm:v0.11-prefill
                resources: {limits: {nvidia.com/gpu: 4}}
          router:
            scheduler:
              template:
                containers: [{name: epp, image: registry.internal/epp:v1}]
        """,
        pods=(
            ("/spec/template", 2, 2),
            ("/spec/worker", 2, 2),
            ("/spec/prefill/template", 1, 3),
            ("/spec/router/scheduler/template", 1, 1),
        ),
        gpus=(36, 44),
        images=(
            ("/spec/template/containers/0/image", "registry.internal/vllm:v0.11"),
            ("/spec/worker/containers/0/image", "registry.internal/vllm:v0.11"),
            ("/spec/prefill/template/containers/0/image", "registry.internal/vllm:v0.11-prefill"),
            ("/spec/router/scheduler/template/containers/0/image", "registry.internal/epp:v1"),
        ),
        models=(
            ("/spec/model/uri", "hf", "deepseek-ai/DeepSeek-R1", "", False),
            ("/spec/model/lora/adapters/0/uri", "hf", "acme/legal-lora", COMMIT, True, "lora"),
        ),
        trusts=("/spec/trustRemoteCode",),
    ),
    Case(
        "an LLMInferenceService without a template has the pods of its configuration",
        """
        apiVersion: serving.kserve.io/v1alpha2
        kind: LLMInferenceService
        metadata: {name: qwen}
        spec:
          model: {uri: "oci://registry.internal/models/qwen@sha256:%s"}
          replicas: 3
          parallelism: {tensor: 4}
        """
        % ("a" * 64),
        pods=(("/spec", 3, 3),),
        gpus=(12, 12),
        models=(("/spec/model/uri", "oci", "registry.internal/models/qwen", "sha256:" + "a" * 64, True),),
    ),
    Case(
        "an LLMInferenceServiceConfig is a template",
        """
        apiVersion: serving.kserve.io/v1alpha1
        kind: LLMInferenceServiceConfig
        metadata: {name: vllm-h100}
        spec:
          replicas: 4
          template:
            containers:
            - {name: main, image: "registry.internal/vllm:v0.11", resources: {limits: {nvidia.com/gpu: 8}}}
        """,
        pods=(("/spec/template", 0, 0),),
        images=(("/spec/template/containers/0/image", "registry.internal/vllm:v0.11"),),
    ),
    Case(
        "a TrainedModel is a model in the pods of another",
        """
        apiVersion: serving.kserve.io/v1alpha1
        kind: TrainedModel
        metadata: {name: cifar}
        spec:
          inferenceService: triton-mms
          model: {framework: pytorch, storageUri: "https://store.blob.core.windows.net/models/cifar", memory: 1Gi}
        """,
        pods=(),
        models=(("/spec/model/storageUri", "az", "store.blob.core.windows.net/models/cifar", "", False),),
    ),
    Case(
        "a ServingRuntime holds no GPUs of its own",
        """
        apiVersion: serving.kserve.io/v1alpha1
        kind: ServingRuntime
        metadata: {name: vllm}
        spec:
          supportedModelFormats: [{name: vLLM, autoSelect: true}]
          containers:
          - name: kserve-container
            image: registry.internal/vllm-openai:v0.11.0
            args: [--model, /mnt/models, --trust-remote-code]
            resources: {limits: {nvidia.com/gpu: "2"}}
          workerSpec:
            containers:
            - {name: worker-container, image: "registry.internal/vllm-openai:v0.11.0"}
        """,
        pods=(("/spec", 0, 0), ("/spec/workerSpec", 0, 0)),
        images=(
            ("/spec/containers/0/image", "registry.internal/vllm-openai:v0.11.0"),
            ("/spec/workerSpec/containers/0/image", "registry.internal/vllm-openai:v0.11.0"),
        ),
        trusts=("/spec/containers/0/args/2",),
    ),
    Case(
        "a ClusterServingRuntime too",
        """
        apiVersion: serving.kserve.io/v1alpha1
        kind: ClusterServingRuntime
        metadata: {name: triton}
        spec:
          containers: [{name: kserve-container, image: "nvcr.io/nvidia/tritonserver:25.01-py3"}]
        """,
        pods=(("/spec", 0, 0),),
        images=(("/spec/containers/0/image", "nvcr.io/nvidia/tritonserver:25.01-py3"),),
    ),
    Case(
        "an InferenceGraph is a router that the controller chooses the image of",
        """
        apiVersion: serving.kserve.io/v1alpha1
        kind: InferenceGraph
        metadata: {name: pipeline}
        spec:
          minReplicas: 1
          maxReplicas: 3
          resources: {limits: {cpu: "1"}}
          nodes:
            root: {routerType: Sequence, steps: [{serviceName: a}, {serviceName: b}]}
        """,
        pods=(("/spec", 1, 3),),
    ),
    Case(
        "a ClusterStorageContainer is a template of an init container",
        """
        apiVersion: serving.kserve.io/v1alpha1
        kind: ClusterStorageContainer
        metadata: {name: hub}
        spec:
          container: {name: storage-initializer, image: "registry.internal/hub:v1"}
          supportedUriFormats: [{prefix: "hub://"}]
        """,
        pods=(("/spec", 0, 0),),
        images=(("/spec/container/image", "registry.internal/hub:v1"),),
    ),
    *(
        Case(
            f"a {kind} brings a model to nodes",
            f"""
            apiVersion: serving.kserve.io/v1alpha1
            kind: {kind}
            metadata: {{name: llama}}
            spec: {{sourceModelUri: "hf://meta-llama/Llama-3.1-8B", modelSize: 20Gi}}
            """,
            pods=(),
            models=(("/spec/sourceModelUri", "hf", "meta-llama/Llama-3.1-8B", "", False),),
        )
        for kind in ("LocalModelCache", "LocalModelNamespaceCache")
    ),
)

PLATFORMS = (
    Case(
        "a Knative Service says how far it goes in annotations",
        """
        apiVersion: serving.knative.dev/v1
        kind: Service
        metadata: {name: embed}
        spec:
          template:
            metadata:
              annotations: {autoscaling.knative.dev/min-scale: "2", autoscaling.knative.dev/max-scale: "8"}
            spec:
              containers:
              - {image: "registry.internal/embed:v1", resources: {limits: {nvidia.com/gpu: 1}}}
        """,
        pods=(("/spec/template/spec", 2, 8),),
        gpus=(2, 8),
        images=(("/spec/template/spec/containers/0/image", "registry.internal/embed:v1"),),
    ),
    Case(
        "a Knative Configuration without a limit that is written",
        """
        apiVersion: serving.knative.dev/v1
        kind: Configuration
        metadata: {name: embed}
        spec:
          template:
            metadata: {annotations: {autoscaling.knative.dev/maxScale: "0"}}
            spec: {containers: [{image: "registry.internal/embed:v1"}]}
        """,
        pods=(("/spec/template/spec", 1, 2**31 - 1),),
        images=(("/spec/template/spec/containers/0/image", "registry.internal/embed:v1"),),
    ),
    Case(
        "a Knative Revision",
        """
        apiVersion: serving.knative.dev/v1
        kind: Revision
        metadata: {name: embed-00001, annotations: {autoscaling.knative.dev/max-scale: "4"}}
        spec: {containers: [{image: "registry.internal/embed:v1"}]}
        """,
        pods=(("/spec", 1, 4),),
        images=(("/spec/containers/0/image", "registry.internal/embed:v1"),),
    ),
    Case(
        "a KubeAI Model: the profile is how many accelerators",
        """
        apiVersion: kubeai.org/v1
        kind: Model
        metadata: {name: llama-3.1-8b}
        spec:
          features: [TextGeneration]
          url: hf://neuralmagic/Meta-Llama-3.1-8B-Instruct-FP8
          engine: VLLM
          image: registry.internal/vllm-openai:v0.11.0
          args: [--max-model-len=16384, --trust-remote-code]
          env: {HF_HUB_OFFLINE: "1"}
          resourceProfile: nvidia-gpu-l4:2
          minReplicas: 1
          maxReplicas: 4
          adapters: [{name: legal, url: "s3://adapters/legal"}]
        """,
        pods=(("/spec", 1, 4),),
        gpus=(2, 8),
        images=(("/spec/image", "registry.internal/vllm-openai:v0.11.0"),),
        models=(
            ("/spec/url", "hf", "neuralmagic/Meta-Llama-3.1-8B-Instruct-FP8", "", False),
            ("/spec/adapters/0/url", "s3", "adapters/legal", "", False, "lora"),
        ),
        trusts=("/spec/args/1",),
    ),
    Case(
        "a KubeAI Model without maxReplicas is not limited",
        """
        apiVersion: kubeai.org/v1
        kind: Model
        metadata: {name: gemma}
        spec:
          url: ollama://gemma2:2b
          engine: OLlama
          resourceProfile: google-tpu-v5e-2x2:1
        """,
        pods=(("/spec", 0, 2**31 - 1),),
        gpus=(0, 4 * (2**31 - 1)),
        models=(("/spec/url", "ollama", "gemma2", "2b", False),),
    ),
    Case(
        "an AIModel of the platform",
        """
        apiVersion: ai.platform.internal/v1
        kind: AIModel
        metadata: {name: mistral-7b}
        spec:
          model: {source: "registry.internal/models/mistral-7b:v2.0", quantization: awq-int4}
          serving:
            replicas: {min: 2, max: 10}
            gpu: nvidia-a10g
            maxConcurrency: 32
        """,
        pods=(("/spec/serving", 2, 10),),
        gpus=(2, 10),
        models=(("/spec/model/source", "oci", "registry.internal/models/mistral-7b", "v2.0", False),),
    ),
)

NVIDIA = (
    Case(
        "a NIMService: the image in parts, a group of the pipeline's size",
        """
        apiVersion: apps.nvidia.com/v1alpha1
        kind: NIMService
        metadata: {name: llama-405b}
        spec:
          image: {repository: nvcr.io/nim/meta/llama-3.1-405b-instruct, tag: 1.3.3, pullSecrets: [ngc]}
          authSecret: ngc-api
          replicas: 2
          scale: {enabled: false, hpa: {minReplicas: 1, maxReplicas: 4}}
          storage: {nimCache: {name: llama-405b}}
          multiNode: {backendType: lws, parallelism: {pipeline: 2, tensor: 8}}
          resources: {limits: {nvidia.com/gpu: 8}}
          nodeSelector: {nvidia.com/gpu.product: NVIDIA-H100-80GB-HBM3}
        """,
        pods=(("/spec", 4, 8),),
        gpus=(32, 64),
        images=(("/spec/image", "nvcr.io/nim/meta/llama-3.1-405b-instruct:1.3.3"),),
        models=(("/spec/storage/nimCache/name", "", "it is in the NIMCache llama-405b", "", False),),
    ),
    Case(
        "a NIMService with claims made for it, and with size instead of the pipeline",
        """
        apiVersion: apps.nvidia.com/v1alpha1
        kind: NIMService
        metadata: {name: nim}
        spec:
          image: {repository: nvcr.io/nim/meta/llama-3.1-8b-instruct, tag: "1.3"}
          multiNode: {size: 3}
          draResources:
          - claimCreationSpec: {generateName: gpu, devices: [{name: gpu, count: 2, deviceClassName: gpu.nvidia.com}]}
        """,
        pods=(("/spec", 3, 3),),
        gpus=(6, 6),
        images=(("/spec/image", "nvcr.io/nim/meta/llama-3.1-8b-instruct:1.3"),),
    ),
    Case(
        "a NIMPipeline of NIMServices",
        """
        apiVersion: apps.nvidia.com/v1alpha1
        kind: NIMPipeline
        metadata: {name: rag}
        spec:
          services:
          - {name: llm, enabled: true, spec: {image: {repository: nvcr.io/nim/a/b, tag: "1"}, replicas: 2}}
          - {name: embed, enabled: true, spec: {image: {repository: nvcr.io/nim/c/d, tag: "2"}}}
        """,
        pods=(("/spec/services/0/spec", 2, 2), ("/spec/services/1/spec", 1, 1)),
        gpus=(3, 3),
        images=(
            ("/spec/services/0/spec/image", "nvcr.io/nim/a/b:1"),
            ("/spec/services/1/spec/image", "nvcr.io/nim/c/d:2"),
        ),
    ),
    Case(
        "a NIMCache: modelPuller is an image",
        """
        apiVersion: apps.nvidia.com/v1alpha1
        kind: NIMCache
        metadata: {name: llama}
        spec:
          source: {ngc: {modelPuller: "nvcr.io/nim/meta/llama-3.1-8b-instruct:1.3.3", authSecret: ngc-api}}
          storage: {pvc: {create: true, size: 50Gi}}
        """,
        pods=(),
        images=(("/spec/source/ngc/modelPuller", "nvcr.io/nim/meta/llama-3.1-8b-instruct:1.3.3"),),
    ),
    Case(
        "a NIMCache of the hub",
        """
        apiVersion: apps.nvidia.com/v1alpha1
        kind: NIMCache
        metadata: {name: llama}
        spec:
          source:
            hf:
              endpoint: https://huggingface.co
              namespace: meta-llama
              modelName: Llama-3.2-1B-Instruct
              revision: 0123456789abcdef0123456789abcdef01234567
              modelPuller: nvcr.io/nvidia/nemo-microservices/nds-v2-huggingface-cli:25.06
        """,
        pods=(),
        images=(("/spec/source/hf/modelPuller", "nvcr.io/nvidia/nemo-microservices/nds-v2-huggingface-cli:25.06"),),
        models=(("/spec/source/hf/modelName", "hf", "meta-llama/Llama-3.2-1B-Instruct", COMMIT, True),),
    ),
    Case(
        "a NIMBuild",
        """
        apiVersion: apps.nvidia.com/v1alpha1
        kind: NIMBuild
        metadata: {name: build}
        spec:
          nimCache: {name: llama}
          image: {repository: nvcr.io/nim/meta/llama, tag: "1"}
        """,
        pods=(),
        images=(("/spec/image", "nvcr.io/nim/meta/llama:1"),),
        models=(("/spec/nimCache/name", "", "it is in the NIMCache llama", "", False),),
    ),
    *(
        Case(
            f"a {kind}",
            f"""
            apiVersion: apps.nvidia.com/v1alpha1
            kind: {kind}
            metadata: {{name: nemo}}
            spec: {{image: {{repository: nvcr.io/nvidia/nemo, tag: "25.06"}}, replicas: 2}}
            """,
            pods=(("/spec", 2, 2),),
            images=(("/spec/image", "nvcr.io/nvidia/nemo:25.06"),),
        )
        for kind in ("NemoCustomizer", "NemoDatastore", "NemoEntitystore", "NemoEvaluator", "NemoGuardrail")
    ),
    Case(
        "a DynamoGraphDeployment of v1alpha1",
        """
        apiVersion: nvidia.com/v1alpha1
        kind: DynamoGraphDeployment
        metadata: {name: disagg}
        spec:
          backendFramework: vllm
          services:
            Frontend:
              componentType: frontend
              replicas: 1
              extraPodSpec: {mainContainer: {image: "nvcr.io/nvidia/ai-dynamo/vllm-runtime:0.8.0"}}
            Decode:
              replicas: 2
              multinode: {nodeCount: 2}
              resources: {limits: {gpu: "8"}}
              extraPodSpec:
                nodeSelector: {gpu: h100}
                mainContainer:
                  image: nvcr.io/nvidia/ai-dynamo/vllm-runtime:0.8.0
                  command: [python3, -m, dynamo.vllm]
                  args: [--model, Qwen/Qwen3-0.6B, --revision, 0123456789abcdef0123456789abcdef01234567]
        """,
        pods=(("/spec/services/Frontend/extraPodSpec", 1, 1), ("/spec/services/Decode/extraPodSpec", 4, 4)),
        gpus=(32, 32),
        images=(
            (
                "/spec/services/Frontend/extraPodSpec/mainContainer/image",
                "nvcr.io/nvidia/ai-dynamo/vllm-runtime:0.8.0",
            ),
            ("/spec/services/Decode/extraPodSpec/mainContainer/image", "nvcr.io/nvidia/ai-dynamo/vllm-runtime:0.8.0"),
        ),
        models=(("/spec/services/Decode/extraPodSpec/mainContainer/args/1", "hf", "Qwen/Qwen3-0.6B", COMMIT, True),),
    ),
    Case(
        "a DynamoGraphDeployment of v1beta1, with a group of components",
        """
        apiVersion: nvidia.com/v1beta1
        kind: DynamoGraphDeployment
        metadata: {name: agg}
        spec:
          components:
          - name: worker
            replicas: 2
            multinode: {nodeCount: 2}
            podTemplate:
              spec:
                containers:
                - {name: main, image: "nvcr.io/a/vllm:1", resources: {limits: {nvidia.com/gpu: 4}}}
          experimental:
            componentGroups: [{name: g, replicas: 3, components: [{name: worker}]}]
        """,
        pods=(("/spec/components/0/podTemplate/spec", 12, 12),),
        gpus=(48, 48),
        images=(("/spec/components/0/podTemplate/spec/containers/0/image", "nvcr.io/a/vllm:1"),),
    ),
    Case(
        "a DynamoComponentDeployment",
        """
        apiVersion: nvidia.com/v1alpha1
        kind: DynamoComponentDeployment
        metadata: {name: decode}
        spec:
          replicas: 2
          modelRef: {name: llama-3-70b-instruct-v1}
          resources: {limits: {gpu: "2", gpuType: gpu.intel.com/xe}}
          extraPodSpec:
            mainContainer: {image: "nvcr.io/a/vllm:1"}
            containers: [{name: side, image: "registry.internal/side:1"}]
        """,
        pods=(("/spec/extraPodSpec", 2, 2),),
        gpus=(4, 4),
        images=(
            ("/spec/extraPodSpec/containers/0/image", "registry.internal/side:1"),
            ("/spec/extraPodSpec/mainContainer/image", "nvcr.io/a/vllm:1"),
        ),
        models=(("/spec/modelRef/name", "hf", "llama-3-70b-instruct-v1", "", False),),
    ),
)

OTHERS = (
    Case(
        "a KAITO Workspace has no spec; its node type has the GPUs",
        """
        apiVersion: kaito.sh/v1beta1
        kind: Workspace
        metadata: {name: workspace-llama}
        resource:
          count: 2
          instanceType: Standard_NC48ads_A100_v4
          labelSelector: {matchLabels: {apps: llama}}
        inference:
          preset: {name: meta-llama/Llama-3.1-8B-Instruct, presetOptions: {modelAccessSecret: hf}}
          adapters:
          - source: {name: adapter, image: "registry.internal/adapters/legal:v1"}
        """,
        pods=(("/inference", 2, 2),),
        gpus=(4, 4),
        images=(("/inference/adapters/0/source/image", "registry.internal/adapters/legal:v1"),),
        models=(("/inference/preset/name", "hf", "meta-llama/Llama-3.1-8B-Instruct", "", False),),
    ),
    Case(
        "a KAITO Workspace that tunes",
        """
        apiVersion: kaito.sh/v1alpha1
        kind: Workspace
        metadata: {name: tune-phi}
        resource: {instanceType: Standard_Unheard_Of}
        tuning:
          preset: {name: phi-4}
          method: qlora
          input: {urls: ["https://huggingface.co/datasets/philschmid/dolly"]}
          output: {image: "registry.internal/adapters/dolly:v1", imagePushSecret: push}
        """,
        pods=(("/tuning", 1, 1),),
        gpus=(8, 8),
        images=(("/tuning/output/image", "registry.internal/adapters/dolly:v1"),),
        models=(
            ("/tuning/preset/name", "kaito", "phi-4", "", False),
            ("/tuning/input/urls/0", "hf", "philschmid/dolly", "", False, "dataset"),
        ),
    ),
    Case(
        "a KAITO Workspace with a template of its own",
        """
        apiVersion: kaito.sh/v1beta1
        kind: Workspace
        metadata: {name: own}
        resource: {labelSelector: {matchLabels: {apps: x}}}
        inference:
          template:
            metadata: {labels: {app: x}}
            spec:
              containers: [{name: c, image: "registry.internal/x:1", resources: {limits: {nvidia.com/gpu: 2}}}]
        """,
        pods=(("/inference/template/spec", 1, 1),),
        gpus=(2, 2),
        images=(("/inference/template/spec/containers/0/image", "registry.internal/x:1"),),
    ),
    Case(
        "a KAITO InferenceSet",
        """
        apiVersion: kaito.sh/v1alpha1
        kind: InferenceSet
        metadata: {name: phi}
        spec:
          replicas: 2
          nodeCountLimit: 5
          template:
            resource: {instanceType: Standard_NC24ads_A100_v4}
            inference: {preset: {name: phi-4-mini-instruct}}
        """,
        pods=(("/spec/template/inference", 2, 5),),
        gpus=(2, 5),
        models=(("/spec/template/inference/preset/name", "kaito", "phi-4-mini-instruct", "", False),),
    ),
    Case(
        "a KAITO RAGEngine",
        """
        apiVersion: kaito.sh/v1beta1
        kind: RAGEngine
        metadata: {name: rag}
        spec:
          compute: {instanceType: Standard_NC4as_T4_v3}
          embedding: {local: {modelID: BAAI/bge-small-en-v1.5}}
        """,
        pods=(("/spec/embedding/local", 1, 1),),
        gpus=(1, 1),
        models=(("/spec/embedding/local/modelID", "hf", "BAAI/bge-small-en-v1.5", "", False),),
    ),
    Case(
        "a KAITO MultiRoleInference",
        """
        apiVersion: kaito.sh/v1alpha1
        kind: MultiRoleInference
        metadata: {name: pd}
        spec:
          model: {name: Qwen/Qwen3-32B}
          roles:
          - {type: prefill, replicas: 2, instanceType: Standard_ND96isr_H100_v5}
          - {type: decode, instanceType: Standard_NC24ads_A100_v4}
        """,
        pods=(("/spec/roles/0", 2, 2), ("/spec/roles/1", 1, 1)),
        gpus=(17, 17),
        models=(("/spec/model/name", "hf", "Qwen/Qwen3-32B", "", False),),
    ),
    Case(
        "a SeldonDeployment: component specs, their autoscalers, a graph",
        """
        apiVersion: machinelearning.seldon.io/v1
        kind: SeldonDeployment
        metadata: {name: iris}
        spec:
          replicas: 2
          predictors:
          - name: default
            componentSpecs:
            - metadata: {labels: {team: a}}
              hpaSpec: {minReplicas: 1, maxReplicas: 5}
              spec:
                containers:
                - {name: classifier, resources: {limits: {nvidia.com/gpu: 1}}}
                - {name: combiner, image: "registry.internal/combiner:v1"}
            graph:
              name: combiner
              children:
              - {name: classifier, implementation: SKLEARN_SERVER, storageInitializerImage: "r.io/init:1",
                 modelUri: "gs://seldon-models/v1.18/sklearn/iris"}
            explainer: {type: AnchorTabular, modelUri: "gs://seldon-models/explainer", replicas: 1}
        """,
        pods=(("/spec/predictors/0/componentSpecs/0/spec", 2, 5), ("/spec/predictors/0/explainer", 1, 1)),
        gpus=(2, 5),
        images=(
            ("/spec/predictors/0/componentSpecs/0/spec/containers/1/image", "registry.internal/combiner:v1"),
            ("/spec/predictors/0/graph/children/0/storageInitializerImage", "r.io/init:1"),
        ),
        models=(
            ("/spec/predictors/0/graph/children/0/modelUri", "gs", "seldon-models/v1.18/sklearn/iris", "", False),
            ("/spec/predictors/0/explainer/modelUri", "gs", "seldon-models/explainer", "", False),
        ),
    ),
    Case(
        "a Seldon v2 Model",
        """
        apiVersion: mlops.seldon.io/v1alpha1
        kind: Model
        metadata: {name: iris}
        spec: {storageUri: "gs://seldon-models/mlserver/iris", requirements: [sklearn], memory: 100Ki}
        """,
        pods=(),
        models=(("/spec/storageUri", "gs", "seldon-models/mlserver/iris", "", False),),
    ),
    Case(
        "a Seldon v2 Server",
        """
        apiVersion: mlops.seldon.io/v1alpha1
        kind: Server
        metadata: {name: triton}
        spec:
          serverConfig: triton
          replicas: 2
          maxReplicas: 4
          podSpec: {containers: [{name: triton, resources: {limits: {nvidia.com/gpu: 1}}}]}
        """,
        pods=(("/spec/podSpec", 2, 4),),
        gpus=(2, 4),
    ),
    Case(
        "a Seldon v2 ServerConfig is a template",
        """
        apiVersion: mlops.seldon.io/v1alpha1
        kind: ServerConfig
        metadata: {name: mlserver}
        spec: {podSpec: {containers: [{name: mlserver, image: "docker.io/seldonio/mlserver:1.6"}]}}
        """,
        pods=(("/spec/podSpec", 0, 0),),
        images=(("/spec/podSpec/containers/0/image", "docker.io/seldonio/mlserver:1.6"),),
    ),
    *(
        Case(
            f"a {kind} of Seldon v2",
            f"""
            apiVersion: mlops.seldon.io/v1alpha1
            kind: {kind}
            metadata: {{name: s}}
            spec: {{{field}: [{{name: hodometer, podSpec: {{containers: [{{name: h, image: "r.io/h:1"}}]}}}}]}}
            """,
            pods=((f"/spec/{field}/0/podSpec", 0, 0),),
            images=((f"/spec/{field}/0/podSpec/containers/0/image", "r.io/h:1"),),
        )
        for kind, field in (("SeldonRuntime", "overrides"), ("SeldonConfig", "components"))
    ),
    Case(
        "an AIBrix ModelAdapter",
        """
        apiVersion: model.aibrix.ai/v1alpha1
        kind: ModelAdapter
        metadata: {name: qwen-code-lora}
        spec:
          baseModel: qwen-coder-1-5b-instruct
          podSelector: {matchLabels: {model.aibrix.ai/name: qwen}}
          artifactURL: huggingface://ai-blond/Qwen-Qwen2.5-Coder-1.5B-Instruct-lora
        """,
        pods=(),
        models=(("/spec/artifactURL", "hf", "ai-blond/Qwen-Qwen2.5-Coder-1.5B-Instruct-lora", "", False, "lora"),),
    ),
    Case(
        "an AIBrix StormService: services x roles x group",
        """
        apiVersion: orchestration.aibrix.ai/v1alpha1
        kind: StormService
        metadata: {name: pd}
        spec:
          replicas: 2
          template:
            spec:
              roles:
              - name: prefill
                replicas: 3
                podGroupSize: 2
                template:
                  spec: {containers: [{name: p, image: "r.io/vllm:1", resources: {limits: {nvidia.com/gpu: 4}}}]}
        """,
        pods=(("/spec/template/spec/roles/0/template/spec", 12, 12),),
        gpus=(48, 48),
        images=(("/spec/template/spec/roles/0/template/spec/containers/0/image", "r.io/vllm:1"),),
        models=(
            (
                "/spec/template/spec/roles/0/template/spec/containers/0",
                "",
                "vllm is not told which model to load",
                "",
                False,
            ),
        ),
    ),
    Case(
        "an AIBrix RoleSet",
        """
        apiVersion: orchestration.aibrix.ai/v1alpha1
        kind: RoleSet
        metadata: {name: pd}
        spec: {roles: [{name: p, replicas: 3, template: {spec: {containers: [{name: p, image: "r.io/a:1"}]}}}]}
        """,
        pods=(("/spec/roles/0/template/spec", 3, 3),),
        images=(("/spec/roles/0/template/spec/containers/0/image", "r.io/a:1"),),
    ),
    Case(
        "an AIBrix PodSet",
        """
        apiVersion: orchestration.aibrix.ai/v1alpha1
        kind: PodSet
        metadata: {name: pd}
        spec: {podGroupSize: 4, template: {spec: {containers: [{name: p, image: "r.io/a:1"}]}}}
        """,
        pods=(("/spec/template/spec", 4, 4),),
        images=(("/spec/template/spec/containers/0/image", "r.io/a:1"),),
    ),
    *(
        Case(
            f"an AIBrix {kind}",
            f"""
            apiVersion: orchestration.aibrix.ai/v1alpha1
            kind: {kind}
            metadata: {{name: fleet}}
            spec:
              replicas: 2
              template:
                spec:
                  headGroupSpec: {{template: {{spec: {{containers: [{{name: h, image: "r.io/ray:1"}}]}}}}}}
                  workerGroupSpecs:
                  - replicas: 1
                    maxReplicas: 2
                    template:
                      spec:
                        containers: [{{name: w, image: "r.io/ray:1", resources: {{limits: {{nvidia.com/gpu: 1}}}}}}]
            """,
            pods=(
                ("/spec/template/spec/headGroupSpec/template/spec", 2, 2),
                ("/spec/template/spec/workerGroupSpecs/0/template/spec", 2, 4),
            ),
            gpus=(2, 4),
            images=(
                ("/spec/template/spec/headGroupSpec/template/spec/containers/0/image", "r.io/ray:1"),
                ("/spec/template/spec/workerGroupSpecs/0/template/spec/containers/0/image", "r.io/ray:1"),
            ),
        )
        for kind in ("RayClusterFleet", "RayClusterReplicaSet")
    ),
    Case(
        "an AIBrix KVCache of the first versions",
        """
        apiVersion: orchestration.aibrix.ai/v1alpha1
        kind: KVCache
        metadata: {name: kv}
        spec:
          replicas: 2
          cacheSpec: {image: "r.io/kvcache:1"}
          metadata: {etcd: {image: "r.io/etcd:3", replicas: 1}}
        """,
        pods=(("/spec/cacheSpec", 2, 2), ("/spec/metadata/etcd", 1, 1)),
        images=(("/spec/cacheSpec/image", "r.io/kvcache:1"), ("/spec/metadata/etcd/image", "r.io/etcd:3")),
    ),
    Case(
        "an AIBrix KVCache",
        """
        apiVersion: orchestration.aibrix.ai/v1alpha1
        kind: KVCache
        metadata: {name: kv}
        spec:
          cache: {image: "r.io/infinistore:1", replicas: 3, resources: {requests: {cpu: "1"}}}
          watcher: {image: "r.io/watcher:1"}
        """,
        pods=(("/spec/cache", 3, 3), ("/spec/watcher", 1, 1)),
        images=(("/spec/cache/image", "r.io/infinistore:1"), ("/spec/watcher/image", "r.io/watcher:1")),
    ),
)

CASES = (*KSERVE, *PLATFORMS, *NVIDIA, *OTHERS)
