"""The kinds of Kubernetes itself that end in pods (k8s.io/api: core/v1, apps/v1, batch/v1).

A DaemonSet counts as one pod: how many nodes it meets is not in the object. A PodTemplate runs nothing of its own. A
CronJob counts one run; runs that overlap are each a Job and are judged as that.
"""

from __future__ import annotations

from pratique.kinds.table import Kind, PodTemplate, fixed, parallel, scaled

_SCALE = "/spec/replicas"
_TEMPLATE = ("/spec/template/spec", "/spec/template/metadata")

KINDS = (
    Kind("", "Pod", (PodTemplate("/spec", "/metadata", fixed(1), required=True),)),
    Kind("", "PodTemplate", (PodTemplate("/template/spec", "/template/metadata", fixed(0), required=True),)),
    Kind("", "ReplicationController", (PodTemplate(*_TEMPLATE, scaled(_SCALE), required=True),), scale=_SCALE),
    Kind("apps", "Deployment", (PodTemplate(*_TEMPLATE, scaled(_SCALE), required=True),), scale=_SCALE),
    Kind("apps", "ReplicaSet", (PodTemplate(*_TEMPLATE, scaled(_SCALE), required=True),), scale=_SCALE),
    Kind("apps", "StatefulSet", (PodTemplate(*_TEMPLATE, scaled(_SCALE), required=True),), scale=_SCALE),
    Kind("apps", "DaemonSet", (PodTemplate(*_TEMPLATE, fixed(1), required=True),)),
    Kind("batch", "Job", (PodTemplate(*_TEMPLATE, parallel("/spec"), required=True),)),
    Kind(
        "batch",
        "CronJob",
        (
            PodTemplate(
                "/spec/jobTemplate/spec/template/spec",
                "/spec/jobTemplate/spec/template/metadata",
                parallel("/spec/jobTemplate/spec"),
                required=True,
            ),
        ),
    ),
)
