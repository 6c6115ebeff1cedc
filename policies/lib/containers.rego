# How messages name a container, and who uses an image. Nothing here reads `input`.
package lib.containers

import data.lib.values

# `container "server"`, `init container "fetch"`, `sidecar "proxy"` or `ephemeral container "debug"`.
described(container) := concat(" ", [_role(container), _named(object.get(container, "name", ""))])

# The same of the containers that run `image` (an element of `subject.images`), or `image volume`.
users_of(image, subject) := concat(", ", sort(_users(image, subject))) if count(_users(image, subject)) > 0

users_of(image, subject) := "image volume" if count(_users(image, subject)) == 0

# Whether the container names no image.
unnamed(container) if {
	image := object.get(container, "image", null)
	is_object(image)
	object.get(image, "reference", null) == ""
	object.get(image, "error", null) == ""
}

# What is wrong with an image reference that does not parse.
unreadable(image) := image.error if object.get(image, "reference", "") == ""

unreadable(image) := concat("", ["the image ", values.shown(image.reference), " cannot be read: ", image.error]) if {
	object.get(image, "reference", "") != ""
}

_users(image, subject) := {described(container) |
	some pod in subject.pods
	some container in pod.containers
	container.image.path == image.path
}

_named(name) := values.shown(name) if not name in {"", null}

_named(name) := "without a name" if name in {"", null}

_role(container) := "container" if not object.get(container, "role", "main") in {"ephemeral", "init"}

_role(container) := "ephemeral container" if object.get(container, "role", "main") == "ephemeral"

_role(container) := "sidecar" if {
	object.get(container, "role", "main") == "init"
	object.get(container, "restartPolicy", "") == "Always"
}

_role(container) := "init container" if {
	object.get(container, "role", "main") == "init"
	object.get(container, "restartPolicy", "") != "Always"
}
