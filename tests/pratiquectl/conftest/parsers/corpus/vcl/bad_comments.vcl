# only
// comments
