output "created_at" {
  description = "When the environment was made."
  value       = time_static.created.rfc3339
}

output "service_endpoints" {
  description = "Address of each service, by name."
  value       = { for name, service in module.service : name => service.endpoint }
}

output "admin_login" {
  description = "User and password of the environment's administrator."
  value       = var.admin_password == null ? null : "admin:${var.admin_password}"
  sensitive   = true
}
