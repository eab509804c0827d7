"""All cases: the columns of one wide table."""

from __future__ import annotations

from tests.types.nested_cases import NESTED_CASES
from tests.types.number_cases import NUMBER_CASES
from tests.types.text_cases import TEXT_CASES
from tests.types.time_cases import TIME_CASES

CASES = (*NUMBER_CASES, *TIME_CASES, *TEXT_CASES, *NESTED_CASES)
