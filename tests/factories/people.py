"""People who use the API of runs, and the modules they run."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx2

from tests.factories.organizations import Caller

LONGEST = 60
A_MODULE = {
    "main.tf": """
variable "name" {
  type = string
}
variable "password" {
  type      = string
  sensitive = true
}
resource "terraform_data" "thing" {
  input = var.name
}
output "greeting" {
  value = "hello ${terraform_data.thing.output}"
}
output "service_endpoints" {
  value = { web = "https://${var.name}.example" }
}
output "secret" {
  value     = "for ${var.password}"
  sensitive = true
}
"""
}
A_LONG_MODULE = {
    "main.tf": """
resource "terraform_data" "first" {
  input = "made at once"
}
resource "terraform_data" "long" {
  depends_on = [terraform_data.first]
  provisioner "local-exec" {
    command = "echo it takes its time; sleep 600"
  }
}
"""
}


class People:
    """Somebody who uses the API, and waits for what they want to see."""

    def __init__(self, client: httpx2.AsyncClient, caller: Caller) -> None:
        self.client = client
        self.caller = caller

    async def get(self, path: str) -> Any:  # noqa: ANN401  JSON
        answer = await self.client.get(path, headers=self.caller.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: Mapping[str, object] | None = None) -> Any:  # noqa: ANN401  JSON
        answer = await self.client.post(path, json=body, headers=self.caller.headers)
        assert answer.status_code < 300, answer.text
        return answer.json()

    async def run(self, run_id: str, *states: str) -> Any:  # noqa: ANN401  JSON
        """Return the run once it is in one of the states."""
        async with asyncio.timeout(LONGEST):
            while (run := await self.get(f"/api/v1/runs/{run_id}"))["state"] not in states:
                assert run["finished_at"] is None, run
                await asyncio.sleep(0.05)
            return run

    async def log(self, run_id: str) -> str:
        answer = await self.client.get(f"/api/v1/runs/{run_id}/logs.txt", headers=self.caller.headers)
        return answer.text

    async def log_with(self, run_id: str, words: str) -> str:
        """Return the log once it has some words."""
        async with asyncio.timeout(LONGEST):
            while words not in (text := await self.log(run_id)):  # noqa: ASYNC110  another process writes it
                await asyncio.sleep(0.05)
            return text
