"""Scores and their scales."""

from fractions import Fraction
from typing import Any


def exact(value: Any) -> Fraction:
    """A number as it was written, not as a float holds it."""
    return Fraction(str(value))


def scores_are_in_scale(type_: str, data: dict[str, Any]) -> bool:
    """ "A score outside its scale, scale_min >= scale_max, NPS not on 0-10 […]: dead letter." """
    if type_ == "sentiment.scored":
        return bool(-1 <= data["score"] <= 1)
    if type_ != "survey.responded":
        return True
    low, high = data["scale_min"], data["scale_max"]
    in_scale = bool(low < high and low <= data["score"] <= high)
    return in_scale and (data["metric"] != "nps" or (low, high) == (0, 10))


def normalised(data: dict[str, Any]) -> Fraction:
    """The score in 0..1."""
    low = exact(data["scale_min"])
    return (exact(data["score"]) - low) / (exact(data["scale_max"]) - low)
