package lib.references_test

import data.lib.references

_reference(scheme, name) := {"scheme": scheme, "name": name}

test_each_role_has_its_word if {
	references.described({"uri": "acme/llm", "role": "model"}) == "the model \"acme/llm\""
	references.described({"uri": "acme/llm"}) == "the model \"acme/llm\""
	references.described({"uri": "a", "role": "tokenizer"}) == "the tokenizer \"a\""
	references.described({"uri": "a", "role": "lora"}) == "the LoRA adapter \"a\""
	references.described({"uri": "a", "role": "draft"}) == "the draft model \"a\""
	references.described({"uri": "a", "role": "dataset"}) == "the dataset \"a\""
	references.unseen({"role": "dataset", "unresolved": "why"}) == "the dataset cannot be seen here (why)"
}

test_an_address_is_shown_where_it_says_more if {
	references.located({"uri": "s3://a/b", "scheme": "s3", "name": "a/b"}) == "the model \"s3://a/b\""
	references.located({"uri": "/a", "scheme": "pvc", "name": "c/a", "role": "dataset"}) == "the dataset \"/a\" (pvc://c/a)"
	references.located({}) == "the model \"\" (://)"
}

test_secrets_are_left_out if {
	references.public("https://ada:hunter2@data.internal/a?X-Amz-Signature=1") == "https://data.internal/a"
	references.public("abfss://claims@lake.dfs.core.windows.net/v1") == "abfss://claims@lake.dfs.core.windows.net/v1"
	references.address(_reference("https", "ada:hunter2@data.internal/a")) == "https://data.internal/a"
	references.public(`s3://a\b`) == "a text with a backslash"
	references.public(7) == 7
}

test_where_a_reference_leads if {
	references.address(_reference("hf", "acme/llm")) == "hf://acme/llm"
	references.address(_reference("file", "/models/a")) == "file://models/a"
}

test_sources_that_a_reference_leads_to if {
	every pair in [
		["hf", "acme/llm", "hf://acme"],
		["hf", "acme/llm", "hf://acme/llm"],
		["hf", "acme/llm", "hf:"],
		["s3", "models/llama/v1", "s3://models/"],
		["s3", "models", "s3://models"],
		["models", "fraud", "models:/"],
		["models", "fraud", "models:/fraud"],
		["pvc", "claim/a", "pvc://claim"],
		["file", "/models/a", "file:"],
		["file", "/models/a", "file:///models"],
		["oci", "registry.internal:5000/models/a", "OCI://Registry.Internal:5000/models"],
		["https", "Models.Internal/a", "https://models.internal"],
	] {
		references.leads_to_one_of(_reference(pair[0], pair[1]), ["x://y", pair[2]])
	}
}

test_sources_that_a_reference_does_not_lead_to if {
	every pair in [
		["hf", "acme-evil/llm", "hf://acme"],
		["hf", "Acme/llm", "hf://acme"],
		["s3", "models-public/a", "s3://models"],
		["s3", "Models/a", "s3://models"],
		["gs", "models/a", "s3://models"],
		["s3", "models", "s3://models/approved"],
		["s3", "models/../other", "s3://models"],
		["https", "models.internal/a/%2E%2e/b", "https://models.internal/a"],
		["https", "models.internal@evil.example/a", "https://models.internal"],
		["https", "models.internal.evil.example/a", "https://models.internal"],
		["oci", "registry.internal/models-other/a", "oci://registry.internal/models"],
		["s3", `models\x`, "s3:"],
		["s3", 7, "s3:"],
		[7, "a", "s3:"],
		["https", "", "https://models.internal"],
	] {
		not references.leads_to_one_of(_reference(pair[0], pair[1]), [pair[2]])
	}
	not references.leads_to_one_of({}, ["s3:"])
	not references.leads_to_one_of(_reference("s3", "a"), [])
}
