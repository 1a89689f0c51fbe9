"""The provisioning engine's own paths: its document's example, byte for byte, and what it answers."""

import json
import re
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.compat.r1 import R1Status, go_duration, status_of
from domain.provisioning.run_states import RunState
from services.all import Services
from tests.factories.modules import Published, publish_module
from tests.factories.organizations import Caller
from tests.factories.people import LONGEST

EXAMPLE = """{
  "tenant_id": "550e8400-e29b-41d4-a716-446655440000",
  "tenant_slug": "acme-cybersecurity-inc-a1b2c3d4",
  "company_info": {
    "company_name": "ACME Cybersecurity Inc.",
    "industry_vertical": "financial_services",
    "company_size": "enterprise",
    "headquarters_country": "US",
    "contact_email": "john.smith@acmecyber.com",
    "contact_name": "John Smith"
  },
  "poc_config": {
    "poc_tier": "enterprise",
    "poc_duration_days": 30,
    "expires_at": "2024-02-15T10:30:00Z",
    "enabled_features": [
      "threat_detection",
      "vulnerability_management",
      "email_security"
    ],
    "resource_allocation": {
      "cpu_cores": 16,
      "memory_gb": 64,
      "storage_gb": 1000,
      "max_users": 100
    }
  },
  "security_config": {
    "security_clearance": "unclassified",
    "data_residency_region": "us",
    "compliance_frameworks": ["soc2", "iso27001"],
    "network_isolation_level": "high",
    "encryption_required": true
  },
  "integration_config": {
    "main_platform_integration": true,
    "allowed_data_connectors": ["splunk", "qradar"],
    "crm_integration_enabled": true
  },
  "monitoring_config": {
    "enabled": true,
    "detailed_monitoring": true,
    "alerting_enabled": true,
    "retention_days": 90
  },
  "priority": "standard"
}"""
"""As it stands in the document; only the organization's id is each installation's own."""
A_MODULE = {
    "main.tf": """
variable "tenant_slug" {
  type = string
}
variable "cpu_cores" {
  type = number
}
variable "poc_config" {
  type = object({ resource_allocation = object({ max_users = number }) })
}
resource "terraform_data" "cluster" {
  input = var.tenant_slug
}
output "gke_cluster" {
  value = "poc-cluster-${terraform_data.cluster.output}"
}
output "cores" {
  value = var.cpu_cores
}
output "users" {
  value = var.poc_config.resource_allocation.max_users
}
output "api_endpoint" {
  value = "https://api.${var.tenant_slug}.example"
}
output "password" {
  value     = "hunter2-canary"
  sensitive = true
}
"""
}


def example(caller: Caller, **changes: object) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(
        EXAMPLE.replace("550e8400-e29b-41d4-a716-446655440000", str(caller.organization.id))
    )
    return body | changes


@pytest.fixture
async def tier(services: Services, client: httpx2.AsyncClient, caller: Caller) -> Published:
    module = await publish_module(services, caller, A_MODULE)
    body = {"name": "enterprise", "module": module.as_json(), "inputs": {"cpu_cores": 8}}
    answer = await client.post("/api/v1/provisioning/tiers", json=body, headers=caller.headers)
    assert answer.status_code == 201, answer.text
    return module


@pytest.mark.servers
@pytest.mark.usefixtures("tier")
class TestProvision:
    async def test_the_example_is_accepted_with_all_fields_of_the_answer(
        self, client: httpx2.AsyncClient, caller: Caller
    ) -> None:
        content = EXAMPLE.replace("550e8400-e29b-41d4-a716-446655440000", str(caller.organization.id))
        headers = caller.headers | {"Content-Type": "application/json"}
        answer = await client.post("/api/v1/provisioning/provision", content=content, headers=headers)
        job_id = answer.json()["job_id"]
        assert (answer.status_code, answer.json()) == (
            202,
            {
                "success": True,
                "message": "Provisioning job queued successfully",
                "job_id": job_id,
                "status": "queued",
                "estimated_duration": "30m0s",
                "progress_tracking_url": f"/api/v1/provisioning/status/{job_id}",
            },
        )

    @pytest.mark.usefixtures("worker")
    async def test_the_job_completes_with_resources_and_endpoints(
        self, client: httpx2.AsyncClient, caller: Caller
    ) -> None:
        path = "/api/v1/provisioning/provision"
        submitted = (await client.post(path, json=example(caller), headers=caller.headers)).json()
        followed = f"/api/v1/runs/{submitted['job_id']}/logs"
        await client.get(followed, headers=caller.headers, timeout=LONGEST)  # until its end
        answer = await client.get(submitted["progress_tracking_url"], headers=caller.headers)
        job = answer.json()
        assert (job["success"], job["status"], job["state"]) == (True, "completed", "applied"), job
        assert job["message"] == "Infrastructure provisioning completed successfully"
        assert job["service_endpoints"] == {"api_endpoint": "https://api.acme-cybersecurity-inc-a1b2c3d4.example"}
        # The tier's size counts, and what the request says of the rest.
        assert job["provisioned_resources"] == {
            "gke_cluster": "poc-cluster-acme-cybersecurity-inc-a1b2c3d4",
            "cores": 8,
            "users": 100,
        }
        assert (job["progress_percent"], job["completed_steps"], job["total_steps"]) == (100, 3, 3)
        assert "hunter2-canary" not in answer.text

    async def test_a_request_sent_twice_with_one_key_is_one_job(
        self, client: httpx2.AsyncClient, caller: Caller
    ) -> None:
        headers = caller.headers | {"Idempotency-Key": "signup-1"}
        answers = [
            await client.post("/api/v1/provisioning/provision", json=example(caller), headers=headers)
            for _ in range(2)
        ]
        assert answers[0].json() == answers[1].json()

    async def test_a_deployment_that_the_tier_did_not_make_is_refused(
        self, client: httpx2.AsyncClient, caller: Caller, tier: Published
    ) -> None:
        body = {"deployment": "one", "module": tier.as_json()}
        made = await client.post("/api/v1/runs", json=body, headers=caller.headers)
        assert made.status_code == 202, made.text
        wanted = example(caller, tenant_slug="one")
        answer = await client.post("/api/v1/provisioning/provision", json=wanted, headers=caller.headers)
        assert (answer.status_code, answer.json()["code"]) == (409, "provisioning.deployment_of_another")

    async def test_what_is_made_of_a_version_that_is_yanked_is_what_there_is_already(
        self, client: httpx2.AsyncClient, caller: Caller, tier: Published
    ) -> None:
        path = "/api/v1/provisioning/provision"
        assert (await client.post(path, json=example(caller), headers=caller.headers)).status_code == 202
        yank = f"/api/v1/modules/{tier.source}/{tier.version}/yank"
        await client.put(yank, json={"reason": "Broken."}, headers=caller.headers)
        wanted = example(caller, tenant_slug="another")
        refused = await client.post(path, json=wanted, headers=caller.headers)
        assert (refused.status_code, refused.json()["code"]) == (409, "provisioning.module_yanked")
        assert (await client.post(path, json=example(caller), headers=caller.headers)).status_code == 202
        small = {"name": "small", "module": tier.as_json()}
        defined = await client.post("/api/v1/provisioning/tiers", json=small, headers=caller.headers)
        assert defined.json()["code"] == "provisioning.module_yanked"

    async def test_who_may_only_submit_provisions_what_is_new_and_nothing_that_is_there(
        self, client: httpx2.AsyncClient, caller: Caller
    ) -> None:
        key = {"name": "signup", "kind": "svc", "scopes": ["run:submit", "tier:read"]}
        made = (await client.post("/api/v1/api-keys", json=key, headers=caller.headers)).json()
        path, theirs = "/api/v1/provisioning/provision", {"Authorization": f"Bearer {made['key']}"}
        first = await client.post(path, json=example(caller), headers=theirs | {"Idempotency-Key": "one"})
        assert first.status_code == 202, first.text
        repeated = await client.post(path, json=example(caller), headers=theirs | {"Idempotency-Key": "one"})
        assert (repeated.status_code, repeated.json()) == (202, first.json())
        again = await client.post(path, json=example(caller), headers=theirs)
        assert (again.status_code, again.json()["facts"]) == (403, {"permission": "run:approve"})
        approver = await client.post(path, json=example(caller), headers=caller.headers)
        assert approver.status_code == 202

    async def test_an_unknown_field_at_the_top_is_refused(
        self, client: httpx2.AsyncClient, caller: Caller
    ) -> None:
        body = example(caller, auto_cleanup=True)
        answer = await client.post("/api/v1/provisioning/provision", json=body, headers=caller.headers)
        assert answer.status_code == 422
        assert [error["at"] for error in answer.json()["errors"]] == ["body/auto_cleanup"]

    async def test_another_tenant_is_not_found(
        self, client: httpx2.AsyncClient, caller: Caller, stranger: Caller
    ) -> None:
        body = example(caller, tenant_id=str(stranger.organization.id))
        answer = await client.post("/api/v1/provisioning/provision", json=body, headers=caller.headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "tenants.organization_not_found")

    async def test_a_tier_that_is_not_defined_is_not_found(
        self, client: httpx2.AsyncClient, caller: Caller
    ) -> None:
        body = example(caller, poc_config={"poc_tier": "gigantic"})
        answer = await client.post("/api/v1/provisioning/provision", json=body, headers=caller.headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "provisioning.tier_not_found")

    @pytest.mark.parametrize(
        ("changes", "at"),
        [
            ({"tenant_slug": "Not A Slug"}, "body/tenant_slug"),
            ({"tenant_id": 7}, "body/tenant_id"),
            ({"priority": "whenever"}, "body/priority"),
            ({"company_info": {"contact_name": "a\0b"}}, "body/company_info/contact_name"),
            ({"poc_config": {"poc_tier": "enterprise", "more": "\ud800"}}, "body/poc_config/more"),
            ({"poc_config": {}}, "body/poc_config/poc_tier"),
        ],
        ids=lambda value: str(value)[:20],
    )
    async def test_says_what_is_wrong(
        self, client: httpx2.AsyncClient, caller: Caller, changes: dict[str, object], at: str
    ) -> None:
        content = json.dumps(example(caller, **changes))
        headers = caller.headers | {"Content-Type": "application/json"}
        answer = await client.post("/api/v1/provisioning/provision", content=content, headers=headers)
        assert answer.status_code == 422
        assert [error["at"] for error in answer.json()["errors"]] == [at]

    async def test_numbers_that_json_does_not_have_and_bottomless_nesting_are_refused(
        self, client: httpx2.AsyncClient, caller: Caller
    ) -> None:
        deep = "[" * 900 + "]" * 900
        for value in ("NaN", "Infinity", deep):
            content = json.dumps(example(caller, company_info={"x": "here"})).replace('"here"', value)
            headers = caller.headers | {"Content-Type": "application/json"}
            answer = await client.post("/api/v1/provisioning/provision", content=content, headers=headers)
            assert answer.status_code == 422, value[:9]


@pytest.mark.servers
class TestTiers:
    async def test_are_listed_and_their_names_are_taken_once(
        self, client: httpx2.AsyncClient, caller: Caller, tier: Published
    ) -> None:
        listed = await client.get("/api/v1/provisioning/tiers", headers=caller.headers)
        [only] = listed.json()["items"]
        assert (only["name"], only["module_source"], only["inputs"]) == (
            "enterprise",
            tier.source,
            {"cpu_cores": 8},
        )
        body = {"name": "enterprise", "module": tier.as_json()}
        again = await client.post("/api/v1/provisioning/tiers", json=body, headers=caller.headers)
        assert (again.status_code, again.json()["code"]) == (409, "provisioning.tier_exists")

    async def test_need_an_engine_that_a_worker_has(
        self, client: httpx2.AsyncClient, caller: Caller, tier: Published
    ) -> None:
        body = {"name": "small", "engine": "pulumi", "module": tier.as_json()}
        answer = await client.post("/api/v1/provisioning/tiers", json=body, headers=caller.headers)
        assert (answer.status_code, answer.json()["code"]) == (422, "provisioning.not_offered")

    async def test_need_a_published_module(self, client: httpx2.AsyncClient, caller: Caller) -> None:
        body = {"name": "small", "module": {"source": "no/such/module", "version": "1.0.0"}}
        answer = await client.post("/api/v1/provisioning/tiers", json=body, headers=caller.headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "provisioning.module_unknown")


class TestGoDuration:
    @pytest.mark.parametrize(
        ("seconds", "written"), [(0, "0s"), (59, "59s"), (60, "1m0s"), (1800, "30m0s"), (3600, "1h0m0s")]
    )
    def test_writes_as_go_does(self, seconds: int, written: str) -> None:
        assert go_duration(timedelta(seconds=seconds)) == written

    @given(st.integers(0, 10**6))
    def test_means_what_it_was(self, seconds: int) -> None:
        units = {"h": 3600, "m": 60, "s": 1}
        parts = re.findall(r"(\d+)([hms])", go_duration(timedelta(seconds=seconds)))
        assert sum(int(number) * units[unit] for number, unit in parts) == seconds


class TestStatusOf:
    def test_names_each_state_as_the_design_says(self) -> None:
        assert {state: status_of(state) for state in RunState} == {
            RunState.ACCEPTED: R1Status.PENDING,
            RunState.QUEUED: R1Status.QUEUED,
            RunState.AWAITING_APPROVAL: R1Status.QUEUED,
            RunState.PLANNING: R1Status.PROVISIONING,
            RunState.APPLYING: R1Status.PROVISIONING,
            RunState.RECOVERING: R1Status.PROVISIONING,
            RunState.APPLIED: R1Status.COMPLETED,
            RunState.PLANNED: R1Status.COMPLETED,
            RunState.FAILED: R1Status.FAILED,
            RunState.CANCELED: R1Status.FAILED,
            RunState.REJECTED: R1Status.FAILED,
            RunState.TIMED_OUT: R1Status.FAILED,
            RunState.NEEDS_ATTENTION: R1Status.FAILED,
        }
