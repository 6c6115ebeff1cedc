# comment
terraform {
  required_version = ">= 1.5"
  required_providers { aws = { source = "hashicorp/aws", version = "~> 5.0" } }
}
variable "region" {
  type    = string
  default = "eu-central-1"
  validation {
    condition     = length(var.region) > 3 && can(regex("^eu", var.region))
    error_message = "Must be \"eu\"."
  }
}
locals { a = 1 }
locals {
  b = [for s in var.list : upper(s) if s != ""]
  c = { for k, v in var.map : k => v... }
  d = var.x ? "yes" : "no"
  e = "${var.a}-${var.b}"
  f = "${var.a}"
  g = !var.enabled
  h = -1
  i = -var.x
  j = null
  k = true
  l = 1.5e3
  m = (1 + 2) * 3
  n = aws_instance.web[0].id
  o = aws_instance.web.*.id
  p = aws_instance.web[*].tags["Name"]
  q = file("${path.module}/x")
  r = merge({ a = 1 }, var.b...)
  s = provider::aws::arn("x")
}
resource "aws_instance" "web" {
  count = 2
  ami   = data.aws_ami.x.id
  tags  = { Name = "web", "quoted key" = 1, (var.k) = 2, a.b = 3, 1 = 4, true = 5, "${var.z}" = 6 }
  ebs_block_device { size = 10 }
  ebs_block_device {
    size = 20 // trailing
  }
  dynamic "setting" {
    for_each = var.settings
    content { name = setting.value }
  }
  lifecycle { ignore_changes = [tags, ami] }
}
resource "aws_instance" "db" {}
resource aws_s3 unquoted {}
module "x" { source = "./x" }
