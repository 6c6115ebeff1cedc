# METADATA
# title: Serving containers have health checks
# description: >-
#   Without a readiness probe, requests reach a server that is still loading its model; without a liveness probe, one that
#   hangs stays in service until somebody notices. Judged are the main containers with ports in pods that run for good: not
#   pods that run to completion (a batch kind, or a Pod whose restartPolicy is Never or OnFailure), and not sidecars.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/
# custom:
#   id: WORKLOAD-003
#   severity: medium
#   subjects: [workload]
#   needs: []
#   reads: {pod: [restartPolicy], container: [ports, restartPolicy]}
#   parameters:
#     probes:
#       description: The probes that every serving container must have.
#       type: array
#       items: {enum: [livenessProbe, readinessProbe, startupProbe]}
#       minItems: 1
#       uniqueItems: true
#       default: [livenessProbe, readinessProbe]
#     batch_kinds:
#       description: Kinds whose pods run to completion, whatever their restartPolicy.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: [CronJob, Job, JobSet, MPIJob, PyTorchJob, RayJob, TFJob, TrainJob]
#   remediation: >-
#     Add a readinessProbe and a livenessProbe to the container. Model servers have a path for it (vLLM, TGI: GET /health);
#     add a startupProbe with a high failureThreshold if loading the model takes minutes.
#   controls: {}
package policies.workload.health_checks

import data.lib.containers
import data.lib.partial

violations contains {"message": message, "path": path} if {
	not _kind in input.parameters.batch_kinds
	some pod in input.subject.pods
	not _runs_to_completion(pod)
	some container in pod.containers
	_serves(container)
	some probe in input.parameters.probes
	not _has_handler(container, probe)
	not partial.left_open(pod, container, [probe])
	message := concat(" ", [
		containers.described(container),
		"has ports and",
		_probe_found(object.get(container, probe, null)),
		concat("", [probe, ";"]),
		"required is one with exec, grpc, httpGet or tcpSocket",
	])
	path := concat("/", [container.path, probe])
}

_serves(container) if {
	object.get(container, "role", "main") == "main"
	not object.get(container, "ports", null) in {null, []}
}

_kind := object.get(input.subject, "kind", "")

# Only a bare Pod may say so; in a Deployment, StatefulSet or DaemonSet, Kubernetes allows nothing but Always.
_runs_to_completion(pod) if {
	_kind == "Pod"
	object.get(pod, "restartPolicy", "Always") in {"Never", "OnFailure"}
}

_has_handler(container, probe) if {
	some handler in ["exec", "grpc", "httpGet", "tcpSocket"]
	is_object(container[probe][handler])
}

_probe_found(value) := "no" if is_null(value)

_probe_found(value) := "an empty" if not is_null(value)
