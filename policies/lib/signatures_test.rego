package lib.signatures_test

import data.lib.signatures

_facts := {
	"signed": {"status": "known", "value": {"signers": ["b", "a"], "refused": []}},
	"absent": {"status": "absent", "reason": "nothing hangs on it"},
	"refused": {"status": "known", "value": {"signers": [], "refused": [{"reason": "unknown-key", "message": "no key of ours"}]}},
	"broken": {"status": "known", "value": {"signers": "a", "refused": {"message": 1}}},
	"odd": 7,
}

test_signers if signatures.signers_of(_facts, "signed") == {"a", "b"}

test_nobody_signed_what_is_not_known if {
	every reference in ["absent", "refused", "broken", "odd", "missing"] {
		signatures.signers_of(_facts, reference) == set()
	}
}

test_words if {
	signatures.unsigned(_facts, "signed") == " is signed by a and b"
	signatures.unsigned(_facts, "absent") == " is not signed (nothing hangs on it)"
	signatures.unsigned(_facts, "refused") == " has no signature that counts (no key of ours)"
}

test_words_for_what_is_broken if {
	every reference in ["broken", "odd", "missing"] {
		signatures.unsigned(_facts, reference) == " is not signed"
	}
}

test_facts_of_the_wrong_type if signatures.unsigned([], "signed") == " is not signed"
