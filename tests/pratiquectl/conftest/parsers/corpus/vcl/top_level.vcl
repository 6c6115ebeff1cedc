a = "b";
c = 5;
d = true;
e = name;
