a = <<EOT
line ${var.x}
  "quoted" \n $${esc} %{ if x }y%{ endif }
EOT
b = <<-EOT
    indented
      more

    ${var.y} z
    EOT
c = <<EOT
EOT
d = [<<A
x
A
  , "b"]
e = <<-EOT
  a
 b
EOT
f = {
  g = <<X
$ not % yet
X
}
h = <<-EOT
    %{ for x in l ~}
    ${x}
    %{ endfor ~}
    EOT
