"""What the random operators draw, from PROTOCOL.md, section 3.5, alone: writes server/conformance/random.json."""

import json
import math
import pathlib

MASK = 2**32 - 1


def philox(counter, key):
    """Philox4x32-10 (Salmon and others, 2011)."""
    a, b, c, d = counter
    k, l = key
    for _ in range(10):
        first, second = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = (second >> 32) ^ b ^ k, second & MASK, (first >> 32) ^ d ^ l, first & MASK
        k, l = (k + 0x9E3779B9) & MASK, (l + 0xBB67AE85) & MASK
    return a, b, c, d


# The known answers of Random123's kat_vectors.
assert philox((0, 0, 0, 0), (0, 0)) == (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)
assert philox((MASK,) * 4, (MASK,) * 2) == (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)


def pair(seed, index):
    block = index // 2
    w = philox((block & MASK, block >> 32, 0, 0), (seed & MASK, seed >> 32))
    return [((w[at] >> 5) * 2**26 + (w[at + 1] >> 6)) / 2**53 for at in (0, 2)]


def uniform(seed, index):
    return pair(seed, index)[index % 2]


def normal(seed, index):
    first, second = pair(seed, index)
    radius, angle = math.sqrt(-2 * math.log(1 - first)), 2 * math.pi * second
    return radius * (math.sin if index % 2 else math.cos)(angle)


def multinomial(seed, rows, samples):
    drawn = []
    for at in range(len(rows) * samples):
        row = rows[at // samples]
        most, total, sums = max(row), 0.0, []
        for log in row:
            total += math.exp(log - most)
            sums.append(total)
        target = uniform(seed, at) * total
        drawn.append(next((index for index, part in enumerate(sums) if part > target), len(row) - 1))
    return drawn


def case(operator, attributes, outputs, inputs=()):
    return {"operator": operator, "inputs": list(inputs), "attributes": attributes, "outputs": [outputs]}


BIG = 2**53 - 1
RATES = [0.0, 0.25, 0.5, 0.75, 1.0]
ROWS = [[0.0, 1.0, 2.0], [5.0, 5.0, -100.0]]
CASES = [
    case("RandomUniform", {"shape": [2, 3], "seed": 0}, ["float32", [2, 3], [uniform(0, at) for at in range(6)]]),
    case("RandomUniform", {"shape": [3], "seed": BIG, "low": -2, "high": 6, "dtype": 11}, ["float64", [3], [-2 + 8 * uniform(BIG, at) for at in range(3)]]),
    case("RandomNormal", {"shape": [5], "seed": 1, "mean": 1, "scale": 0.5}, ["float32", [5], [1 + 0.5 * normal(1, at) for at in range(5)]]),
    case("RandomNormal", {"shape": [], "seed": 1}, ["float32", [], [normal(1, 0)]]),
    case("RandomNormalLike", {"seed": 7}, ["float64", [2, 2], [normal(7, at) for at in range(4)]], [["float64", [2, 2], [0, 0, 0, 0]]]),
    case("RandomUniformLike", {"seed": 7, "dtype": 1}, ["float32", [3], [uniform(7, at) for at in range(3)]], [["int64", [3], [0, 0, 0]]]),
    case("Bernoulli", {"seed": 3}, ["float32", [5], [int(uniform(3, at) < rate) for at, rate in enumerate(RATES)]], [["float32", [5], RATES]]),
    case("Bernoulli", {"seed": 3, "dtype": 9}, ["bool", [5], [int(uniform(3, at) < rate) for at, rate in enumerate(RATES)]], [["float32", [5], RATES]]),
    case("Multinomial", {"seed": 5, "sample_size": 4}, ["int32", [2, 4], multinomial(5, ROWS, 4)], [["float32", [2, 3], sum(ROWS, [])]]),
]

target = pathlib.Path(__file__).parent / "../../server/conformance/random.json"
target.write_text("[\n" + ",\n".join(json.dumps(entry) for entry in CASES) + "\n]\n")
