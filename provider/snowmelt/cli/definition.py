"""What `airflow snowmelt` offers. Read by every call of `airflow`, so nothing heavy is imported here."""

from __future__ import annotations

from airflow.cli.cli_config import ActionCommand, Arg, CLICommand, GroupCommand, lazy_load_command

_CONFIG = Arg(
    ("--config",),
    help="the configuration file; default: SNOWMELT_CONFIG, else config_file in the section snowmelt of airflow.cfg, else include/config/s3copyconfig.json here",
)
_TABLE = Arg(
    ("table",),
    help="a configured table: its DAG (migrate__…), its source (DATABASE.SCHEMA.TABLE, or TABLE), or its target",
)
_JSON = Arg(("--json",), help="print JSON", action="store_true")
_ARGUMENTS = (
    _CONFIG,
    Arg(("--output",), help="the folder to write into; default: snowmelt-setup", default="snowmelt-setup"),
    Arg(("--stdout",), help="print the files instead of writing them", action="store_true"),
    Arg(("--force",), help="overwrite files that were changed by hand", action="store_true"),
    Arg(("--aws-account",), help="the AWS account of the IAM roles, 12 digits"),
    Arg(("--bucket-account",), help="the AWS account that owns the bucket, where it is another one"),
    Arg(("--aws-region",), help="the bucket's region"),
    Arg(("--iam-role",), help="the IAM role that Snowflake assumes; default: snowmelt-snowflake"),
    Arg(
        ("--rds-role",),
        help="the IAM role of the database instance, for aws_s3; default: snowmelt-rds-import",
    ),
    Arg(("--rds-arn",), help="the ARN of the RDS instance or Aurora cluster, for aws_s3"),
    Arg(("--kms-key-arn",), help="the key that encrypts the bucket, where it is one of your own"),
    Arg(("--snowflake-role",), help="default: SNOWMELT_ROLE"),
    Arg(("--snowflake-user",), help="default: SNOWMELT"),
    Arg(("--warehouse",), help="where the configuration names none; default: SNOWMELT_WH"),
    Arg(
        ("--source-kind",),
        action="append",
        metavar="NAME=KIND",
        help="a source that is not a table: DATABASE.SCHEMA.NAME=view (materialized_view, dynamic_table, external_table, iceberg_table), or "
        "DATABASE=imported; can be given several times",
    ),
    Arg(
        ("--future-grants",),
        action="store_true",
        help="grant SELECT on future objects of the sources' schemas, for sources that are replaced (dbt)",
    ),
    Arg(("--rsa-public-key-file",), help="PEM file with the user's public key"),
    Arg(("--postgres-role",), help="default: snowmelt"),
    Arg(("--storage-aws-iam-user-arn",), help="as DESC INTEGRATION shows it, after snowflake.sql was run"),
    Arg(("--storage-aws-external-id",), help="likewise"),
)


def get_snowmelt_cli_commands() -> list[CLICommand]:
    """The commands, for the provider's entry `cli`."""
    setup = ActionCommand(
        name="setup-sql",
        help="Write what has to be run once in Snowflake, AWS and PostgreSQL",
        description="Reads the configuration and writes SQL, IAM policies and connection templates, with the least rights that its tables "
        "need. Connects to nothing. STEPS.md among the files says what to run where.",
        func=lazy_load_command("snowmelt.cli.setup_sql.run_setup_sql"),
        args=_ARGUMENTS,
    )
    doctor = ActionCommand(
        name="doctor",
        help="Check connections, rights and what a copy relies on, and say how to put right what is wrong",
        description="Runs the checks of the DAG migration_doctor here, with Airflow's connections, and prints their report. It asks queries, unloads a few "
        "rows of its own into the bucket and removes them. Exit code: 0 where nothing is wrong, 1 where something is, 2 for a wrong option.",
        func=lazy_load_command("snowmelt.cli.doctor.run_doctor"),
        args=(
            _CONFIG,
            _JSON,
            Arg(
                ("--check",),
                action="append",
                choices=(
                    "snowflake",
                    "aws",
                    "postgres",
                    "stage",
                    "unload",
                    "table",
                    "clocks",
                    "assumptions",
                    "leftovers",
                ),
                help="one check alone; can be given several times; default: all",
            ),
            Arg(
                ("--record",),
                metavar="FILE",
                help="write every statement and answer into a file for a report of a problem: without a name, value or secret of yours",
            ),
        ),
    )
    plan = ActionCommand(
        name="plan",
        help="Say what a run of a table would do now, without doing it",
        description="Plans a run with Airflow's connections, and stores and unloads nothing. Prints rows, chunks, snapshot, policies, the statement of the "
        "unload, and what the last published copy lets expect: files, bytes, seconds ('-' where there was none). Exit code: 0, or 1 with the reasons "
        "where such a run would stop, 2 for a wrong option.",
        func=lazy_load_command("snowmelt.cli.plan.run_plan"),
        args=(
            _TABLE,
            _CONFIG,
            _JSON,
            Arg(
                ("-p", "--parameter"),
                action="append",
                metavar="NAME=VALUE",
                help="a parameter of the trigger form, such as mode=full or row_limit=500; can be given several times",
            ),
            Arg(
                ("--sql",),
                help="print the statement of every chunk, not of the first alone",
                action="store_true",
            ),
        ),
    )
    check = ActionCommand(
        name="check",
        help="Read the configuration and report every fault",
        description="Connects to nothing. Exit code: 0 where every table can be copied, 1 where the file or a table of it has a fault, 2 for a wrong option.",
        func=lazy_load_command("snowmelt.cli.config.run_check"),
        args=(_CONFIG, _JSON),
    )
    show = ActionCommand(
        name="show",
        help="Print every setting of a table, and where it comes from",
        description="Each line is a setting, its value, and its origin: table, source, a section of the file, default, or rule (derived from other "
        "settings). Connects to nothing. Exit code: 0, or 1 where there is no such table.",
        func=lazy_load_command("snowmelt.cli.config.run_show"),
        args=(_TABLE, _CONFIG, _JSON),
    )
    status = ActionCommand(
        name="status",
        help="Say of every table whether it is failing, late, running or good",
        description="Joins the ledgers with Airflow's own state, as the page Migrations does. Exit code, for monitors: 0 where all is good, 1 where a "
        "table is late or differs, 2 where one fails, 3 where a ledger cannot be read.",
        func=lazy_load_command("snowmelt.cli.runs.run_status"),
        args=(Arg(("table",), nargs="?", help="a target, a source or a DAG; default: all tables"), _JSON),
    )
    history = ActionCommand(
        name="history",
        help="List the runs of a table",
        description="The latest first: outcome, duration, rows, bytes, who started it, which settings changed, and the error. Exit code: 0, or 1 where no "
        "ledger has the table, 2 for a wrong option.",
        func=lazy_load_command("snowmelt.cli.runs.run_history"),
        args=(
            Arg(("table",), help="its target (public.visits), its source or its DAG"),
            Arg(("--limit",), type=int, default=20, help="runs at most; default: 20"),
            _JSON,
        ),
    )
    report = ActionCommand(
        name="report",
        help="Print the report of a run",
        description="Made of the ledger, of a run that failed or goes on as well, as Markdown. Exit code: 0, or 1 where the ledger does not have the run or "
        "cannot be read, 2 for a wrong option.",
        func=lazy_load_command("snowmelt.cli.runs.run_report"),
        args=(
            Arg(("run",), help="the run's id in the ledger, as the pages and `history` show it"),
            Arg(
                ("--postgres-conn-id",),
                default="postgres_default",
                help="whose ledger; default: postgres_default",
            ),
            _JSON,
        ),
    )
    return [
        GroupCommand(
            name="snowmelt",
            help="Move tables from Snowflake to PostgreSQL through S3",
            subcommands=(
                setup,
                doctor,
                plan,
                status,
                history,
                report,
                GroupCommand(
                    name="config",
                    help="Check the configuration, and show what it settles",
                    subcommands=(check, show),
                ),
            ),
        )
    ]
