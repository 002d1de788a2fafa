"""Generated requests to the template's own endpoints."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.architecture.test_fuzz import cases, service
from tests.support.fuzz import FuzzedService, fuzz_settings

__all__ = ["service"]


@pytest.mark.parametrize(("endpoint", "mode"), list(cases(of_template=True)))
@fuzz_settings(settings().max_examples // 25)
@given(data=st.data())
def test_response_to_generated_request_is_described_in_openapi(
    endpoint: str, mode: str, data: st.DataObject, service: FuzzedService
) -> None:
    service.check(endpoint, mode, data)
