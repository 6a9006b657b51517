"""What stands in a run folder: file names, table columns, and the Arrow schemas made of them.

Every recorded table is one Arrow IPC stream file ``NAME.arrow`` whose first column is `tick` (int64, 1 ns).
A vector is one fixed-size-list column; its unit and shape stand in the field's metadata.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

__all__ = [
    "CONTROL",
    "END_OF_STREAM",
    "EVENTS",
    "MANIFEST",
    "POPULATIONS",
    "PROFILE",
    "PROFILE_COLUMNS",
    "REPORT",
    "SCENE",
    "SPIKES_SCHEMA",
    "SUMMARY",
    "Column",
    "columns_of",
    "counts_table",
    "schema_of",
    "shard_name",
    "table_file",
]

MANIFEST = "manifest.json"
CONTROL = "control.json"
SUMMARY = "summary.json"
POPULATIONS = "populations.json"
SCENE = "scene.json"
PROFILE = "profile.csv"
EVENTS = "events.jsonl"
REPORT = "report.html"

#: Columns of `profile.csv`: step number, tick at its end, 1 for a first step (measured apart), then seconds.
PROFILE_COLUMNS = (
    "step",
    "tick",
    "first",
    "brain_prepare",
    "brain_kernel",
    "brain_read",
    "brain_record",
    "exchange",
    "body",
    "transfer",
    "record",
    "other",
    "step_s",
)

#: The two words that end an Arrow IPC stream.
END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"

#: Spikes of a finished run, sorted by (tick, population, index).
SPIKES_SCHEMA = pa.schema(
    [
        pa.field("population", pa.dictionary(pa.int32(), pa.string())),
        pa.field("index", pa.uint32()),
        pa.field("tick", pa.int64(), metadata={"unit": "ns"}),
    ]
)


@dataclass(frozen=True, slots=True)
class Column:
    """One recorded signal: its name, unit, shape (empty: a scalar) and number type."""

    name: str
    unit: str = ""
    shape: tuple[int, ...] = ()
    dtype: str = "float64"

    @property
    def size(self) -> int:
        """Numbers in one value."""
        size = 1
        for extent in self.shape:
            size *= extent
        return size


def table_file(name: str) -> str:
    """Return the file name of a recorded table."""
    return f"{name}.arrow"


def counts_table(brain: str = "brain") -> str:
    """Return the name of the table of a brain's spikes per population and step."""
    return f"counts.{brain}"


def shard_name(brain: str = "brain") -> str:
    """Return the file name of the spikes that a brain's first process writes; others put a rank before the suffix."""
    return f"spikes.{brain}.shard"


def schema_of(columns: Iterable[Column]) -> pa.Schema:
    """Return the Arrow schema of a table: `tick`, then `columns`."""
    fields = [pa.field("tick", pa.int64(), nullable=False, metadata={"unit": "ns"})]
    for column in columns:
        kind = pa.from_numpy_dtype(column.dtype)
        if column.shape:
            kind = pa.list_(pa.field("item", kind, nullable=False), column.size)
        metadata = {"unit": column.unit, "shape": json.dumps(column.shape)}
        fields.append(pa.field(column.name, kind, nullable=False, metadata=metadata))
    return pa.schema(fields)


def columns_of(schema: pa.Schema) -> list[Column]:
    """Return the columns that `schema_of` made a schema from, without `tick`."""
    found = []
    for field in schema:
        if field.name == "tick":
            continue
        metadata = field.metadata or {}
        kind = field.type.value_type if pa.types.is_fixed_size_list(field.type) else field.type
        found.append(
            Column(
                name=field.name,
                unit=metadata.get(b"unit", b"").decode(),
                shape=tuple(json.loads(metadata.get(b"shape", b"[]"))),
                dtype=str(kind.to_pandas_dtype()().dtype),
            )
        )
    return found
