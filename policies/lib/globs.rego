# Whether text is like one of some patterns. Nothing here reads `input`.
package lib.globs

# `*` stands for any text.
like_one_of(text, patterns) if _is_like(text, patterns, "\n")

# `*` stands for any text within one segment of a path.
path_like_one_of(text, patterns) if _is_like(text, patterns, "/")

# What is no text is like nothing, and so is a backslash, which regopy 1.5.2 cannot be given here. Without a delimiter OPA would
# take the full stop for one.
_is_like(text, patterns, delimiter) if {
	is_string(text)
	not contains(text, `\`)
	some pattern in patterns
	glob.match(pattern, [delimiter], text)
}
