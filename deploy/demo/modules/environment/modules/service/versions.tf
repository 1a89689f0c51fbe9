terraform {
  required_providers {
    time = {
      source = "registry.groundwork.test/demo/time"
    }
  }
}
