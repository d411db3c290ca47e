"""Reads a lake with pyarrow, as a data set of its folders, and prints what it found as JSON.

Run by pyarrow.test.ts, or by hand as
    python -m venv venv && venv/bin/pip install pyarrow
    venv/bin/python test/lake/pyarrow-check.py click-agg-data/lake
and compare with `click-agg lake status --json`.
"""
import json
import sys

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

COLUMNS = {
    "partition": pa.int32(), "offset": pa.int64(), "append_time": pa.int64(), "key": pa.binary(),
    "click_id": pa.string(), "event_time": pa.int64(), "ad_id": pa.string(), "campaign_id": pa.string(),
    "user_id": pa.string(), "ip_address": pa.string(), "country": pa.string(), "device_type": pa.string(),
    "user_agent": pa.string(), "referrer": pa.string(), "impression_id": pa.string(), "extra": pa.string(),
    "malformed": pa.string(), "value": pa.binary(), "value_bytes": pa.int64(),
}

lake = ds.dataset(sys.argv[1], format="parquet", partitioning=ds.partitioning(flavor="hive"))
for name, expected in COLUMNS.items():
    found = lake.schema.field(name).type
    assert found == expected, f"{name} is {found}, not {expected}"
table = lake.to_table()
places = table.group_by(["partition", "offset"]).aggregate([([], "count_all")])
malformed = pc.is_valid(table["malformed"])
assert places.num_rows == table.num_rows, "a record is there twice"
assert pc.all(pc.equal(malformed, pc.is_valid(table["value"]))).as_py(), "values are of malformed records only"
print(json.dumps({
    "files": len(lake.files),
    "records": table.num_rows,
    "malformed": pc.sum(malformed).as_py(),
    "folders": sorted(set(zip(table["dt"].cast(pa.string()).to_pylist(), table["hour"].to_pylist())))[:3],
}))
