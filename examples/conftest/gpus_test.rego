package main

import rego.v1

deployment(image) := {"spec": {"template": {"spec": {"containers": [{"name": "server", "image": image}]}}}}

test_latest if count(deny) == 1 with input as deployment("registry.internal/llm:latest")

test_version if count(deny) == 0 with input as deployment("registry.internal/llm:v2")

test_no_accelerator if "container server: no accelerator is asked for" in warn with input as deployment("x")
