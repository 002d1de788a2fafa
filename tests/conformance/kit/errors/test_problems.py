"""Every error response is a problem document without internal details."""

import pytest
from fastapi import FastAPI, HTTPException
from httpx2 import AsyncClient

from app.main import create_app
from tests.conformance.conftest import ReadLog
from tests.support.app import client_of
from tests.support.database import settings_for

SECRET = "s3cret"


@pytest.fixture
async def faulty(own_app: FastAPI) -> AsyncClient:
    """A client of the service with an endpoint that has a bug."""

    @own_app.get("/kit/bug")
    async def bug() -> None:
        raise RuntimeError(SECRET)

    @own_app.post("/kit/number/{number}")
    async def number(number: int) -> int:
        return number

    @own_app.get("/kit/bad-request")
    async def bad_request() -> None:
        raise HTTPException(400, "The coupon has expired.")

    @own_app.post("/kit/body")
    async def body(numbers: list[int]) -> list[int]:
        return numbers

    return client_of(own_app)


async def test_unknown_path_is_a_problem_document(client: AsyncClient) -> None:
    response = await client.get("/nowhere")
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == 404


async def test_validation_error_names_field_without_its_value(faulty: AsyncClient) -> None:
    response = await faulty.post(f"/kit/number/{SECRET}")
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == ["path.number"]
    assert SECRET not in response.text


async def test_body_with_invalid_encoding_is_a_validation_error(faulty: AsyncClient) -> None:
    response = await faulty.post(
        "/kit/body", content=b'["\xe9"]', headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 422
    (problem,) = response.json()["errors"]
    assert problem["field"] == "body"
    assert problem["message"].startswith("is not valid JSON: invalid unicode")


@pytest.mark.parametrize("body", [b"[" * 10_000, b"[" * 2000 + b"]" * 2000])
async def test_too_deeply_nested_body_is_a_validation_error(
    faulty: AsyncClient, body: bytes
) -> None:
    response = await faulty.post(
        "/kit/body", content=body, headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 422
    (problem,) = response.json()["errors"]
    assert problem["field"] == "body"
    assert "recursion limit" in problem["message"]


async def test_http_exception_detail_is_returned(faulty: AsyncClient) -> None:
    response = await faulty.get("/kit/bad-request")
    assert (response.status_code, response.json()["detail"]) == (400, "The coupon has expired.")


async def test_405_keeps_the_allow_header(
    faulty: AsyncClient,
) -> None:
    response = await faulty.put("/kit/number/1")
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"


async def test_unhandled_exception_is_a_500_with_request_id(
    faulty: AsyncClient, read_log: ReadLog
) -> None:
    response = await faulty.get("/kit/bug")
    assert response.status_code == 500
    assert SECRET not in response.text
    request_id = response.json()["request_id"]
    assert response.headers["X-Request-ID"] == request_id
    (trace,) = [line for line in read_log() if "exception" in line]
    assert trace["request_id"] == request_id
    assert "RuntimeError" in trace["exception"]


async def test_openapi_documents_errors(client: AsyncClient) -> None:
    schema = (await client.get("/openapi.json")).json()
    for path in schema["paths"].values():
        for operation in path.values():
            errors = {code: each for code, each in operation["responses"].items() if code >= "400"}
            assert "503" in errors
            for response in errors.values():
                assert response["content"].keys() == {"application/problem+json"}


async def test_documentation_pages_can_be_disabled(app: FastAPI) -> None:
    settings = settings_for(app.state.database.engine.url).model_copy(update={"docs": False})
    async with client_of(create_app(settings)) as client:
        for path in ("/docs", "/redoc", "/openapi.json"):
            assert (await client.get(path)).status_code == 404
