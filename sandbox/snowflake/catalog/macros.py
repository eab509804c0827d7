"""DuckDB macros behind Snowflake functions that DuckDB lacks or understands otherwise. All start with sf_.

`sf_to_json` keeps numbers to the letter, as texts on their way through json(), which would read a fraction as a double;
Snowflake keeps 38 digits.
"""

from __future__ import annotations

#: What begins the JSON string of a typed value inside VARIANT, OBJECT, ARRAY (see `variants`), and the SQL NULL of an ARRAY.
MARK = "\ue001"
UNDEFINED = f'"{MARK}U"'

_MACROS = r"""
sf_floor_div(a, b) AS CASE WHEN a >= 0 OR a % b = 0 THEN a // b ELSE a // b - 1 END
sf_epoch_part(x, unit) AS sf_floor_div(epoch_us(x), unit)
sf_fraction_us(x) AS microsecond(x) % 1000000
sf_cut(x, unit) AS x - to_microseconds(sf_fraction_us(x) % unit)
sf_time_us(x) AS epoch_us(DATE '1970-01-01' + x::TIME)
sf_zone_offset(x, zone) AS ((epoch(timezone(zone, x::TIMESTAMPTZ)) - epoch(timezone('UTC', x::TIMESTAMPTZ))) / 60)::SMALLINT
sf_session_offset(x) AS sf_zone_offset(x, current_setting('TimeZone'))
sf_wall(x, minutes) AS timezone('UTC', x) + to_minutes(coalesce(minutes, 0)::INTEGER)
sf_offset_match(s) AS regexp_extract(trim(s), '([+-])(\d{1,2}):?(\d{2})?$', ['sign', 'h', 'm'])
sf_has_offset(s) AS regexp_matches(trim(s), '(\d{1,2}:\d{2}|\d{1,2}:\d{2}:\d{2}(\.\d+)?)\s*([+-]\d{1,2}(:?\d{2})?|Z)$')
sf_colon_offset(s) AS regexp_replace(regexp_replace(regexp_replace(trim(s), '\s+(Z)$', '\1'), '(\d)\s*([+-])(\d{2}):?(\d{2})$', '\1\2\3:\4'), '(:\d{2}(?:\.\d+)?)\s+([+-]\d{2})$', '\1\2:00')
sf_six_digits(s) AS regexp_replace(s, '(\.\d{6})\d+', '\1')
sf_text_nanos(s) AS CASE WHEN s IS NOT NULL THEN coalesce(try_cast(rpad(nullif(
    regexp_extract(s::VARCHAR, '\.\d{6}(\d{1,3})', 1), ''), 3, '0') AS SMALLINT), 0::SMALLINT) END
sf_key(x, nanos) AS epoch_us(x)::HUGEINT * 1000 + nanos
sf_key_nanos(k) AS (((k % 1000) + 1000) % 1000)::SMALLINT
sf_nanos_sum(nanos, n) AS sf_key_nanos(nanos + n::BIGINT)
sf_nanos_cut(nanos, unit) AS (nanos - nanos % unit)::SMALLINT
sf_text_tz(s) AS CASE WHEN sf_has_offset(s) THEN sf_colon_offset(s)::TIMESTAMPTZ ELSE trim(s)::TIMESTAMP::TIMESTAMPTZ END
sf_text_offset(s) AS CASE WHEN s IS NULL THEN NULL
    WHEN NOT sf_has_offset(s) THEN sf_session_offset(sf_text_tz(s))
    WHEN upper(right(trim(s), 1)) = 'Z' THEN 0::SMALLINT
    ELSE ((CASE sf_offset_match(s).sign WHEN '-' THEN -1 ELSE 1 END)
        * (sf_offset_match(s).h::INTEGER * 60 + coalesce(nullif(sf_offset_match(s).m, ''), '0')::INTEGER))::SMALLINT END
sf_text_ntz(s) AS CASE WHEN sf_has_offset(s)
    THEN regexp_replace(trim(s), '\s*([+-]\d{1,2}(:?\d{2})?|Z)$', '')::TIMESTAMP ELSE trim(s)::TIMESTAMP END
sf_try_text_tz(s) AS CASE WHEN sf_has_offset(s) THEN try_cast(sf_colon_offset(s) AS TIMESTAMPTZ)
    ELSE try_cast(try_cast(trim(s) AS TIMESTAMP) AS TIMESTAMPTZ) END
sf_try_text_ntz(s) AS try_cast(regexp_replace(trim(s), '(:\d{2}(?:\.\d+)?)\s*([+-]\d{1,2}(:?\d{2})?|Z)$', '\1') AS TIMESTAMP)
sf_number_key(n) AS (CASE WHEN abs(n) < 31536000000 THEN n::DECIMAL(38,9) * 1000000000 WHEN abs(n) < 31536000000000 THEN n::DECIMAL(38,6) * 1000000
    WHEN abs(n) < 31536000000000000 THEN n::DECIMAL(38,3) * 1000 ELSE n::DECIMAL(38,0) END)::HUGEINT
sf_number_ntz(n) AS make_timestamp(sf_floor_div(sf_number_key(n), 1000)::BIGINT)
sf_float_text(x) AS CASE WHEN x IS NULL THEN NULL WHEN isnan(x) THEN 'NaN' WHEN isinf(x) THEN CASE WHEN x > 0 THEN 'inf' ELSE '-inf' END
    WHEN x = 0 AND printf('%.0f', x) = '-0' THEN '-0' ELSE printf('%.15g', x) END
sf_float_json(x) AS CASE WHEN isfinite(x) THEN printf('%.15e', x) ELSE '"' || CASE WHEN isnan(x) THEN 'NaN' WHEN x > 0 THEN 'inf' ELSE '-inf' END || '"' END
sf_kept_offset(s) AS CASE WHEN left(right(s, 6), 1) = '-' THEN -1 ELSE 1 END
    * (coalesce(try_cast(substr(right(s, 6), 2, 2) AS INTEGER), 0) * 60 + coalesce(try_cast(right(s, 2) AS INTEGER), 0))
sf_mark() AS chr(57345)
sf_variant_exact(x) AS nullif(regexp_replace(x, '^' || sf_mark() || '[DTNLZF]', ''), sf_mark() || 'U')
sf_defined(x) AS CASE WHEN x::VARCHAR <> '"' || sf_mark() || 'U"' THEN x END
sf_float_tme(x) AS CASE WHEN x IS NULL THEN NULL WHEN isnan(x) THEN 'NaN' WHEN isinf(x) THEN CASE WHEN x > 0 THEN 'inf' ELSE '-inf' END
    WHEN x = 0 THEN CASE WHEN printf('%.0f', x) = '-0' THEN '-0E0' ELSE '0E0' END
    ELSE upper(printf('%.16e', x)) END
sf_number_open() AS chr(57344) || '['
sf_number_close() AS ']' || chr(57344)
sf_quoted_numbers(x) AS replace(replace(replace(
    regexp_replace(x, '("(?:[^"\\]|\\.)*")|(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)', '\1' || sf_number_open() || '\2' || sf_number_close(), 'g'),
    sf_number_open() || sf_number_close(), ''), sf_number_open(), '"' || sf_number_open()), sf_number_close(), sf_number_close() || '"')
sf_to_json(x) AS CASE WHEN NOT regexp_matches(x::VARCHAR, '\d[.eE]') THEN json(x)::VARCHAR
    ELSE replace(replace(json(sf_quoted_numbers(x::VARCHAR))::VARCHAR, '"' || sf_number_open(), ''), sf_number_close() || '"', '') END
sf_variant_text(x) AS CASE json_type(x) WHEN 'VARCHAR' THEN x->>'$' WHEN 'NULL' THEN NULL ELSE sf_to_json(x) END
sf_tidy_wkt(g) AS regexp_replace(regexp_replace(trim(g), '\s*\(\s*', '(', 'g'), '\s*([,)])\s*', '\1', 'g')
sf_ewkt(g, srid) AS CASE WHEN g IS NULL THEN NULL
    WHEN regexp_matches(g, '^\s*SRID=', 'i') THEN sf_tidy_wkt(g) ELSE concat('SRID=', srid, ';', sf_tidy_wkt(g)) END
sf_wkt(g) AS sf_tidy_wkt(regexp_replace(g, '^\s*SRID=\d+;', '', 'i'))
sf_md5_lower(x) AS ('0x' || right(md5(x), 16))::UBIGINT
sf_md5_upper(x) AS ('0x' || left(md5(x), 16))::UBIGINT
sf_signed(x) AS CASE WHEN x > 9223372036854775807 THEN (x::HUGEINT - 18446744073709551616)::BIGINT ELSE x::BIGINT END
sf_width_bucket(x, low, high, n) AS CASE WHEN x IS NULL THEN NULL WHEN x < low THEN 0 WHEN x >= high THEN n + 1
    ELSE floor((x - low)::DOUBLE / (high - low)::DOUBLE * n)::BIGINT + 1 END
sf_regexp_flags(p) AS CASE WHEN contains(p, 'i') THEN 'i' ELSE 'c' END || CASE WHEN contains(p, 's') THEN 's' ELSE '' END || CASE WHEN contains(p, 'm') THEN 'm' ELSE '' END
sf_typeof(x) AS CASE json_type(x) WHEN 'VARCHAR' THEN CASE WHEN starts_with(x->>'$', sf_mark()) THEN
    CASE substr(x->>'$', 2, 1) WHEN 'D' THEN 'DATE' WHEN 'T' THEN 'TIME' WHEN 'N' THEN 'TIMESTAMP_NTZ' WHEN 'L' THEN 'TIMESTAMP_LTZ'
        WHEN 'Z' THEN 'TIMESTAMP_TZ' WHEN 'F' THEN 'DOUBLE' END ELSE 'VARCHAR' END WHEN 'UBIGINT' THEN 'INTEGER' WHEN 'BIGINT' THEN 'INTEGER'
    WHEN 'DOUBLE' THEN 'DECIMAL' WHEN 'NULL' THEN 'NULL_VALUE' ELSE json_type(x) END
sf_object(keys, vals, keep_nulls) AS (SELECT coalesce(json_group_object(k, v), '{}'::JSON)
    FROM (SELECT unnest(keys) AS k, unnest(vals) AS v) WHERE k IS NOT NULL AND (keep_nulls OR v IS NOT NULL))
sf_hash_row(x) AS (hash(x)::HUGEINT % 4611686018427387904)::BIGINT
sf_vector_json(x) AS json(to_json(x))
sf_divisor(x) AS CASE WHEN x = 0 THEN error('Division by zero') ELSE x END
sf_checked_length(x, n) AS CASE WHEN x IS NULL OR length(x) <= n THEN x
    ELSE error(concat('String ''', left(x, 40), ''' is too long and would be truncated')) END
sf_add_months(x, n) AS CASE WHEN x = last_day(x::DATE) THEN last_day((x + to_months(n::INTEGER))::DATE) ELSE x + to_months(n::INTEGER) END
"""

_TABLE_MACROS = r"""
sf_flatten(input) AS TABLE SELECT 1 AS SEQ, e.k AS "KEY", coalesce(e.k, '[' || (row_number() OVER () - 1) || ']') AS PATH,
    CASE WHEN e.k IS NULL THEN (row_number() OVER () - 1)::BIGINT END AS "INDEX", e.v AS "VALUE", to_json(input) AS THIS
    FROM (SELECT unnest(CASE WHEN json_type(to_json(input)) = 'OBJECT'
        THEN list_transform(json_keys(to_json(input)), lambda x: struct_pack(k := x, v := json_extract(to_json(input), '$."' || x || '"')))
        ELSE list_transform(CAST(to_json(input) AS JSON[]), lambda x: struct_pack(k := NULL::VARCHAR, v := x)) END,
        recursive := true)) AS e(k, v)
"""


def _split(text: str) -> list[str]:
    """One macro per line that is not indented. A macro comes after those that it uses."""
    found: list[str] = []
    for line in text.strip("\n").splitlines():
        if line.startswith(" "):
            found[-1] += "\n" + line
        else:
            found.append(line)
    return found


STATEMENTS = [f"CREATE OR REPLACE MACRO {macro}" for macro in (*_split(_MACROS), *_split(_TABLE_MACROS))]
