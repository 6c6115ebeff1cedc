/* a
 b */
backend a { /* c */ .host = "d"; }
