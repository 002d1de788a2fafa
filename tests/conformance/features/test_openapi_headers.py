"""The OpenAPI schema describes all headers, and does not depend on the Python version."""

import asyncio
from collections.abc import AsyncGenerator
from threading import get_ident
from time import sleep
from typing import Annotated, Any

import pytest
from fastapi import Cookie, FastAPI, Header, Query
from fastapi.sse import EventSourceResponse
from pydantic import BaseModel

from app.kit.errors.problems import problem_responses
from app.kit.http import application
from app.kit.http.application import Application
from app.kit.http.etag import ETag
from app.kit.http.openapi.document import document_headers
from tests.support.app import client_of


class Item(BaseModel):
    name: str


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    app: FastAPI = Application(title="Test")

    @app.get("/items/{item_id}", tags=["x"])
    async def read_item(item_id: int, etag: ETag) -> Item:
        raise NotImplementedError(item_id, etag)

    @app.patch("/items/{item_id}", tags=["x"], responses=problem_responses(412))
    async def update_item(item_id: int, item: Item, etag: ETag) -> Item:
        raise NotImplementedError(item_id, item, etag)

    @app.delete("/items/{item_id}", tags=["x"], status_code=204)
    async def delete_item(item_id: int, etag: ETag) -> None:
        raise NotImplementedError(item_id, etag)

    @app.post("/items", tags=["x"], responses={413: {"model": Item}, 416: {"model": Item}})
    async def create_item(
        item: Item,
        x_number: Annotated[int | None, Header(description="A number")] = None,
        x_either: Annotated[int | str | None, Header()] = None,
        crumb: Annotated[str | None, Cookie(max_length=3)] = None,
        search: Annotated[str | None, Query(max_length=3)] = None,
    ) -> Item:
        raise NotImplementedError(item, x_number, x_either, crumb, search)

    return app.openapi()


def test_errors_of_an_event_stream_are_problem_documents() -> None:
    app: FastAPI = Application(title="Test")

    @app.get(
        "/events", tags=["x"], response_class=EventSourceResponse, responses=problem_responses(404)
    )
    async def events() -> AsyncGenerator[Item]:
        yield Item(name="a")

    responses = app.openapi()["paths"]["/events"]["get"]["responses"]
    media_types = {status: list(each["content"]) for status, each in responses.items()}
    assert media_types.pop("200") == ["text/event-stream"]
    assert media_types == {key: ["application/problem+json"] for key in ("404", "503")}


def headers(operation: dict[str, Any], status: int) -> set[str]:
    return set(operation["responses"][str(status)]["headers"])


def parameters(operation: dict[str, Any]) -> set[str]:
    return {each["name"].lower() for each in operation["parameters"]}


def test_get_accepts_if_none_match_only(document: dict[str, Any]) -> None:
    read = document["paths"]["/items/{item_id}"]["get"]
    assert parameters(read) == {"item_id", "if-none-match"}
    assert "ETag" in headers(read, 200)
    assert "ETag" in headers(read, 304)
    assert "content" not in read["responses"]["304"]


def test_update_and_delete_accept_if_match(document: dict[str, Any]) -> None:
    path = document["paths"]["/items/{item_id}"]
    assert parameters(path["patch"]) == parameters(path["delete"]) == {"item_id", "if-match"}
    assert "ETag" in headers(path["patch"], 200)
    assert "ETag" not in headers(path["delete"], 204)
    assert "304" not in path["patch"]["responses"]


def test_every_response_has_request_id_and_503_has_retry_after(
    document: dict[str, Any],
) -> None:
    for path in document["paths"].values():
        for operation in path.values():
            for status, response in operation["responses"].items():
                assert "X-Request-ID" in response["headers"]
                assert ("Retry-After" in response["headers"]) == (status == "503")
                for header in response["headers"].values():
                    name = header["$ref"].rpartition("/")[2]
                    assert document["components"]["headers"][name]["schema"]


def test_parameters_are_not_nullable(document: dict[str, Any]) -> None:
    parameters_ = {each["name"]: each for each in document["paths"]["/items"]["post"]["parameters"]}
    assert parameters_["x-number"]["schema"]["type"] == "integer"
    assert parameters_["x-number"]["description"] == "A number"
    assert parameters_["x-either"]["schema"]["anyOf"] == [{"type": "integer"}, {"type": "string"}]
    assert parameters_["crumb"]["schema"]["maxLength"] == 3
    assert parameters_["search"]["schema"]["type"] == "string"
    assert "null" not in str(parameters_)
    assert not any(each["required"] for each in parameters_.values())


def test_json_body_documents_415(document: dict[str, Any]) -> None:
    create = document["paths"]["/items"]["post"]
    assert headers(create, 415) == {"Accept", "X-Request-ID"}


def test_status_descriptions_follow_rfc_9110(document: dict[str, Any]) -> None:
    responses = document["paths"]["/items"]["post"]["responses"]
    descriptions = {status: each["description"] for status, each in responses.items()}
    expected = {
        "408": "Request Timeout",
        "413": "Content Too Large",
        "415": "Unsupported Media Type",
        "416": "Range Not Satisfiable",
        "422": "Unprocessable Content",
        "503": "Service Unavailable",
    }
    assert {status: descriptions[status] for status in expected} == expected
    example = responses["422"]["content"]["application/problem+json"]["example"]
    assert example["title"] == "Unprocessable Content"


def test_idempotent_operations_document_replays(app: FastAPI) -> None:
    for path in app.openapi()["paths"].values():
        for operation in path.values():
            has_key = "Idempotency-Key" in {
                each["name"] for each in operation.get("parameters", ())
            }
            for status, response in operation["responses"].items():
                replays = "Idempotent-Replayed" in response["headers"]
                assert replays == (has_key and status.startswith("2"))


async def test_openapi_schema_is_built_once_in_another_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = Application()
    threads: list[int] = []

    def document_slowly(document: dict[str, Any]) -> None:
        threads.append(get_ident())
        sleep(0.1)
        document_headers(document)

    monkeypatch.setattr(application, "document_headers", document_slowly)
    client = client_of(app)

    first, second = await asyncio.gather(client.get("/openapi.json"), client.get("/openapi.json"))

    assert first.json() == second.json() == app.openapi()
    # Building it on the event loop would block other requests for too long.
    assert len(threads) == 1
    assert threads[0] != get_ident()
    assert (await client.post("/openapi.json")).status_code == 405


def test_ranges_of_statuses_are_documented_as_problem_documents() -> None:
    app = Application()
    problem = problem_responses(400)[400]

    @app.get("/any", responses={"4XX": problem, "default": problem})
    async def read_any() -> None: ...

    responses = app.openapi()["paths"]["/any"]["get"]["responses"]
    for status, example in (("4XX", 400), ("default", 500)):
        content = responses[status]["content"]["application/problem+json"]
        assert content["example"]["status"] == example
        assert "X-Request-ID" in responses[status]["headers"]
