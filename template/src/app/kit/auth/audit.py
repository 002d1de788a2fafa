"""Columns with the caller that created or updated a row."""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.auth.caller import current_caller

# OpenID Connect limits a subject to 255 characters.
SUBJECT_LENGTH = 255


def current_subject() -> str | None:
    """Return the subject of the current caller; None in a public endpoint or a job."""
    caller = current_caller()
    return caller.subject if caller else None


class AuditMixin:
    """Adds the subjects of the callers that created and last updated a row.

    Every write of the kit sets them: sessions, views, bulk statements and COPY. A value is None for
    a write without a caller, such as a job. Write the base class after it:
    `class Invoice(AuditMixin, Record)`.
    """

    created_by: Mapped[str | None] = mapped_column(String(SUBJECT_LENGTH), default=current_subject)
    updated_by: Mapped[str | None] = mapped_column(
        String(SUBJECT_LENGTH), default=current_subject, onupdate=current_subject
    )
