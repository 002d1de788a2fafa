"""Autoflush, and objects after a commit."""

from collections.abc import AsyncGenerator

import pytest
from fastapi import FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.kit.db.session import Database


class Own(DeclarativeBase):
    """Base of the table of these tests, outside the service's own metadata."""


class Note(Own):
    __tablename__ = "kit_notes"
    number: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


@pytest.fixture
async def notes(own_app: FastAPI) -> AsyncGenerator[AsyncSession]:
    """A session in its own transaction, with the table."""
    database: Database = own_app.state.database
    async with database.transaction() as session:
        connection = await session.connection()
        await connection.run_sync(Own.metadata.create_all)
        yield session


async def test_read_sees_earlier_writes(notes: AsyncSession) -> None:
    note = Note(number=1, text="new")
    notes.add(note)
    assert (await notes.scalars(select(Note.text))).all() == ["new"]
    note.text = "changed"
    assert (await notes.scalars(select(Note.number).where(Note.text == "changed"))).all() == [1]


async def test_object_is_readable_after_commit_without_a_query(own_app: FastAPI) -> None:
    database: Database = own_app.state.database
    async with database.transaction() as session:
        connection = await session.connection()
        await connection.run_sync(Own.metadata.create_all)
        note = Note(number=1, text="kept")
        session.add(note)
    assert note.text == "kept"
