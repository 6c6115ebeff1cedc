sub a { return lookup; }
sub b { return (a; "x"; }
