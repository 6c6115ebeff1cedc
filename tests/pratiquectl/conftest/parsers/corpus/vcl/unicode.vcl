backend a { .host = "größe"; }
