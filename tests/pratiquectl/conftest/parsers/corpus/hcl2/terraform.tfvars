region = "eu"
zones = ["a", "b"]
tags = {
  "Name" = "x"
}
count = 3
