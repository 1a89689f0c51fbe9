"""What goes wrong before a route is reached."""

import re
from collections.abc import AsyncIterator

import httpx2
import pytest
import structlog
from fastapi.routing import APIRoute

from api.app import ROUTERS
from api.operations.metrics import REQUESTS, write_counts
from services.provisioning.tiers import Tiers
from tests.factories.organizations import Caller

pytestmark = pytest.mark.servers


class TestProblems:
    async def test_an_unknown_path_is_a_problem_with_a_request_id(self, client: httpx2.AsyncClient) -> None:
        answer = await client.get("/api/v1/nothing", headers={"X-Request-ID": "mine-1"})
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["x-request-id"] == "mine-1"
        assert (answer.json()["code"], answer.json()["request_id"]) == ("request.no_such_path", "mine-1")

    async def test_a_request_id_that_is_no_short_word_is_replaced(self, client: httpx2.AsyncClient) -> None:
        answer = await client.get("/api/v1/nothing", headers={"X-Request-ID": "x" * 101})
        assert answer.headers["x-request-id"] != "x" * 101

    async def test_a_method_that_a_path_has_not_is_answered_with_those_it_has(
        self, client: httpx2.AsyncClient
    ) -> None:
        answer = await client.put("/api/v1/api-keys")
        assert (answer.status_code, answer.json()["code"]) == (405, "request.method_not_allowed")
        assert answer.headers["allow"] == "GET, POST"
        pages = await client.put("/docs")
        assert (pages.status_code, sorted(pages.headers["allow"].split(", "))) == (405, ["GET", "HEAD"])

    async def test_a_slash_too_many_is_no_way_to_another_address(self, client: httpx2.AsyncClient) -> None:
        routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
        for path in {re.sub(r"\{\w+\}", "x", route.path) for route in routes}:
            answer = await client.get(f"{path}/", headers={"Host": "elsewhere.example"})
            assert (answer.status_code, "location" in answer.headers) == (404, False), path

    @pytest.mark.parametrize("query", ["limit=0", "offset=-1", "q=%00"])
    async def test_the_tools_are_told_which_field_is_wrong(
        self, client: httpx2.AsyncClient, caller: Caller, query: str
    ) -> None:
        answer = await client.get(f"/v1/modules/search?q=x&{query}", headers=caller.headers)
        assert answer.status_code == 422
        [said] = answer.json()["errors"]
        assert said.startswith(f"query/{query.partition('=')[0]}: ")

    @pytest.mark.parametrize("declared", [True, False])
    async def test_a_body_over_a_megabyte_is_refused_by_length_and_by_count(
        self, client: httpx2.AsyncClient, caller: Caller, *, declared: bool
    ) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(20):
                yield b" " * (1 << 16)

        content = b" " * (20 << 16) if declared else pieces()
        headers = caller.headers | {"Content-Type": "application/json"}
        answer = await client.post("/api/v1/api-keys", content=content, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (413, "request.body_too_large")

    @pytest.mark.parametrize(
        "content",
        [
            b"{",
            b"[" * 100_000,
            b"\xff",
            b'{"name": NaN}',
            b'{"name": "\\ud800"}',
            *('{"name": "x"}'.encode(other) for other in ("utf-16", "utf-16-be", "utf-32", "utf-8-sig")),
        ],
    )
    async def test_a_body_that_is_no_json_is_invalid(
        self, client: httpx2.AsyncClient, caller: Caller, content: bytes
    ) -> None:
        headers = caller.headers | {"Content-Type": "application/json"}
        answer = await client.post("/api/v1/api-keys", content=content, headers=headers)
        assert answer.status_code in {400, 422}
        assert answer.headers["content-type"] == "application/problem+json"

    @pytest.mark.parametrize(
        ("method", "path", "field", "value", "sentence"),
        [
            ("POST", "/api/v1/runs", "deployment", "One!", "is written with a-z, 0-9 and - between them"),
            ("POST", "/api/v1/runs", "environment", "1", "a letter first"),
            ("POST", "/api/v1/runs", "module", {"source": "a/b", "version": "1"}, "namespace/name/system"),
            ("POST", "/api/v1/provisioning/tiers", "name", "-", "is written with a-z, 0-9, and - and _"),
            ("GET", "/api/v1/runs", "tag", "team", "is written key=value"),
        ],
    )
    async def test_a_word_that_is_written_otherwise_is_answered_with_a_sentence(
        self,
        client: httpx2.AsyncClient,
        caller: Caller,
        method: str,
        path: str,
        field: str,
        value: object,
        sentence: str,
    ) -> None:
        if method == "GET":
            answer = await client.get(path, headers=caller.headers, params={field: str(value)})
        else:
            answer = await client.post(path, headers=caller.headers, json={field: value})
        assert answer.status_code == 422
        said = [error["detail"] for error in answer.json()["errors"] if f"/{field}" in error["at"]]
        assert len(said) == 1
        assert sentence in said[0]


class TestWhatNobodyForesaw:
    @pytest.fixture(autouse=True)
    def a_bug(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def fail(*_: object, **__: object) -> None:
            raise RuntimeError("nobody's business")

        monkeypatch.setattr(Tiers, "page", fail)

    async def test_is_a_problem_with_a_request_id_and_in_the_log(
        self, client: httpx2.AsyncClient, caller: Caller
    ) -> None:
        headers = caller.headers | {"X-Request-ID": "mine-1"}
        with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
            answer = await client.get("/api/v1/provisioning/tiers", headers=headers)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["x-request-id"] == "mine-1"
        told = answer.json()
        assert (told["status"], told["code"], told["request_id"]) == (500, "platform.internal", "mine-1")
        assert "business" not in answer.text
        [line] = [line for line in lines if line["event"] == "request_failed"]
        assert (line["request_id"], line["exc_info"]) == ("mine-1", True)
        assert [line["status"] for line in lines if line["event"] == "request"] == [500]

    async def test_is_counted_by_its_route(self, client: httpx2.AsyncClient, caller: Caller) -> None:
        route = {"method": "GET", "route": "/api/v1/provisioning/tiers", "status": "500"}
        write_counts()
        before = REQUESTS.get_sample_value("groundwork_http_requests_total", route) or 0
        await client.get("/api/v1/provisioning/tiers", headers=caller.headers)
        write_counts()
        assert REQUESTS.get_sample_value("groundwork_http_requests_total", route) == before + 1
