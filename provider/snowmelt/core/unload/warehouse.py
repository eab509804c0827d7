"""The statements that change a warehouse's size for an unload and change it back."""

from __future__ import annotations

from snowmelt.core.quoting import snowflake_identifier, snowflake_literal
from snowmelt.core.settings.fields import WAREHOUSE_SIZES, warehouse_size
from snowmelt.errors import ConfigurationError

CURRENT_WAREHOUSE = "SELECT CURRENT_WAREHOUSE()"


def build_show_warehouse(name: str) -> str:
    """SHOW WAREHOUSES for names like this one; `_` and `%` in it match more, so the answer is looked through by name."""
    return f"SHOW WAREHOUSES LIKE {snowflake_literal(name)}"


def build_resize(name: str, size: str) -> str:
    """ALTER WAREHOUSE; running queries end at the old size.

    :raises ConfigurationError: no size of Snowflake's.
    """
    if size not in WAREHOUSE_SIZES:
        raise ConfigurationError(f"{size!r} is no warehouse size; it is one of {', '.join(WAREHOUSE_SIZES)}.")
    return f"ALTER WAREHOUSE {snowflake_identifier(name)} SET WAREHOUSE_SIZE = {snowflake_literal(size)}"


def parse_size(text: str) -> str:
    """The size as SHOW WAREHOUSES prints it (`X-Small`, `2X-Large`) → as ALTER WAREHOUSE takes it."""
    return warehouse_size(text)
