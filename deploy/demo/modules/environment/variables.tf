variable "name" {
  description = "Name of the environment; endpoints begin with it. By default tenant_slug."
  type        = string
  default     = null

  validation {
    condition     = var.name == null || can(regex("^[a-z][a-z0-9-]{0,61}[a-z0-9]$", var.name))
    error_message = "A name has 2 to 63 of a-z, 0-9 and -, begins with a letter and does not end with -."
  }
}

variable "tenant_slug" {
  description = "Name that the provisioning API gives to what it makes for a customer."
  type        = string
  default     = "environment"
}

variable "services" {
  description = "Services of the environment, by name, with the port of each."
  type        = map(number)
  default     = { web = 8080 }
}

variable "create_seconds" {
  description = "How long each service takes to come up, in seconds."
  type        = number
  default     = 1
}

variable "admin_password" {
  description = "Password of the environment's administrator; null for an environment without one."
  type        = string
  default     = null
  sensitive   = true
}
