"""Reading what a module's code declares, without running any of it."""
