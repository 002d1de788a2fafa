"""Soft delete hides the children of a row, and never removes a row."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from app.kit.db.base import utc_now
from app.kit.db.deletion import INCLUDE_DELETED, delete_row, delete_where
from app.kit.errors.problems import Conflict
from app.kit.writes.deleted_rows import restore
from tests.conformance.features.library.models import LibraryBook, LibraryWriter
from tests.conformance.features.ownership.models import (
    Account,
    Address,
    Article,
    Badge,
    Folder,
    Login,
    Playlist,
    Region,
    Remark,
    Shop,
    Track,
    Writer,
)
from tests.conformance.features.rows import stored, visible
from tests.conformance.features.test_ownership import add


async def test_custom_primaryjoin_cascades_to_matching_rows(session: AsyncSession) -> None:
    article = Article(remarks=[])
    await add(session, article)
    own = Remark(target_id=article.id, target_kind="article")
    other = Remark(target_id=article.id, target_kind="photo")
    await add(session, own, other)

    await delete_where(session, Article)

    assert await visible(session, Remark) == [other.id]
    await restore(session, Article, article.id)
    assert await visible(session, Remark) == sorted([own.id, other.id])


async def test_secondary_table_cascades_and_keeps_its_links(session: AsyncSession) -> None:
    kept = Playlist(tracks=[Track(title="Blue")])
    deleted = Playlist(tracks=[Track(title="Red"), Track(title="Green")])
    await add(session, kept, deleted)

    await session.delete(deleted)
    await session.flush()

    assert await visible(session, Track) == [kept.tracks[0].id]
    playlist = await restore(session, Playlist, deleted.id, selectinload(Playlist.tracks))
    await session.refresh(playlist, ["tracks"])
    assert len(playlist.tracks) == 2


async def test_restore_includes_children_deleted_at_the_same_time(session: AsyncSession) -> None:
    region = Region(tenant=1, code="n", shops=[Shop(), Shop()])
    account = Account(name="ada", logins=[Login()], badge=Badge())
    folder = Folder(children=[Folder(children=[Folder(children=[])])])
    writer = Writer(name="Ada", address=Address(city="Oslo"))
    await add(session, region, account, folder, writer)
    deleted_earlier, deleted_with_region = region.shops
    await delete_row(session, deleted_earlier)
    for record in (region, account, folder, writer):
        await delete_row(session, record)
    for record in (region, account, folder, writer):
        await restore(session, type(record), record.id)

    assert await visible(session, Shop) == [deleted_with_region.id]
    assert len(await visible(session, Login)) == len(await visible(session, Badge)) == 1
    assert len(await visible(session, Folder)) == 3
    assert len(await visible(session, Address)) == 1


async def test_row_of_deleted_parent_cannot_be_restored(session: AsyncSession) -> None:
    shop, login, folder = Shop(), Login(), Folder(children=[])
    owners = [
        Region(tenant=1, code="n", shops=[shop]),
        Account(name="ada", logins=[login]),
        Folder(children=[folder]),
    ]
    await add(session, *owners)
    for owner in owners:
        await delete_row(session, owner)

    for owned, name in ((shop, "region"), (login, "account"), (folder, "parent")):
        with pytest.raises(Conflict, match=name):
            await restore(session, type(owned), owned.id)


async def test_row_is_restored_without_the_target_of_an_optional_reference(
    session: AsyncSession,
) -> None:
    book = LibraryBook(title="One", writer=LibraryWriter(name="Ada"))
    await add(session, book)
    await delete_row(session, book)
    await delete_row(session, await session.get_one(LibraryWriter, book.writer_id))

    await restore(session, LibraryBook, book.id)

    assert await visible(session, LibraryBook) == [book.id]


async def test_cascade_increments_version_of_children(session: AsyncSession) -> None:
    region = Region(tenant=1, code="n", shops=[Shop()])
    await add(session, region)

    await delete_row(session, region)

    assert await session.scalar(text("SELECT version FROM conformance_shops")) == 2


async def test_deleted_object_is_not_found_before_or_after_flush(
    session: AsyncSession,
) -> None:
    region = Region(tenant=1, code="n", shops=[shop := Shop()])
    await add(session, region)
    await session.delete(region)
    assert await session.get(Region, region.id) is None

    await session.flush()

    assert await session.get(Region, region.id) is None
    assert await session.get(Shop, shop.id) is None
    assert await session.get(Shop, shop.id, execution_options=INCLUDE_DELETED) is shop
    assert region not in session.deleted
    await session.commit()
    assert region.deleted_at == shop.deleted_at is not None
    assert region.updated_at >= region.created_at
    assert await stored(session, Region) == await stored(session, Shop) == 1


async def test_several_objects_are_deleted_in_one_flush(session: AsyncSession) -> None:
    regions = [Region(tenant=n, code="n", shops=[Shop()]) for n in range(3)]
    address = Address(city="Oslo")
    await add(session, *regions, address)

    await session.run_sync(lambda sync: sync.delete_all([*regions, address]))
    await session.flush()

    assert await visible(session, Region) == await visible(session, Shop) == []
    assert await visible(session, Address) == []
    assert await stored(session, Shop) == 3


async def test_detached_object_is_soft_deleted(session: AsyncSession) -> None:
    region = Region(tenant=1, code="n", shops=[Shop()])
    await add(session, region)
    session.expunge_all()

    await delete_row(session, region)

    assert await visible(session, Shop) == []
    assert await stored(session, Region) == 1


async def test_deleting_a_new_object_is_an_error(session: AsyncSession) -> None:
    with pytest.raises(InvalidRequestError, match="not persisted"):
        await session.delete(Region(tenant=1, code="n"))


async def test_clearing_a_collection_soft_deletes_its_rows(session: AsyncSession) -> None:
    region = Region(tenant=1, code="n", shops=[Shop(), Shop()])
    await add(session, region)
    kept = Shop()

    region.shops = [kept]
    await session.flush()

    assert region.shops == [kept]
    assert await visible(session, Shop) == [kept.id]
    assert await stored(session, Shop) == 3
    keys = "SELECT count(*) FROM conformance_shops WHERE tenant = 1 AND region_code = 'n'"
    assert await session.scalar(text(keys)) == 3


async def test_removing_from_a_collection_soft_deletes_the_row_with_its_children(
    session: AsyncSession,
) -> None:
    folder = Folder(children=[child := Folder(children=[Folder(children=[])]), Folder(children=[])])
    await add(session, folder)

    folder.children.remove(child)
    await session.flush()

    assert len(await visible(session, Folder)) == 2
    assert await stored(session, Folder) == 4
    restored = await restore(session, Folder, child.id)
    assert restored.parent_id == folder.id
    assert len(await visible(session, Folder)) == 4


async def test_removing_the_parent_soft_deletes_the_row(session: AsyncSession) -> None:
    login = Login()
    await add(session, Account(name="ada", logins=[login]))

    login.account = None  # type: ignore[assignment]  # wrong on purpose
    await session.flush()

    assert await visible(session, Login) == []
    assert await stored(session, Login) == 1


async def test_replacing_a_one_to_one_soft_deletes_the_old_row(session: AsyncSession) -> None:
    account = Account(name="ada", badge=Badge())
    writer = Writer(name="Ada", address=Address(city="Oslo"))
    await add(session, account, writer)

    account.badge, writer.address = Badge(), None
    await session.flush()

    assert await visible(session, Badge) == [account.badge.id]
    assert await visible(session, Address) == []
    assert await stored(session, Badge) == 2
    assert await stored(session, Address) == 1


async def test_moving_a_row_to_another_parent_deletes_nothing(session: AsyncSession) -> None:
    shop = Shop()
    north = Region(tenant=1, code="n", shops=[shop])
    south = Region(tenant=1, code="s", shops=[])
    await add(session, north, south)

    south.shops.append(shop)
    await session.flush()
    assert await visible(session, Shop) == [shop.id]
    assert shop.region_code == "s"


async def test_row_removed_and_added_again_is_kept(session: AsyncSession) -> None:
    shop = Shop()
    region = Region(tenant=1, code="n", shops=[shop])
    await add(session, region)

    region.shops.remove(shop)
    region.shops.append(shop)
    await session.flush()

    assert await visible(session, Shop) == [shop.id]


async def test_deleted_at_can_be_set_directly(session: AsyncSession) -> None:
    region = Region(tenant=1, code="n", shops=[Shop()])
    await add(session, region)

    region.deleted_at = utc_now()
    await session.flush()

    assert await visible(session, Shop) == []
