acl a { 50%; "x"; }
