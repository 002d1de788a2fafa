"""A 409 response names a field by the same path as a 422 response to the same request."""

from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import Column, Index, Integer, MetaData, String, Table, func, text

from app.kit.errors.database_errors import _columns_of_constraint
from app.kit.errors.field_paths import field_path, is_part_of_request
from app.kit.errors.problems import Conflict, FieldProblem
from app.kit.errors.redaction import violating_key
from app.kit.http.application import Application
from tests.support.app import client_of


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"sku": 1}, "body.sku"),
        ({"other": 1}, "sku"),
        ([{"sku": 1}], "body.0.sku"),
        ([{"sku": 1}, {"sku": 2}], "body"),
        ({"product": {"sku": 1}}, "body.product.sku"),
        ({"product": {"sku": 1}, "sku": 2}, "body.sku"),
        ({"rows": [{"a": 1}, {"sku": 1}]}, "body.rows.1.sku"),
        ({"rows": [{"sku": 1}, {"sku": 2}]}, "body.rows"),
        ({"rows": [{"item": {"Sku": 1}}]}, "body.rows.0.item.Sku"),
        ("text", "sku"),
    ],
)
def test_field_path_in_body(body: Any, path: str) -> None:
    assert field_path(body, "sku") == path


def test_rejected_value_identifies_the_item() -> None:
    rows = [{"sku": value} for value in (1, "a", "b", "a")]
    assert field_path({"rows": rows}, "sku", "b") == "body.rows.2.sku"
    assert field_path({"rows": rows}, "sku", "a") == "body.rows.3.sku"
    assert field_path({"rows": rows}, "sku", "1") == "body.rows.0.sku"
    assert field_path({"rows": rows}, "sku", "other") == "body.rows"


def test_column_may_be_named_as_a_part_of_the_request() -> None:
    assert not is_part_of_request({"body": "a"}, "body", "a")
    assert field_path({"body": "a"}, "body", "a") == "body.body"
    assert is_part_of_request({"title": "a"}, "body", "a")
    # The combination of several columns.
    assert is_part_of_request({"body": "a"}, "body", None)
    assert not is_part_of_request({"title": "a"}, "title", None)


def test_camel_case_alias_is_used_in_field_path() -> None:
    assert field_path({"lines": [{"priceCents": 1}]}, "price_cents") == "body.lines.0.priceCents"


async def test_conflict_names_nested_field() -> None:
    app: FastAPI = Application()

    @app.post("/orders")
    async def create(lines: list[dict[str, str]]) -> None:
        raise Conflict("It is taken.", FieldProblem(field="sku", message="already exists"))

    client: AsyncClient = client_of(app)
    response = await client.post("/orders", json=[{"name": "a"}, {"sku": "b"}])
    assert response.status_code == 409
    assert response.json()["errors"] == [{"field": "body.1.sku", "message": "already exists"}]


async def test_long_keys_are_shortened_in_errors() -> None:
    app: FastAPI = Application()

    @app.post("/orders")
    async def create(lines: dict[str, int]) -> None:
        """Accept integers under any name."""

    client: AsyncClient = client_of(app)
    response = await client.post("/orders", json={"x" * 1_000_000: "a"})
    assert response.status_code == 422
    assert len(response.content) < 1000


async def test_long_keys_are_shortened_in_conflicts() -> None:
    app: FastAPI = Application()

    @app.post("/orders")
    async def create(lines: dict[str, dict[str, str]]) -> None:
        raise Conflict("It is taken.", FieldProblem(field="sku", message="already exists"))

    client: AsyncClient = client_of(app)
    response = await client.post("/orders", json={"x" * 1_000_000: {"sku": "b"}})
    assert response.status_code == 409
    assert len(response.content) < 1000


def test_columns_of_expression_index() -> None:
    table = Table("people", MetaData(), Column("id", Integer), Column("email", String))
    assert _columns_of_constraint(table, Index("by_text", text("lower(email)"), _table=table)) == [
        "email"
    ]
    assert _columns_of_constraint(table, Index("by_function", func.lower(table.c.email))) == [
        "email"
    ]


def test_rejected_value_is_that_of_one_column() -> None:
    assert violating_key(SimpleNamespace(detail="Key (body)=(a, b) already exists.")) == "a, b"
    assert (
        violating_key(SimpleNamespace(detail="Key (lower(body::text))=(a) already exists.")) == "a"
    )
    assert violating_key(SimpleNamespace(detail="Key (body, path)=(a, b) already exists.")) is None
