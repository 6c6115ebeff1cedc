"""Other batch systems, and objects that wrap whole objects.

* volcano-sh/apis pkg/apis/batch/v1alpha1/job.go: tasks with `replicas` (1) and a template. A JobTemplate and
  the jobs of a JobFlow are templates; a CronJob (batch.volcano.sh) starts Jobs.
* project-codeflare/appwrapper api/v1beta2/appwrapper_types.go (019a3d39): each component is a whole object; in v1beta1
  (mcad) so are `resources.GenericItems[].generictemplate`, `replicas` times.
* kedacore/keda apis/keda/v1alpha1/scaledjob_types.go: up to `maxReplicaCount` (100) Jobs at one time.
* argoproj/argo-rollouts pkg/apis/rollouts/v1alpha1/types.go: a Deployment with another strategy.
"""

from __future__ import annotations

from pratique.kinds.table import Embedded, Kind, Place, PodTemplate, fixed, parallel, ranged, scaled, times
from pratique.subject import Replicas

_KEDA_DEFAULT_JOBS = 100


def _jobs(place: Place) -> Replicas:
    return Replicas(
        place.count("/spec/minReplicaCount", default=0),
        max(
            place.count("/spec/minReplicaCount", default=0),
            place.count("/spec/maxReplicaCount", default=_KEDA_DEFAULT_JOBS),
        ),
    )


def _tasks(root: str, *, template_only: bool = False) -> tuple[PodTemplate, ...]:
    task = f"{root}/tasks/*"
    replicas = fixed(0) if template_only else scaled(f"{task}/replicas")
    return (PodTemplate(f"{task}/template/spec", f"{task}/template/metadata", replicas),)


KINDS = (
    Kind("batch.volcano.sh", "Job", _tasks("/spec")),
    Kind("batch.volcano.sh", "CronJob", _tasks("/spec/jobTemplate/spec")),
    Kind("flow.volcano.sh", "JobTemplate", _tasks("/spec", template_only=True)),
    Kind(
        "workload.codeflare.dev",
        "AppWrapper",
        embedded=(
            Embedded("/spec/components/*/template"),
            Embedded(
                "/spec/resources/GenericItems/*/generictemplate",
                copies=scaled("/spec/resources/GenericItems/*/replicas"),
            ),
        ),
    ),
    Kind(
        "keda.sh",
        "ScaledJob",
        (
            PodTemplate(
                "/spec/jobTargetRef/template/spec",
                "/spec/jobTargetRef/template/metadata",
                times(_jobs, parallel("/spec/jobTargetRef")),
                required=True,
            ),
        ),
    ),
    Kind(
        "argoproj.io",
        "Rollout",
        (
            PodTemplate(
                "/spec/template/spec",
                "/spec/template/metadata",
                ranged(("/spec/replicas",), "/spec/replicas"),
            ),
        ),
        scale="/spec/replicas",
    ),
)
