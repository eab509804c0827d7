"""The rows of a staged file as the file itself tells them: a Parquet file by its footer, CSV by its records."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from snowmelt.errors import StagingError
from snowmelt.load.csv import read_csv
from snowmelt.load.csv_records import split_records
from snowmelt.load.s3_object import ObjectFile, S3Object
from snowmelt.vocabulary import FileFormat


def count_rows(source: S3Object, file_format: str, compression: str) -> int:
    """Rows of one file.

    :raises StagingError: it cannot be read as what it should be.
    """
    try:
        if FileFormat(file_format) is FileFormat.PARQUET:
            return int(pq.ParquetFile(pa.PythonFile(ObjectFile(source), mode="r")).metadata.num_rows)
        return sum(1 for _ in split_records(piece.data for piece in read_csv(source, compression)))
    except (pa.ArrowException, OSError) as error:
        raise StagingError(f"{source.origin} is not a whole {file_format} file: {error}.") from error
