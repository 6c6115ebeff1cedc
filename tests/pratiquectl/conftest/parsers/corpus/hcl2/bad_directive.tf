a = "%{ what }"
