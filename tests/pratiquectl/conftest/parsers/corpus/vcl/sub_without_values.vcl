sub a { return (lookup); }
sub b { call c; "x"; 5; }
