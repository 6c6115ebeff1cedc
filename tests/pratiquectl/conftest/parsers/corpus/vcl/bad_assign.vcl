backend a { .host = if (x) { } ; }
