"""A straightforward peer of the line in Python: confluent-kafka for records, numpy for windows, no scoring, no output.

pip install confluent-kafka numpy; test/bench/stream.ts runs it: peer.py BROKER TOPIC GROUP RECORDS SERIES
Prints records a second, from the first batch on.
"""
import sys
import time
import numpy as np
from confluent_kafka import Consumer

BATCH = 10_000
WINDOW_SECONDS = 900
bootstrap, topic, group, wanted = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest",
                     "enable.auto.commit": False, "queued.max.messages.kbytes": 65536})
consumer.subscribe([topic])

series = {}
room = int(sys.argv[5])
windows = {}


def statistics():
    return {"n": np.zeros(room), "sum": np.zeros(room), "squares": np.zeros(room),
            "min": np.full(room, np.inf), "max": np.full(room, -np.inf)}


def series_of(key):
    """Number of a series by its topic, whose grammar is looked at once."""
    found = series.get(key)
    if found is None:
        tokens = key.decode().split("/")
        tags = dict(zip(tokens[0:-1:2], tokens[1:-1:2]))
        if "plugin" not in tags or tags.get("chnl") != "data" or "node" not in tags:
            return -1
        found = series[key] = len(series)
    return found


read, started, first, closed = 0, None, 0, 0
while read < wanted:
    batch = consumer.consume(BATCH, timeout=1.0)
    numbers, values, times = [], [], []
    for message in batch:
        if message.error():
            raise SystemExit(message.error())
        number = series_of(message.key())
        if number < 0:
            continue
        value, seconds = message.value().split(b";")
        numbers.append(number)
        values.append(float(value))
        times.append(float(seconds))
    at, x = np.array(numbers, dtype=np.int64), np.array(values)
    starts = (np.array(times) // WINDOW_SECONDS).astype(np.int64)
    for start in np.unique(starts):
        pane = windows.setdefault(start, statistics())
        here = starts == start
        np.add.at(pane["n"], at[here], 1)
        np.add.at(pane["sum"], at[here], x[here])
        np.add.at(pane["squares"], at[here], x[here] ** 2)
        np.minimum.at(pane["min"], at[here], x[here])
        np.maximum.at(pane["max"], at[here], x[here])
    for start in sorted(windows)[:-1]:
        pane = windows.pop(start)
        n = np.maximum(pane["n"], 1)
        mean = pane["sum"] / n
        features = np.stack([mean, pane["squares"] / n - mean**2, pane["min"], pane["max"]], axis=1)
        closed += len(features)
    read += len(batch)
    if started is None and read > 0:
        started, first = time.perf_counter(), read
consumer.close()
print((read - first) / (time.perf_counter() - started))
