package policies.serving.approved_frameworks_test

import data.policies.serving.approved_frameworks

_server(fields) := object.union({"path": "/spec", "framework": "vllm", "runtime": "", "trust_remote_code": ""}, fields)

_violations(server, runtimes) := found if {
	found := approved_frameworks.violations with input as {
		"subject": {"servers": [server]},
		"parameters": {"frameworks": ["vllm", "tgi"], "runtimes": runtimes},
	}
}

test_approved_frameworks if {
	every name in ["vllm", "vLLM", "tgi"] {
		_violations(_server({"framework": name}), []) == set()
	}
}

test_other_frameworks if {
	_violations(_server({"framework": "ollama"}), []) == {{
		"message": "the model server is \"ollama\"; approved are tgi, vllm",
		"path": "/spec",
	}}
	every name in ["", "vllm2", null, 7, ["vllm"]] {
		count(_violations(_server({"framework": name}), [])) == 1
	}
	count(_violations({"path": "/spec"}, [])) == 1
}

test_a_program_that_trusts_code_is_no_server if {
	_violations(_server({"framework": "", "trust_remote_code": "/spec/x"}), []) == set()
	count(_violations(_server({"framework": "", "trust_remote_code": "/spec/x", "runtime": "r"}), [])) == 1
}

test_runtimes if {
	_violations(_server({"runtime": "mine"}), []) == set()
	_violations(_server({"runtime": "ours"}), ["ours"]) == set()
	_violations(_server({}), ["ours"]) == set()
	_violations(_server({"runtime": "mine"}), ["ours"]) == {{
		"message": "the model server names the runtime \"mine\"; approved are ours",
		"path": "/spec",
	}}
}
