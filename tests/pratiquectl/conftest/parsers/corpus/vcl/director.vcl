director d client { .quorum = 50%; { .backend = a; .weight = 1; } { .backend = b; } }
