director d { { # inner
 .backend = a; /* x */ } }
