"""Deployments: live things with a state. Who changes them, and when, is provisioning's."""
