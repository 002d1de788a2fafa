"""Fixtures: an identity provider."""

from collections.abc import AsyncGenerator

import pytest

from tests.conformance.support.identity_provider import Provider, serving


@pytest.fixture
async def provider() -> AsyncGenerator[Provider]:
    async with serving() as provider:
        yield provider
