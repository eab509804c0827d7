"""Writing the set-up's files into a folder, and never over what someone wrote by hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from snowmelt.errors import ConfigurationError

#: A template for secrets: readable by its owner alone from the start, since it will hold them.
_PRIVATE = "airflow-connections.env"


def write_setup(
    folder: Path, files: Mapping[str, str], *, earlier: Mapping[str, str], force: bool = False
) -> list[str]:
    """Write the files that are not there yet, or would change; all or none.

    :param earlier: file name → text that an earlier call may have written: such a file is replaced without `force`.
    :returns: the names of the files that were written.
    :raises ConfigurationError: a file holds something else, and `force` is not set; nothing was written. All of them are named.
    """
    present = {name: path.read_text(encoding="utf-8") for name in files if (path := folder / name).is_file()}
    changed = [name for name, text in files.items() if present.get(name) != text]
    kept = [name for name in changed if name in present and present[name] != earlier.get(name)]
    if kept and not force:
        raise ConfigurationError(
            f"{folder} holds files that were changed, or made from another configuration; nothing was written. "
            "Give --force to overwrite them, or another --output:",
            tuple(kept),
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name in changed:
        path = folder / name
        if name == _PRIVATE:
            path.touch(mode=0o600)
        path.write_text(files[name], encoding="utf-8")
    return changed
