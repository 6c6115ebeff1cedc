package lib.containers_test

import data.lib.containers

test_each_role_has_its_word if {
	containers.described({"role": "main", "name": "server"}) == "container \"server\""
	containers.described({"role": "init", "name": "fetch"}) == "init container \"fetch\""
	containers.described({"role": "init", "name": "proxy", "restartPolicy": "Always"}) == "sidecar \"proxy\""
	containers.described({"role": "ephemeral", "name": "debug"}) == "ephemeral container \"debug\""
}

test_a_name_can_be_missing_or_no_text if {
	containers.described({"role": "main"}) == "container without a name"
	containers.described({"role": "main", "name": ""}) == "container without a name"
	containers.described({"role": "main", "name": 7}) == "container 7"
}

test_an_image_is_named_by_who_runs_it if {
	subject := {"pods": [{"containers": [
		{"role": "main", "name": "server", "image": {"path": "/a"}},
		{"role": "main", "name": "router", "image": {"path": "/b"}},
	]}]}
	containers.users_of({"path": "/b"}, subject) == "container \"router\""
	containers.users_of({"path": "/volume"}, subject) == "image volume"
}

test_a_container_without_an_image if {
	containers.unnamed({"image": {"reference": "", "error": ""}})
	not containers.unnamed({"image": {"reference": "", "error": "the image is missing"}})
	every container in [{}, {"image": null}, {"image": {}}, {"image": {"reference": "a", "error": ""}}] {
		not containers.unnamed(container)
	}
}

test_why_an_image_cannot_be_read if {
	containers.unreadable({"reference": "", "error": "the image is missing"}) == "the image is missing"
	containers.unreadable({"error": "the image is missing"}) == "the image is missing"
	containers.unreadable({"reference": "A", "error": "no"}) == "the image \"A\" cannot be read: no"
}
