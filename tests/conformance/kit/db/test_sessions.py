"""What a session promises within its transaction."""

from collections.abc import AsyncGenerator

import pytest
from fastapi import FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.kit.db.session import Database


class Own(DeclarativeBase):
    """A table of these tests; the service's own metadata knows nothing of it."""


class Note(Own):
    __tablename__ = "kit_notes"
    number: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


@pytest.fixture
async def notes(own_app: FastAPI) -> AsyncGenerator[AsyncSession]:
    """A session over the table, in a transaction of its own."""
    database: Database = own_app.state.database
    async with database.transaction() as session:
        connection = await session.connection()
        await connection.run_sync(Own.metadata.create_all)
        yield session


async def test_a_read_sees_the_writes_before_it(notes: AsyncSession) -> None:
    note = Note(number=1, text="new")
    notes.add(note)
    assert (await notes.scalars(select(Note.text))).all() == ["new"]
    note.text = "changed"
    assert (await notes.scalars(select(Note.number).where(Note.text == "changed"))).all() == [1]


async def test_what_was_committed_can_be_read_without_asking_again(own_app: FastAPI) -> None:
    database: Database = own_app.state.database
    async with database.transaction() as session:
        connection = await session.connection()
        await connection.run_sync(Own.metadata.create_all)
        note = Note(number=1, text="kept")
        session.add(note)
    assert note.text == "kept"
