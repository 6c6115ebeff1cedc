sub a { b = "c" + "d"; }
