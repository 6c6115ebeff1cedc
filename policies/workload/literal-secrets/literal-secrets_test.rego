package policies.workload.literal_secrets_test

import data.lib.pods_test as pods
import data.policies.workload.literal_secrets

# Nobody's key: it is put together here.
_random := concat("", ["9aB3kQ7zXw2LmN8r", "Tv5YcH1dJf4GpS6u"])

_violations(fields) := found if {
	found := literal_secrets.violations with input as {
		"subject": pods.document({}, [pods.container(fields)]).subject,
		"parameters": {"harmless_variables": ["SAMPLE_KEY"]},
	}
}

_in_variable(name, value) := _violations({"env": [{"name": name, "value": value}]})

_finding(secret, name) := {{
	"message": concat("", [
		"container \"server\" has ",
		secret,
		" in the variable \"",
		name,
		"\"; required is valueFrom.secretKeyRef",
	]),
	"path": "/spec/containers/0/env/0/value",
}}

test_each_known_form if {
	every kind, value in {
		"a GitHub token": concat("", ["ghp_", _random, "1234"]),
		"a GitLab token": concat("", ["glpat-", substring(_random, 0, 20)]),
		"a Google API key": concat("", ["AIza", _random, "abc"]),
		"a Hugging Face token": concat("", ["hf_", _random]),
		"a JSON Web Token": concat("", ["eyJ", _random, ".eyJ", _random, ".", _random]),
		"a Slack token": concat("", ["xoxb-", _random]),
		"a key of a model API (sk-...)": concat("", ["sk-ant-api03-", _random]),
		"a password in an address": "redis://:hunter2@cache:6379/0",
		"a private key": concat("", ["-----BEGIN PRIVATE", " KEY-----\nMII\n"]),
		"an AWS access key": concat("", ["AKIA", "J4KX7Q2MNP5RTW8Z"]),
		"an NVIDIA API key": concat("", ["nvapi-", _random, _random]),
	} {
		_in_variable("X", value) == _finding(kind, "X")
		_in_variable("X", concat("", ["--key=", value])) == _finding(kind, "X")
	}
}

test_what_was_found_is_never_shown if {
	every value in [concat("", ["hf_", _random]), _random] {
		some violation in _in_variable("HF_TOKEN", value)
		not contains(violation.message, substring(value, 0, 8))
	}
	some violation in _violations({"env": {"HF_TOKEN": _random}})
	not contains(violation.message, "9aB3")
}

test_the_name_of_a_password if {
	every name in ["PASSWORD", "DB_PASSWORD", "db.password", "REDIS_PASSWD", "SSH_PASSPHRASE"] {
		_in_variable(name, "hunter2") == _finding("a password", name)
	}
	every value in ["", "true", "false", "null", "$(DB_PASSWORD)", "/run/secrets/db"] {
		_in_variable("DB_PASSWORD", value) == set()
	}
	every name in ["PASSWORD_FILE_MODE", "PASSWORDLESS", "PWD", "NOPASSWORDS"] {
		_in_variable(name, "hunter2") == set()
	}
}

test_random_text_by_the_name_of_a_key if {
	every name in ["WANDB_API_KEY", "KEY", "hub-token", "OAUTH_SECRET", "APIKEY", "REGISTRY_AUTH"] {
		_in_variable(name, _random) == _finding("what looks like a random key", name)
	}
	every name in ["TOKENIZER", "KEYS", "MONKEY", "MODEL", "TOKEN_LIMIT", "SAMPLE_KEY"] {
		_in_variable(name, _random) == set()
	}
}

test_text_that_is_not_random if {
	every value in [
		"",
		"EMPTY",
		"dummy-key-for-tests",
		"mistral-7b-instruct-v0-3-awq-2024",
		"s3://models/customer-experience/mistral/2024/11/21",
		"aaaaaaaaaaaaaaaaaaaa111",
		"00000000000000000000000a0b0c",
		"CustomerExperienceProductionEnvironment",
	] {
		_in_variable("CACHE_KEY", value) == set()
	}
}

test_forms_that_only_begin_alike if {
	every value in [
		"sk-learn",
		"hf_transfer",
		"task-0123456789abcdefghij",
		"ghp_",
		"AKIA",
		"https://user@example.com/path:a@b",
		"postgresql://model:$(DB_PASSWORD)@db/features",
		"-----BEGIN CERTIFICATE-----",
	] {
		_in_variable("X", value) == set()
	}
}

test_words_of_command_and_args if {
	every field in ["args", "command"] {
		_violations({field: ["serve", concat("", ["--api-key=sk-", _random])]}) == {{
			"message": concat("", [
				"container \"server\" has a key of a model API (sk-...) in ",
				field,
				"; required is $(VARIABLE) from a Secret",
			]),
			"path": concat("/", ["/spec/containers/0", field, "1"]),
		}}
		_violations({field: ["--api-key", "$(API_KEY)", "--model", "mistral"]}) == set()
	}
}

test_variables_from_elsewhere if {
	every element in [
		{"name": "HF_TOKEN"},
		{"name": "HF_TOKEN", "value": null},
		{"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}},
		{},
	] {
		_violations({"env": [element]}) == set()
	}
	every fields in [{}, {"env": null, "args": null}, {"env": [], "command": []}] {
		_violations(fields) == set()
	}
}

test_values_of_the_wrong_type_are_searched if {
	_in_variable("DB_PASSWORD", 12345678) == _finding("a password", "DB_PASSWORD")
	_in_variable("X", ["hf_", concat("", ["hf_", _random])]) == _finding("a Hugging Face token", "X")
	pods.paths(_violations({"args": [{"key": concat("", ["hf_", _random])}]})) == {"/spec/containers/0/args/0"}
	pods.paths(_violations({"env": [{"value": concat("", ["hf_", _random])}]})) == {"/spec/containers/0/env/0/value"}
	pods.paths(_violations({"env": [{"name": 7, "value": concat("", ["hf_", _random])}]})) == {"/spec/containers/0/env/0/value"}
}

test_what_cannot_be_searched_is_refused if {
	_violations({"env": {"A": "b"}}) == {{
		"message": "container \"server\" sets env to something else than a list",
		"path": "/spec/containers/0/env",
	}}
	_violations({"env": ["A=b"]}) == {{
		"message": "container \"server\" sets env[0] to something else than an object",
		"path": "/spec/containers/0/env/0",
	}}
	pods.paths(_violations({"args": "serve"})) == {"/spec/containers/0/args"}
}
