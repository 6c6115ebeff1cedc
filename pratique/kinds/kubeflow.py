"""Kubeflow: training, notebooks.

* kubeflow/training-operator pkg/apis/kubeflow.org/v1: replica specs, a map of roles with `replicas` (1 where it is
  not given) and a pod template; an elastic PyTorchJob grows to `elasticPolicy.maxReplicas` workers.
  kubeflow/mpi-operator pkg/apis/kubeflow/v2beta1: the same form.
* kubeflow/trainer pkg/apis/trainer/v1alpha1/trainjob_types.go, trainingruntime_types.go (0015772c, 022656ac): a
  TrainJob says what differs from a (Cluster)TrainingRuntime, whose pods it runs: `trainer` has image, command,
  `numNodes` and `resourcesPerNode`; patches of the runtime's pods are in `podSpecOverrides`, `podTemplateOverrides`
  or `runtimePatches`.
* kubeflow/kubeflow components/notebook-controller/api/v1: one pod.
"""

from __future__ import annotations

from pratique.kinds.models import ModelField, model_fields
from pratique.kinds.table import Kind, Place, PodTemplate, fixed, scaled
from pratique.subject import Replicas


def _replica_specs(kind: str, field: str) -> Kind:
    role = f"/spec/{field}/*"

    def replicas(place: Place) -> Replicas:
        count = place.count(f"{role}/replicas", default=1)
        most = place.count("/spec/elasticPolicy/maxReplicas", default=0) if place.stars == ("Worker",) else 0
        return Replicas(count, max(count, most))

    return Kind("kubeflow.org", kind, (PodTemplate(f"{role}/template/spec", f"{role}/template/metadata", replicas),))


_OVERRIDES = (
    ("/spec/podSpecOverrides/*", "/spec/podSpecOverrides/*"),
    ("/spec/podTemplateOverrides/*/spec", "/spec/podTemplateOverrides/*/metadata"),
    (
        "/spec/runtimePatches/*/trainingRuntimeSpec/template/spec/replicatedJobs/*/template/spec/template/spec",
        "/spec/runtimePatches/*/trainingRuntimeSpec/template/spec/replicatedJobs/*/template/spec/template/metadata",
    ),
)


def _runtime(kind: str) -> Kind:
    job = "/spec/template/spec/replicatedJobs/*/template/spec/template"
    return Kind("trainer.kubeflow.org", kind, (PodTemplate(f"{job}/spec", f"{job}/metadata", fixed(0)),))


_NOTEBOOK = ("/spec/template/spec", "/spec/template/metadata")

KINDS = (
    _replica_specs("PyTorchJob", "pytorchReplicaSpecs"),
    _replica_specs("TFJob", "tfReplicaSpecs"),
    _replica_specs("XGBoostJob", "xgbReplicaSpecs"),
    _replica_specs("JAXJob", "jaxReplicaSpecs"),
    _replica_specs("PaddleJob", "paddleReplicaSpecs"),
    _replica_specs("MXJob", "mxReplicaSpecs"),
    _replica_specs("MPIJob", "mpiReplicaSpecs"),
    Kind(
        "trainer.kubeflow.org",
        "TrainJob",
        (
            PodTemplate(
                "/spec/trainer",
                "/metadata",
                scaled("/spec/trainer/numNodes"),
                empty="keep",
                partial=True,
                inline=("",),
            ),
            *(PodTemplate(spec, metadata, fixed(0), empty="skip", partial=True) for spec, metadata in _OVERRIDES),
        ),
        serving=model_fields(
            ModelField("/spec/initializer/model/storageUri"),
            ModelField("/spec/modelConfig/input/storageUri"),
            ModelField("/spec/initializer/dataset/storageUri", role="dataset"),
            ModelField("/spec/datasetConfig/storageUri", role="dataset"),
        ),
    ),
    _runtime("TrainingRuntime"),
    _runtime("ClusterTrainingRuntime"),
    Kind("kubeflow.org", "Notebook", (PodTemplate(*_NOTEBOOK, fixed(1), required=True),)),
)
