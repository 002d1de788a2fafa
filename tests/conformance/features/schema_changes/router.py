"""Sample endpoints: one for each way to execute statements."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.kit.http.dependencies import DatabaseDep, ReadSessionDep, SessionDep
from app.kit.http.streaming import JSON_LINES, JsonLines
from app.kit.queries.concurrent_reads import concurrent_reads
from app.kit.queries.pagination import CursorPage, CursorPageResult, CursorQuery
from app.kit.queries.sorting import order_by
from app.kit.queries.view import View
from app.kit.writes.copy import copy_rows
from app.kit.writes.transactions import run_with_retry
from tests.conformance.features.schema_changes.models import Sample
from tests.conformance.features.schema_changes.schemas import SampleIn, SampleOut

router = APIRouter(prefix="/conformance/samples", tags=["conformance"])

_ALL = select(Sample).order_by(Sample.id)
_SAMPLES = View(SampleOut, Sample)


async def _insert(session: AsyncSession, sample: SampleIn) -> Sample:
    row = Sample(**sample.model_dump())
    session.add(row)
    await session.flush()
    return row


@router.get("/by-read-session", response_model=list[SampleOut])
async def list_samples_by_read_session(session: ReadSessionDep) -> list[Sample]:
    """List samples."""
    return list(await session.scalars(_ALL))


@router.get("/by-session", response_model=list[SampleOut])
async def list_samples_by_session(session: SessionDep) -> list[Sample]:
    """List samples."""
    return list(await session.scalars(_ALL))


@router.get("/by-star")
async def count_samples_by_star(session: ReadSessionDep) -> int:
    """Count samples."""
    return len((await session.execute(text("SELECT * FROM conformance_samples"))).all())


@router.get("/by-compiled-read")
async def list_samples_by_compiled_read(db: DatabaseDep) -> list[SampleOut]:
    """List samples."""
    return await _SAMPLES.list(db, _ALL)


@router.get("/by-feed", response_model=CursorPage[SampleOut])
async def list_samples_by_feed(
    query: Annotated[CursorQuery, Query()], session: SessionDep
) -> CursorPageResult[SampleOut]:
    """List samples."""
    return await _SAMPLES.feed(session, query, _ALL, order_by(tiebreaker=Sample.id))


@router.get("/by-view-stream", responses=JSON_LINES)
async def export_samples_by_view(db: DatabaseDep) -> JsonLines:
    """Stream samples."""
    return JsonLines(_SAMPLES.stream(db, _ALL))


@router.get("/by-concurrent-reads", response_model=list[SampleOut])
async def list_samples_by_concurrent_reads(database: DatabaseDep) -> list[Sample]:
    """List samples."""
    async with concurrent_reads(database) as reads:
        first = reads.start(lambda session: session.scalars(_ALL))
        second = reads.start(lambda session: session.scalars(_ALL))
    return [*first.result(), *second.result()]


@router.get("/by-stream", responses=JSON_LINES)
async def export_samples(database: DatabaseDep) -> JsonLines:
    """Stream samples."""
    return JsonLines(database, _ALL, SampleOut)


@router.post("/by-session", status_code=HTTPStatus.CREATED, response_model=SampleOut)
async def create_sample_by_session(sample: SampleIn, session: SessionDep) -> Sample:
    """Create a sample."""
    return await _insert(session, sample)


@router.post("/by-retrying", status_code=HTTPStatus.CREATED, response_model=SampleOut)
async def create_sample_by_retrying(sample: SampleIn, database: DatabaseDep) -> Sample:
    """Create a sample."""
    return await run_with_retry(database, lambda session: _insert(session, sample))


@router.post("/by-compiled-insert", status_code=HTTPStatus.CREATED)
async def create_sample_by_compiled_insert(sample: SampleIn, db: DatabaseDep) -> SampleOut:
    """Create a sample."""
    return await _SAMPLES.insert(db, sample)


@router.post("/by-copy", status_code=HTTPStatus.CREATED)
async def create_sample_by_copy(sample: SampleIn, session: SessionDep) -> int:
    """Create a sample."""
    return await copy_rows(session, Sample, [sample.model_dump()])
