a = 1
b {
  c = "x"
}
d = <<E
x
y
E
