"""What the commands that talk to the public API share: who they talk to, how, and how they speak to people."""
