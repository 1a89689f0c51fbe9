variable "environment" {
  description = "Name of the environment that the service is part of."
  type        = string
}

variable "name" {
  description = "Name of the service."
  type        = string
}

variable "port" {
  description = "Port that it listens on."
  type        = number
}

variable "create_seconds" {
  description = "How long it takes to come up, in seconds."
  type        = number
}

resource "terraform_data" "configuration" {
  input = { name = var.name, port = var.port }
}

# Stands in for what a cloud takes its time to make.
resource "time_sleep" "coming_up" {
  create_duration = "${var.create_seconds}s"
  triggers        = { configuration = terraform_data.configuration.id }
}

output "endpoint" {
  description = "Address of the service, once it is up."
  value       = "https://${var.name}.${var.environment}.groundwork.test:${var.port}"
  depends_on  = [time_sleep.coming_up]
}
