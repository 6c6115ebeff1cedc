"""Groups of pods: LeaderWorkerSet, JobSet.

* kubernetes-sigs/lws api/leaderworkerset/v1/leaderworkerset_types.go: `replicas` groups (1) of `size` pods
  (1), one of them the leader. Without a `leaderTemplate` the leader is made from the worker's.
* kubernetes-sigs/jobset api/jobset/v1alpha2/jobset_types.go: each replicated job is `replicas` (1) Jobs.
"""

from __future__ import annotations

from pratique.kinds.table import Kind, Place, PodTemplate, parallel, scaled, times
from pratique.subject import Replicas

_GROUP = "/spec/leaderWorkerTemplate"
_LEADER, _WORKER = f"{_GROUP}/leaderTemplate", f"{_GROUP}/workerTemplate"


def _workers(place: Place) -> Replicas:
    size = place.count(f"{_GROUP}/size", default=1)
    if place.value(_LEADER) is not None:
        size = max(size - 1, 0)
    return Replicas(size, size)


_JOB = "/spec/replicatedJobs/*"

KINDS = (
    Kind(
        "leaderworkerset.x-k8s.io",
        "LeaderWorkerSet",
        (
            PodTemplate(f"{_LEADER}/spec", f"{_LEADER}/metadata", scaled("/spec/replicas"), anchor=_LEADER),
            PodTemplate(
                f"{_WORKER}/spec", f"{_WORKER}/metadata", times(scaled("/spec/replicas"), _workers), required=True
            ),
        ),
        scale="/spec/replicas",
    ),
    Kind(
        "jobset.x-k8s.io",
        "JobSet",
        (
            PodTemplate(
                f"{_JOB}/template/spec/template/spec",
                f"{_JOB}/template/spec/template/metadata",
                times(scaled(f"{_JOB}/replicas"), parallel(f"{_JOB}/template/spec")),
            ),
        ),
    ),
)
