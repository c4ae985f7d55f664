"""The catalogue of texts: both languages have every text, with the same values in it."""

import re

import pytest

from streams.desk.texts import KEYS, LANGUAGES, template, text


@pytest.mark.parametrize("key", sorted(KEYS))
def test_every_text_takes_the_same_values_in_every_language(key: str) -> None:
    templates = [template(key, language) for language in LANGUAGES]
    assert all(templates)
    assert len({tuple(sorted(re.findall(r"{(\w+)}", each))) for each in templates}) == 1


def test_a_text_in_both_languages_and_a_name_that_is_none() -> None:
    assert text("open", "en") == "open"
    assert text("open", "zh") == "未解决"
    assert text("ended", "zh", events="12", data="data/demo") == "已结束，共 12 条事件；数据保留在 data/demo"
    assert text("billing", "zh") == "billing"
