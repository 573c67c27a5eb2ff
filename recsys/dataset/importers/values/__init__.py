"""Values as people and programs write them: one set of parsers for imports, API and logs of experiments.

Parsers of columns return the values, a mask of the rows that they could not read, and notes about guesses.
`parse_time` and `parse_number` read one value and raise DataError.
"""

from recsys.dataset.importers.values.arrow import as_bools, as_series, is_blank
from recsys.dataset.importers.values.attributes import parse_attribute
from recsys.dataset.importers.values.ids import describe_id, parse_ids
from recsys.dataset.importers.values.numbers import describe_number, parse_number, parse_numbers
from recsys.dataset.importers.values.times import DateOrder, describe_time, parse_time, parse_times
from recsys.dataset.importers.values.words import AVAILABILITY_WORDS, join_lists, parse_availability, parse_list

__all__ = [
    "AVAILABILITY_WORDS",
    "DateOrder",
    "as_bools",
    "as_series",
    "describe_id",
    "describe_number",
    "describe_time",
    "is_blank",
    "join_lists",
    "parse_attribute",
    "parse_availability",
    "parse_ids",
    "parse_list",
    "parse_number",
    "parse_numbers",
    "parse_time",
    "parse_times",
]
