# A policy for conftest, as a team may have it: `pratique test --policy examples/conftest examples/llm-server.yaml`
package main

import rego.v1

containers contains container if some container in input.spec.template.spec.containers

deny contains msg if {
	some container in containers
	endswith(container.image, ":latest")
	msg := sprintf("container %s: %s says nothing of the version", [container.name, container.image])
}

warn contains msg if {
	some container in containers
	not container.resources.limits["nvidia.com/gpu"]
	msg := sprintf("container %s: no accelerator is asked for", [container.name])
}
