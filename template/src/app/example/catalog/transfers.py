"""Endpoints for stock."""

from functools import partial

from fastapi import APIRouter

from app.example.catalog import stock
from app.example.catalog.stock import Pair, StockTransfer, Transferred
from app.kit.db.retry import DatabaseDep, retrying
from app.kit.errors import problems

router = APIRouter(prefix="/stock", tags=["catalog"])


@router.post("/transfers", response_model=Transferred, responses=problems(409))
async def transfer_stock(transfer: StockTransfer, database: DatabaseDep) -> Pair:
    """Move stock from one product to another."""
    return await retrying(database, partial(stock.transfer_stock, transfer))
