package lib.globs_test

import data.lib.globs

test_any_text if {
	globs.like_one_of("nightly-2026.11/a", ["main", "nightly-*"])
	not globs.like_one_of("main2", ["main"])
	not globs.like_one_of("main", [])
}

test_segments_of_a_path if {
	globs.path_like_one_of("registry.internal/serving/vllm", ["registry.internal/serving/*"])
	not globs.path_like_one_of("registry.internal/serving/a/b", ["registry.internal/serving/*"])
}

test_what_is_no_text_is_like_nothing if {
	every value in [null, 1, true, ["main"], {}, "a\\b"] {
		not globs.like_one_of(value, ["*"])
		not globs.path_like_one_of(value, ["*"])
	}
}
