table t { "a": b, "c": "d", "e": 50%, }
