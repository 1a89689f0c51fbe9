locals {
  name = coalesce(var.name, var.tenant_slug)
}

resource "time_static" "created" {}

module "service" {
  source   = "./modules/service"
  for_each = var.services

  environment    = local.name
  name           = each.key
  port           = each.value
  create_seconds = var.create_seconds

  depends_on = [time_static.created]
}
