table t {
 "a": "b",
 "c": "d"
}
