"""Writes test/examon/forms/avro.golden.json with fastavro, which shares nothing with the reader under test.

pip install fastavro; python3 test/compare/avro_golden.py
"""
import base64, io, json, pathlib
import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form

TOPIC = ("org/cineca/cluster/marconi100/node/r206n05/rack/206/chassis/NA/slot/05/plugin/ipmi_pub"
         "/chnl/data/units/degreesC/ambient")
PAYLOAD = b"21.4;1658832080.010"
SAMPLE = "r206n05 206 ambient 21.4 1658832080010"
TAGS = {"org": "cineca", "cluster": "marconi100", "node": "r206n05", "rack": "206", "plugin": "ipmi_pub", "chnl": "data"}


def record(name, *fields):
    return {"type": "record", "name": name, "fields": [{"name": n, "type": t} for n, t in fields]}


STRINGS = {"type": "map", "values": "string"}
EXAMON = record("Sample", ("name", "string"), ("value", "double"), ("timestamp", "long"), ("tags", STRINGS))
UNION = record("Loose", ("name", "string"), ("value", ["null", "long", "double"]), ("timestamp", "long"), ("tags", STRINGS))
TELEGRAF = record("Metric", ("fields", STRINGS), ("name", "string"), ("tags", STRINGS), ("timestamp", "long"))
SCHEMAS = {1: "string", 2: "bytes", 3: record("MsgKey", ("topic", "string"), ("id", "string")), 4: EXAMON, 5: UNION,
           6: {"type": "array", "items": EXAMON}, 7: TELEGRAF}
PARSED = {i: fastavro.parse_schema(s) for i, s in SCHEMAS.items()}


def body(schema, value):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, value)
    return out.getvalue()


def registry(i, value):
    return b"\0" + i.to_bytes(4, "big") + body(PARSED[i], value)


def single(schema, value):
    print_hex = fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO")
    # fastavro prints the fingerprint in the order of its bytes on the wire
    return b"\xc3\x01" + bytes.fromhex(print_hex) + body(schema, value)


sample = {"name": "ambient", "value": 21.4, "timestamp": 1658832080010, "tags": TAGS}
good = registry(4, sample)
cases = [
    ("bytes as value, text as key", registry(1, TOPIC), registry(2, PAYLOAD), [SAMPLE]),
    ("bytes as value, a key without schema", TOPIC.encode(), registry(2, PAYLOAD), [SAMPLE]),
    ("text as value", registry(1, TOPIC), registry(1, PAYLOAD.decode()), [SAMPLE]),
    ("structured key, raw value", registry(3, {"topic": TOPIC, "id": "7"}), PAYLOAD, [SAMPLE]),
    ("structured key, bytes as value", registry(3, {"topic": TOPIC, "id": "7"}), registry(2, PAYLOAD), [SAMPLE]),
    ("a sample as a record", b"any", good, [SAMPLE]),
    ("a number of several types", b"any", registry(5, sample), [SAMPLE]),
    ("a number that is a whole one", b"any", registry(5, {**sample, "value": 21}), [SAMPLE.replace("21.4", "21")]),
    ("no number", b"any", registry(5, {**sample, "value": None}), ["no_value"]),
    ("a list", b"any", registry(6, [sample, {**sample, "timestamp": 1658832100010}]),
     [SAMPLE, SAMPLE.replace("080010", "100010")]),
    ("Telegraf", b"any", registry(7, {"fields": {"value": PAYLOAD.decode()}, "name": "mqtt_consumer",
                                      "tags": {"topic": TOPIC, "host": "bridge01"}, "timestamp": 1658832080}), [SAMPLE]),
    ("single object", b"any", single(PARSED[4], sample), [SAMPLE]),
    ("single object of another schema", b"any", single(PARSED[5], sample), ["bad_schema"]),
    ("single object, cut off in its fingerprint", b"any", b"\xc3\x01abc", ["bad_schema"]),
    ("JSON with the id of its schema", b"any", b"\0\0\0\0\x08" + json.dumps(sample).encode(), [SAMPLE]),
    ("Protobuf", b"any", b"\0\0\0\0\x09\0\x0a", ["bad_schema"]),
    ("a schema that nobody knows", b"any", b"\0\0\0\x01\x00" + good[5:], ["bad_schema"]),
    ("cut off within the id", b"any", good[:3], ["bad_schema"]),
    ("cut off within the record", b"any", good[:12], ["bad_schema"]),
    ("more than the record", b"any", good + b"x", ["bad_schema"]),
    ("bytes, and a key that names no topic", b"r206n05", registry(2, PAYLOAD), ["bad_topic"]),
    ("bytes, and a key of an unknown schema", b"\0\0\0\x01\x00a", registry(2, PAYLOAD), ["no_topic"]),
]
golden = {
    "schemas": {str(i): s for i, s in SCHEMAS.items()},
    "single": EXAMON,
    "records": [{"name": n, "key": base64.b64encode(k).decode(), "value": base64.b64encode(v).decode(), "expected": e}
                for n, k, v, e in cases],
}
path = pathlib.Path(__file__).parent.parent / "examon/forms/avro.golden.json"
path.write_text(json.dumps(golden, indent=2) + "\n")
