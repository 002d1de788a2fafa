"""A team's feature works in the service that runs the suite."""

from httpx2 import AsyncClient


async def test_created_row_is_found_by_id(client: AsyncClient) -> None:
    created = await client.post("/conformance/notes", json={"title": "Hello"})

    assert created.status_code == 201, created.text
    found = await client.get(f"/conformance/notes/{created.json()['id']}")
    assert found.json() == created.json()
