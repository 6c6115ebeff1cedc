package policies.serving.safe_formats_test

import data.policies.serving.safe_formats

_violations(models, servers) := found if {
	found := safe_formats.violations with input as {
		"subject": {"models": models, "servers": servers},
		"parameters": {"endings": ["bin", "pt"], "load_formats": ["pt"], "safe_frameworks": ["llama.cpp"]},
	}
}

_named(uri) := _violations([{"path": "/m", "uri": uri, "name": "n", "role": "model", "framework": ""}], [])

test_pickles if {
	_named("s3://models/a.pt") == {{
		"message": concat("", [
			"the model \"s3://models/a.pt\" is a .pt file, which can hold a pickle; ",
			"required is safetensors or another format that runs no code",
		]),
		"path": "/m",
	}}
	every uri in ["a.PT", "/m/a.bin", "s3://m/a.pt?versionId=1", "gs://m/a.pt#123", "https://h/a.pt/", "acme/a.bin@v1", "hf://a/b.pt:v1", "s3://a/\\x.pt"] {
		count(_named(uri)) == 1
	}
}

test_other_files if {
	every uri in ["", "acme/llm", "a.safetensors", "a.gguf", "/a.pt/model.onnx", "apt", "a.pt.safetensors", null, 7, []] {
		_named(uri) == set()
	}
}

test_the_name_counts_too if {
	count(_violations([{"path": "/m", "uri": "/models/a", "name": "claim/a.pt"}], [])) == 1
	_violations([{"path": "/m", "uri": "a.pt", "role": "dataset"}], []) == set()
	_violations([{"path": "/m", "uri": "a.bin", "framework": "llama.cpp"}], []) == set()
}

test_load_formats if {
	every format in ["pt", "PT", "auto,pt"] {
		{violation.path | some violation in _violations([], [{"path": "/s", "load_format": format}])} == {"/s"}
	}
	every format in ["", "safetensors", null, 7] {
		_violations([], [{"path": "/s", "load_format": format}]) == set()
	}
}
