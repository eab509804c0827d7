"""The formats and constants that a session's parameters give its queries."""

from __future__ import annotations

from sandbox.snowflake.catalog.queries import Query
from sandbox.snowflake.catalog.session import Session
from sandbox.snowflake.rewriting.datetime_formats import Formats


def build_formats(session: Session, query: Query) -> Formats:
    parameters = session.parameters
    general = parameters["TIMESTAMP_OUTPUT_FORMAT"]
    return Formats(
        timezone=parameters["TIMEZONE"],
        ntz=parameters["TIMESTAMP_NTZ_OUTPUT_FORMAT"] or general,
        ltz=parameters["TIMESTAMP_LTZ_OUTPUT_FORMAT"] or general,
        tz=parameters["TIMESTAMP_TZ_OUTPUT_FORMAT"] or general,
        date=parameters["DATE_OUTPUT_FORMAT"],
        time=parameters["TIME_OUTPUT_FORMAT"],
        now=query.started,
        date_input=parameters["DATE_INPUT_FORMAT"],
        time_input=parameters["TIME_INPUT_FORMAT"],
        timestamp_input=parameters["TIMESTAMP_INPUT_FORMAT"],
        strict_json=parameters.flag("STRICT_JSON_OUTPUT"),
        constants={
            "CURRENT_ROLE": session.role,
            "CURRENT_WAREHOUSE": session.warehouse,
            "CURRENT_USER": session.user,
            "CURRENT_ACCOUNT": session.account,
            "CURRENT_ACCOUNT_NAME": session.account,
            "CURRENT_DATABASE": session.database,
            "CURRENT_SCHEMA": session.schema,
            "CURRENT_SESSION": str(session.number),
            "CURRENT_VERSION": "10.0.0",
            "CURRENT_REGION": "AWS_US_EAST_1",
            "CURRENT_CLIENT": session.client,
        },
        query_ids=tuple(session.last_query_ids),
    )
