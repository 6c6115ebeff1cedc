backend a { .probe = { .url = "x"; } .probe = { .url = "y"; } }
