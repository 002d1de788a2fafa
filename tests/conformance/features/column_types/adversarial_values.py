"""JSON values inside and outside the range of each column type."""

import random
from collections.abc import Iterator


def _deep(opening: str, closing: str, depth: int) -> str:
    return opening * depth + "1" + closing * depth


NUMBERS = [
    *("0", "1", "-1", "0.0", "-0.0", "0.1", "1.005", "1.5", "-0.5", "1e2", "1E400", "-1e400"),
    *("32767", "32768", "-32768", "-32769"),
    *("2147483647", "2147483648", "-2147483648", "-2147483649"),
    *("9223372036854775807", "9223372036854775808"),
    *("-9223372036854775808", "-9223372036854775809"),
    *("99999999.99", "100000000", "99999999.999", "12345678.905"),
    *("3.4028234e38", "3.5e38", "1e-46", "1e-45", "1e308", "1e309", "5e-324", "1e-400"),
    *("1e999999", "-1e999999", "1e-999999", "1e131071", "1e131072", "1e-16383", "1e-16384"),
    *("NaN", "Infinity", "-Infinity"),
    *("9007199254740993", "123456789012345678901234567890.123456789", "16777217"),
    "1" + "0" * 400,
    "1" * 4301,
    "0." + "0" * 400 + "1",
]
STRINGS = [
    *('""', '" "', '"a"', '"abc"', '"abc  "', '"\\t\\n"', '"%_\\\\"', '"\'; --"'),
    *(
        '"\\u0000"',
        '"a\\u0000b"',
        '"\\ud800"',
        '"a\\udfff\\ud800"',
        '"\\ud83d\\ude00"',
        '"\\uffff"',
    ),
    *('"' + "x" * 20 + '"', '"' + "x" * 21 + '"', '"' + "\\ud83d\\ude00" * 20 + '"'),
    *('"' + "x" * 100_000 + '"', '"' + "x" * 100_001 + '"'),
    *('"7"', '"-7"', '"1e999999"', '"1e5"', '"NaN"', '"sNaN"', '"Infinity"', '"-Infinity"'),
    *('"1_000"', '"0x10"', '"\\u0661\\u0662"', '"1.50"', '"true"', '"null"', '"red"', '"RED"'),
    *('"dark-blue"', '"AAECAw=="', '"AAECAw"', '"_-_-"', '"10101010"', '"101"'),
]
TIMES = [
    *('"0001-01-01"', '"9999-12-31"', '"10000-01-01"', '"0000-01-01"', '"2024-02-29"'),
    *('"2023-02-29"', '"2024-01-01T00:00:00"', '"2024-01-01T00:00:00Z"', '"2024-01-01 00:00"'),
    *('"0001-01-01T00:00:00Z"', '"0001-01-01T00:00:00+14:00"', '"0001-01-01T00:00:00-14:00"'),
    *('"9999-12-31T23:59:59.999999Z"', '"9999-12-31T23:59:59.999999-14:00"'),
    *('"9999-12-31T23:59:59.999999+14:00"', '"2024-01-01T00:00:00.1234567Z"', '"infinity"'),
    *('"9999-12-31T23:59:59.999999"', '"0001-01-01T00:00:00"', '"-infinity"'),
    *('"1900-01-01T00:00:00+00:19:32"', '"2024-06-30T23:59:60Z"', '"20240101"', '"1704067200"'),
    *('"00:00:00"', '"23:59:59.999999"', '"24:00:00"', '"23:59:60"', '"12:00"', '"12:00:00Z"'),
    *('"12:00:00+15:59"', '"12:00:00+16:00"', '"12:00:00-23:59"', '"12:00:00+00:00:30"'),
    *('"P1D"', '"-P1D"', '"P1Y"', '"P1M"', '"PT0.000001S"', '"P999999999DT23H59M59.999999S"'),
    *('"-P999999999D"', '"P1000000000D"', '"P9999999999999D"', '"1 day"', '"PT"', '"P400000000D"'),
]
ADDRESSES = [
    *('"10.0.0.1"', '"10.0.0.1/8"', '"10.0.0.0/8"', '"10.0.0.1/33"', '"::1"', '"::1/64"', '"::/0"'),
    *('"::ffff:10.0.0.1"', '"fe80::1%eth0"', '"fe80::1%eth0/64"', '"0.0.0.0/0"', '"::1%"'),
    *('"10.0.0.1/255.0.0.0"', '"08:00:2b:01:02:03"', '"01987f3e-6b5d-7c3a-b0f2-d4c6e8a01357"'),
    *('"ffffffffffffffffffffffffffffffff"', '"{01987f3e-6b5d-7c3a-b0f2-d4c6e8a01357}"'),
]
ARRAYS = [
    *("[]", "[null]", "[1, null]", "[1, 2, 3]", "[[1, 2], [3, 4]]", "[[]]", "[true]", "[0.5]"),
    *("[2147483648]", "[-2147483649]", "[1e999999]", "[NaN]", '["NaN"]', "[1e-999999]"),
    *('["a", "", "NULL", "{}", "a,b", "\\"", "\\\\"]', '["\\u0000"]', '["\\ud800"]', '["red"]'),
    *('["red", "dark-blue"]', '["blue"]', '["1.50", "0"]', "[1.50, 3]"),
    "[" + ",".join("1" * 40_000) + "]",
]
OBJECTS = [
    *("{}", '{"a": 1, "a": 2}', '{"a": null}', '{"a": 0.1, "b": -0.0, "c": 1e22}'),
    *('{"a": "\\u0000"}', '{"\\u0000": 1}', '{"\\ud800": 1}', '{"a": "\\ud800"}', '{"": ""}'),
    *('{"a": NaN}', '{"a": 1e999999}', '{"a": Infinity}', '{"a": [1, [2, {"b": []}]]}'),
    *('{"a": 12345678901234567890123456789012345678901234567890}', '{"a": true, "b": 1}'),
    *('{"lower": 1, "upper": 3}', '{"lower": null, "upper": null}', '{"lower": 1, "upper": null}'),
    *('{"lower": null, "upper": 2147483647}', '{"lower": 2147483647, "upper": null}'),
    *(
        '{"lower": 2147483648, "upper": null}',
        '{"lower": 3, "upper": 3}',
        '{"lower": 5, "upper": 1}',
    ),
    *('{"lower": "0001-01-01", "upper": "9999-12-31"}', '{"lower": "9999-12-31", "upper": null}'),
    *('{"lower": null, "upper": "2024-01-01"}', '{"lower": "2024-01-01", "upper": "2024-01-02"}'),
    '{"a": ' + "9" * 200 + "}",
    *(_deep("[", "]", 20), _deep("[", "]", 300), _deep("[", "]", 5_000), _deep("[", "]", 100_000)),
    *(_deep('{"a":', "}", 20), _deep('{"a":', "}", 300), _deep('{"a":', "}", 5_000)),
]
CONSTANTS = ["null", "true", "false"]
ALL = [*CONSTANTS, *NUMBERS, *STRINGS, *TIMES, *ADDRESSES, *ARRAYS, *OBJECTS]

_LIKELY: list[tuple[tuple[str, ...], list[str]]] = [
    (("small", "integer", "big", "price", "number"), [*NUMBERS, *STRINGS[20:29]]),
    (("single", "double", "flag"), [*NUMBERS, *CONSTANTS]),
    (("day", "clock", "clock_tz", "moment", "local", "duration"), TIMES),
    (("document", "plain_json", "meta"), [*OBJECTS, *NUMBERS, *STRINGS[:14]]),
    (("integers", "decimals", "words", "colours"), ARRAYS),
    (("address", "network", "mac", "token"), ADDRESSES),
    (("numbers", "days"), OBJECTS),
]


def some_values(column: str, count: int) -> list[str]:
    """Return a fixed selection of values for a column, most of them close to its type."""
    choose = random.Random(column)
    likely = next((values for columns, values in _LIKELY if column in columns), STRINGS)
    return [*choose.sample(likely, min(len(likely), count)), *choose.sample(ALL, 2)]


# Values of query and path parameters.
TEXTS = [
    *("", " ", "0", "1", "-1", "+1", "01", "1.0", "0.1", "1e5", "1e999999", "NaN", "Infinity"),
    *("32768", "2147483648", "9223372036854775807", "9223372036854775808", "-9223372036854775809"),
    *(
        "\x00",
        "a\x00b",
        "%",
        "_",
        "\\",
        "%\\",
        "'",
        "\u0661",
        "\U0001f600",
        "null",
    ),
    *("0001-01-01", "9999-12-31", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2024-01-01T00:00:00", "infinity"),
    *("P1D", "P999999999D", "-P999999999D", "P1000000000D", "red", "RED", "x" * 300, "1" * 5000),
    *("01987f3e-6b5d-7c3a-b0f2-d4c6e8a01357", "true", "[]", "{}", "1,2"),
]


def random_values(seed: str) -> Iterator[str]:
    """Yield random variations of the values above, endlessly."""
    # A seeded generator makes a failure reproducible.
    choose = random.Random(seed)
    while True:
        value = choose.choice(ALL)
        match choose.randrange(5):
            case 0:
                yield value
            case 1:
                yield str(
                    choose.randrange(-(2 ** choose.randrange(1, 80)), 2 ** choose.randrange(1, 80))
                )
            case 2:
                yield f"{choose.uniform(-10, 10)}e{choose.randrange(-400, 400)}"
            case 3 if len(value) < 1000:
                yield f"[{value}, {choose.choice(CONSTANTS + NUMBERS)}]"
            case _ if len(value) < 1000:
                yield f'{{"a": {value}, "b": [{value}]}}'
            case _:
                yield value
