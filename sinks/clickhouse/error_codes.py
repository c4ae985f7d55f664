"""ClickHouse's error codes (src/Common/ErrorCodes.cpp) by which an insert is refused for good."""

from enum import IntEnum


class FinalError(IntEnum):
    """Non-retryable error codes. All other errors are retried: a server is down, overloaded or out of disk space."""

    # A row does not fit its columns.
    CANNOT_PARSE_TEXT = 6
    """A value is not a text."""
    CANNOT_PARSE_QUOTED_STRING = 26
    """A text is not quoted as in JSON."""
    CANNOT_PARSE_INPUT_ASSERTION_FAILED = 27
    """A row is not a JSON array, or a value has another type than its column."""
    CANNOT_READ_ALL_DATA = 33
    """A row ends too early."""
    CANNOT_PARSE_DATE = 38
    """A value is not a date."""
    CANNOT_PARSE_DATETIME = 41
    """A value is not an instant."""
    ILLEGAL_TYPE_OF_ARGUMENT = 43
    """A default or a view's function does not take a value of this type."""
    LOGICAL_ERROR = 49
    """A bug in ClickHouse; a retry would meet it again."""
    TYPE_MISMATCH = 53
    """A value has another type than its column."""
    SYNTAX_ERROR = 62
    """The statement cannot be parsed."""
    ARGUMENT_OUT_OF_BOUND = 69
    """A number is too large for its column."""
    CANNOT_CONVERT_TYPE = 70
    """A value cannot be converted to the type of its column."""
    CANNOT_PARSE_NUMBER = 72
    """A value is not a number."""
    INCORRECT_DATA = 117
    """A row is malformed."""
    CANNOT_READ_ARRAY_FROM_TEXT = 130
    """A value is not an array."""
    TOO_LARGE_STRING_SIZE = 131
    """A text is longer than its column allows."""
    CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN = 349
    """A null in a column that allows none."""

    # The schema differs: `deskwatch migrate`.
    THERE_IS_NO_COLUMN = 8
    """The table lacks a column."""
    NOT_FOUND_COLUMN_IN_BLOCK = 10
    """The table lacks a column."""
    NO_SUCH_COLUMN_IN_TABLE = 16
    """The table lacks a column."""
    NUMBER_OF_COLUMNS_DOESNT_MATCH = 20
    """The table has more or fewer columns."""
    UNKNOWN_IDENTIFIER = 47
    """The statement names a column or function that does not exist."""
    UNKNOWN_TABLE = 60
    """There is no such table."""
    INCORRECT_QUERY = 80
    """This version refuses the statement."""
    UNKNOWN_DATABASE = 81
    """There is no such database."""
    UNKNOWN_SETTING = 115
    """This version does not know one of our settings."""
    NOT_IMPLEMENTED = 48
    """This version does not support it."""

    # The user lacks access.
    UNKNOWN_USER = 192
    """There is no such user."""
    WRONG_PASSWORD = 193
    """The password is wrong."""
    REQUIRED_PASSWORD = 194
    """A password is missing."""
    DATABASE_ACCESS_DENIED = 291
    """The user may not use the database."""
    ACCESS_ENTITY_NOT_FOUND = 492
    """There is no such user or role."""
    ACCESS_DENIED = 497
    """The user may not insert."""
    AUTHENTICATION_FAILED = 516
    """User or password is wrong."""
