"""The application as a whole: what runs beside its requests."""

import structlog
from asgi_lifespan import LifespanManager

from api.app import create_app
from services.all import Services


class TestBackground:
    async def test_that_fails_is_logged_at_once_and_the_requests_go_on(self, services: Services) -> None:
        async def fails() -> None:
            raise RuntimeError("nobody foresaw this")

        with structlog.testing.capture_logs() as lines:
            async with LifespanManager(create_app(services, background=(fails,))):
                assert [line["event"] for line in lines] == ["background_work_failed"]
