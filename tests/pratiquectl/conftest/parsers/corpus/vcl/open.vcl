backend a { .host = "b";
