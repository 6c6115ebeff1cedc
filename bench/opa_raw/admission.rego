# The seven checks that the benchmark binds, as somebody writes them who runs plain OPA as a webhook: over the whole
# AdmissionReview in `input`, with the answer built by Rego (openpolicyagent.org/docs/kubernetes-primer). The verdicts are
# the same as those of bench/config/bindings.yaml on every review of the benchmark; the load generator checks each.
package admission

main := {
	"apiVersion": "admission.k8s.io/v1",
	"kind": "AdmissionReview",
	"response": response,
}

response := {"uid": input.request.uid, "allowed": true} if count(deny) == 0

response := {
	"uid": input.request.uid,
	"allowed": false,
	"status": {"code": 403, "message": concat("\n", sort(deny))},
} if {
	count(deny) > 0
}

max_gpus := 4

registries := {"registry.internal"}

required_labels := {"cost-center": "^(cc-)?[0-9]{4,8}$", "team": "^[a-z][a-z0-9-]*[a-z0-9]$"}

gpu_resources := {"nvidia.com/gpu", "amd.com/gpu"}

# 1. GPUs
deny contains message if {
	gpus > max_gpus
	message := sprintf("this %s can use %v GPUs; at most %d are allowed", [input.request.kind.kind, gpus, max_gpus])
}

# 2. limits
deny contains message if {
	some container in containers
	some resource in ["cpu", "memory"]
	not container.resources.limits[resource]
	message := sprintf("container %s has no %s limit", [container.name, resource])
}

# 3. privileged
deny contains message if {
	some container in containers
	container.securityContext.privileged
	message := sprintf("container %s is privileged", [container.name])
}

# 4. digests
deny contains message if {
	some container in containers
	not regex.match("@sha256:[0-9a-f]{64}$", container.image)
	message := sprintf("container %s: the image %s has no digest", [container.name, container.image])
}

# 5. registries
deny contains message if {
	some container in containers
	not from_approved_registry(container.image)
	message := sprintf("container %s: the image %s is not from an approved registry", [container.name, container.image])
}

# 6. cost labels
deny contains message if {
	some name, pattern in required_labels
	not regex.match(pattern, object.get(object.get(object_.metadata, "labels", {}), name, ""))
	message := sprintf("the label %s is missing or malformed", [name])
}

# 7. probes
deny contains message if {
	pod_spec.restartPolicy == "Always"
	some container in pod_spec.containers
	container.ports
	some probe in ["livenessProbe", "readinessProbe"]
	not container[probe]
	message := sprintf("container %s has no %s", [container.name, probe])
}

object_ := input.request.object

pod_spec := object_.spec if object_.kind == "Pod"

pod_spec := object_.spec.template.spec if {
	object_.kind in {"DaemonSet", "Deployment", "Job", "ReplicaSet", "ReplicationController", "StatefulSet"}
}

pod_spec := object_.spec.jobTemplate.spec.template.spec if object_.kind == "CronJob"

containers contains container if {
	some field in ["containers", "initContainers", "ephemeralContainers"]
	some container in pod_spec[field]
}

gpus := replicas * max([running_gpus, init_gpus])

running_gpus := sum([gpus_of(container) | some container in pod_spec.containers])

init_gpus := max(array.concat([0], [gpus_of(container) | some container in pod_spec.initContainers]))

gpus_of(container) := sum([to_number(amount) |
	some resource in gpu_resources
	amount := container.resources.limits[resource]
])

replicas := object.get(object_.spec, "replicas", object.get(object_.spec, "parallelism", 1))

from_approved_registry(image) if {
	some registry in registries
	startswith(image, concat("", [registry, "/"]))
}
