"""`airflow snowmelt config check` and `airflow snowmelt config show TABLE`."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict
from pathlib import Path

from snowmelt.cli.configuration import answering, find_table, read_configuration
from snowmelt.config.origins import list_settled
from snowmelt.errors import ConfigurationError


def run_check(arguments: argparse.Namespace) -> None:
    """Read the file and report every fault; exits with 1 where there is one."""
    with answering() as out:
        try:
            config = read_configuration(arguments.config)
        except ConfigurationError as error:
            if arguments.json:
                out.write(
                    json.dumps(
                        {
                            "file": None,
                            "tables": 0,
                            "faults": list(error.faults) or [str(error)],
                            "warnings": [],
                        },
                        ensure_ascii=False,
                    )
                    + "\n"
                )
                raise SystemExit(1) from error
            raise SystemExit(str(error)) from error
        faults = [str(fault) for table in config.broken for fault in table.faults]
        if arguments.json:
            answer = {
                "file": config.origin,
                "tables": len(config.tables),
                "faults": faults,
                "warnings": list(config.warnings),
            }
            out.write(json.dumps(answer, ensure_ascii=False, indent=1) + "\n")
        else:
            disabled = sum(not table.enabled for table in config.tables)
            off = f", {disabled} of them disabled" if disabled else ""
            out.write(f"{config.origin}: {len(config.tables)} tables can be copied{off}\n")
            out.writelines(f"warning: {warning}\n" for warning in config.warnings)
            out.writelines(f"fault: {fault}\n" for fault in faults)
    if faults:
        raise SystemExit(1)


def run_show(arguments: argparse.Namespace) -> None:
    """Print every setting of a table, and where it comes from."""
    with answering() as out:
        try:
            config = read_configuration(arguments.config)
            table = find_table(config, arguments.table)
        except ConfigurationError as error:
            raise SystemExit(str(error)) from error
        text = Path(config.origin).read_text(encoding="utf-8")
        settled = list_settled(config, table, text, os.environ)
        if arguments.json:
            out.write(json.dumps([asdict(one) for one in settled], ensure_ascii=False, indent=1) + "\n")
            return
        shown = [(one.name, _show(one.value), one.origin) for one in settled]
        widths = [max(len(row[place]) for row in shown) for place in range(2)]
        out.writelines(
            f"{name:{widths[0]}}  {value:{min(widths[1], 60)}}  {origin}\n" for name, value, origin in shown
        )


def _show(value: object) -> str:
    return (
        "-"
        if value is None or value == []
        else value
        if isinstance(value, str)
        else json.dumps(value, ensure_ascii=False)
    )
