terraform {
  required_version = ">= 1.5"

  required_providers {
    time = {
      source  = "registry.groundwork.test/demo/time"
      version = "~> 0.14"
    }
  }
}
