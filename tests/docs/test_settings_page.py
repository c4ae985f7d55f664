"""Every setting is documented: docs/settings.md is generated from the settings themselves."""

from dataclasses import fields

import pytest

from streams.settings import Settings
from streams.settings.options import OPTIONS, RENAMED
from tests.docs.settings_page import FILE, page


def test_the_page_is_the_generated_one() -> None:
    assert FILE.read_text(encoding="utf-8") == page(), "run: make docs"


def test_every_setting_can_be_read_from_the_environment() -> None:
    assert {field.name for field in fields(Settings)} - {"receivers"} == set(OPTIONS)


@pytest.mark.parametrize("name", OPTIONS)
def test_a_setting_says_in_sentences_what_it_is_for(name: str) -> None:
    assert OPTIONS[name].meaning.endswith(".")


def test_a_renamed_setting_has_a_new_name_that_exists() -> None:
    assert set(RENAMED.values()) <= set(OPTIONS)
    assert not set(RENAMED) & set(OPTIONS)
