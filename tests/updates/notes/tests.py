"""Tests of notes through the HTTP API."""

from httpx2 import AsyncClient

NOTE = {"title": "Milk", "body": "Two litres"}


async def test_a_note_is_taken_listed_read_and_thrown_away(client: AsyncClient) -> None:
    taken = await client.post("/notes", json=NOTE)
    assert taken.status_code == 201
    path = f"/notes/{taken.json()['id']}"
    assert (await client.get(path)).json() == taken.json()
    assert (await client.get("/notes")).json()["items"] == [taken.json()]
    assert (await client.delete(path)).status_code == 204
    assert (await client.get(path)).status_code == 404


async def test_a_title_is_used_once_among_the_notes_that_are_kept(client: AsyncClient) -> None:
    first = await client.post("/notes", json=NOTE)
    assert (await client.post("/notes", json=NOTE)).status_code == 409
    await client.delete(f"/notes/{first.json()['id']}")
    assert (await client.post("/notes", json=NOTE)).status_code == 201
