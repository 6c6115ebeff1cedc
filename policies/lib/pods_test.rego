# What the tests of several policies make pods of.
package lib.pods_test

# A main container; `fields` come on top.
container(fields) := object.union({"path": "/spec/containers/0", "role": "main", "name": "server"}, fields)

# The same with a securityContext.
secured(context) := container({"securityContext": context})

# The document of one pod with these fields and containers.
document(fields, containers) := {
	"subject": {"pods": [object.union(fields, {"path": "/spec", "containers": containers})]},
	"parameters": {},
}

# The document of a pod whose only container is silent; `fields` are the pod's own.
of_pod(fields) := document(fields, [container({})])

paths(found) := {item.path | some item in found}
