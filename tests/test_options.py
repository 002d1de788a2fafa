"""The page that tells what each answer changes is what rendered services show."""

import pytest

from tests.options import PAGE, page
from tests.rendering import Renderer


@pytest.mark.slow
def test_the_page_of_the_answers_is_current(render: Renderer) -> None:
    assert page(render) == PAGE.read_text(), "write it: uv run python -m tests.options"
