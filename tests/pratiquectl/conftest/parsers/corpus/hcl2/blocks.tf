a {}
a { x = 1 }
b "l" {}
b "l" { y = 1 }
b "m" "n" {}
c l m {}
d {
  e {
    f {}
  }
}
g = 1
