"""What is no frame and no header, byte by byte (PROTOCOL.md, 1.1 and 1.2)."""

from vectors.samples import run_of, tensor, value_of
from vectors.wire import Many, Text, frame, lay_out, pack, reject

CANCEL = "82 a474797065 a663616e63656c a372756e a172"  # {"type": "cancel", "run": "r"}


def make_frame_rejections():
    """Whole messages, byte by byte."""
    good = f"13000000 {CANCEL} 00"  # 4 bytes of length, 19 (0x13) of header, 1 of padding
    assert bytes.fromhex(good) == frame(pack({"type": "cancel", "run": "r"}))
    padded = "19000000 82 a474797065 a663616e63656c a372756e a772727272727272"  # 4 and 25 (0x19), 3 to come
    assert bytes.fromhex(padded + "000000") == frame(pack({"type": "cancel", "run": "rrrrrrr"}))
    table = [
        ("empty", "", "no bytes at all"),
        ("1-byte", "13", "less than a length"),
        ("4-bytes", "13000000", "a length and no header"),
        ("7-bytes", "02000000 81a100", "no frame is shorter than 8 bytes"),
        ("length-0", "00000000 00000000", "a header of no bytes"),
        ("length-0-payload", "00000000 00000000 0000000000000000", "a header of no bytes, then a payload"),
        ("length-past-the-end", f"15000000 {CANCEL} 00", "21 bytes of header declared, 20 there"),
        ("length-one-more", f"14000000 {CANCEL} 00", "a zero byte of padding counted as header: it follows the map"),
        ("length-one-less", f"12000000 {CANCEL} 00", "the last byte of the map is left out"),
        ("length-of-the-message", f"18000000 {CANCEL} 00", "the length counts the header alone"),
        ("length-giant", f"ffffffff {CANCEL} 00", "4 GiB are declared"),
        ("length-half-giant", f"00000080 {CANCEL} 00", "2 GiB: negative in a signed number"),
        ("length-big-endian", f"00000013 {CANCEL} 00", "the length is little-endian"),
        ("padding-1", f"{padded} 000001", "the last byte of padding is not zero"),
        ("padding-ff", f"{padded} ff0000", "the first byte of padding is not zero"),
        ("padding-missing", padded, "the message ends at its header"),
        ("padding-short", f"{padded} 0000", "a byte of padding is missing"),
        ("no-frame", CANCEL, "msgpack without a frame"),
        ("json", b'{"type":"cancel","run":"r"}'.hex(), "JSON"),
    ]
    for id, text, about in table:
        reject("frame", id, "client", bytes.fromhex(text), "bad_frame", about, rule="1.1")
    big = pack({"type": "text", "request": 1, "text": Text("x", 2**24 - 29)})
    reject(
        "frame", "length-16-MiB-and-1", "server", frame(big), "bad_frame", "a header of 16 MiB and one byte", rule="1.1"
    )


TYPE = "a474797065 a663616e63656c"  # "type": "cancel"
RUN = "a372756e a172"  # "run": "r"


def make_header_rejections():
    """Headers, byte by byte; the frame around each is right."""
    table = [
        ("top/nil", "c0", "the top is nil"),
        ("top/true", "c3", "the top is true"),
        ("top/integer", "01", "the top is an integer"),
        ("top/string", "a3616263", "the top is a string"),
        ("top/list", f"92 {TYPE}", "the top is a list"),
        ("top/empty-map", "80", "no `type`"),
        ("top/no-type", f"81 {RUN}", "no `type`"),
        ("top/type-nil", f"82 a474797065 c0 {RUN}", "`type` is nil"),
        ("top/type-integer", f"82 a474797065 01 {RUN}", "`type` is an integer"),
        ("top/type-list", f"82 a474797065 91a3616263 {RUN}", "`type` is a list"),
        ("trailing/zero", f"{CANCEL} 00", "a byte after the map"),
        ("trailing/map", f"{CANCEL} {CANCEL}", "a second map after the map"),
        ("trailing/nil", f"{CANCEL} c0", "a nil after the map"),
        ("ext/fixext1", f"83 {TYPE} {RUN} a178 d40100", "fixext 1"),
        ("ext/fixext2", f"83 {TYPE} {RUN} a178 d5010000", "fixext 2"),
        ("ext/fixext4-timestamp", f"83 {TYPE} {RUN} a178 d6ff00000000", "fixext 4, a timestamp"),
        ("ext/fixext8-timestamp", f"83 {TYPE} {RUN} a178 d7ff0000000000000000", "fixext 8, a timestamp"),
        ("ext/fixext16", f"83 {TYPE} {RUN} a178 d801 00000000000000000000000000000000", "fixext 16"),
        ("ext/ext8", f"83 {TYPE} {RUN} a178 c7010100", "ext 8"),
        ("ext/ext16", f"83 {TYPE} {RUN} a178 c800010100", "ext 16"),
        ("ext/ext32", f"83 {TYPE} {RUN} a178 c9000000010100", "ext 32"),
        ("ext/record", f"82 {TYPE} a372756e d47240 91a161 a172", "a record of msgpackr in place of a value"),
        ("ext/record-top", "d47240 92 a474797065 a372756e a663616e63656c a172", "a record of msgpackr as the top"),
        ("ext/undefined", f"82 {TYPE} a372756e d40000", "undefined, as msgpackr writes it"),
        ("ext/set", f"82 {TYPE} a372756e d47300 91a172", "a Set, as msgpackr writes it"),
        ("ext/as-key", f"83 {TYPE} {RUN} d40100 00", "a map key"),
        ("bin/bin8", f"82 {TYPE} a372756e c40172", "bin 8 in place of a string"),
        ("bin/bin16", f"82 {TYPE} a372756e c5000172", "bin 16"),
        ("bin/bin32", f"82 {TYPE} a372756e c60000000172", "bin 32"),
        ("bin/type", f"82 a474797065 c40663616e63656c {RUN}", "the type as bin"),
        ("bin/as-key", f"82 {TYPE} c40372756e a172", "a map key"),
        ("reserved/c1", f"83 {TYPE} {RUN} a178 c1", "the tag that msgpack never uses"),
        ("key/integer", f"83 {TYPE} {RUN} 01 00", "an integer as a key"),
        ("key/nil", f"83 {TYPE} {RUN} c0 00", "nil as a key"),
        ("key/true", f"83 {TYPE} {RUN} c3 00", "true as a key"),
        ("key/float", f"83 {TYPE} {RUN} ca3f800000 00", "a float as a key"),
        ("key/list", f"83 {TYPE} {RUN} 90 00", "a list as a key"),
        ("key/map", f"83 {TYPE} {RUN} 80 00", "a map as a key"),
        ("key/twice", f"83 {TYPE} {RUN} {RUN}", "`run` twice, with the same value"),
        ("key/twice-other-value", f"83 {TYPE} {RUN} a372756e a173", "`run` twice, with another value"),
        ("key/twice-type", f"83 {TYPE} {TYPE} {RUN}", "`type` twice"),
        ("key/twice-in-another-form", f"83 {TYPE} {RUN} d90372756e a172", "`run` twice, the second as str 8"),
        ("key/twice-nested", f"83 {TYPE} {RUN} a178 82 a161 01 a161 02", "twice in a map within"),
        ("key/twice-unknown", f"84 {TYPE} {RUN} a178 01 a178 01", "an unknown field twice"),
        ("key/proto", f"83 {TYPE} {RUN} a95f5f70726f746f5f5f 80", "`__proto__`"),
        ("key/constructor", f"83 {TYPE} {RUN} ab636f6e7374727563746f72 80", "`constructor`"),
        ("key/prototype", f"83 {TYPE} {RUN} a970726f746f74797065 80", "`prototype`"),
        ("key/proto-nested", f"83 {TYPE} {RUN} a178 91 81 a95f5f70726f746f5f5f 80", "`__proto__` within"),
        ("key/proto-as-str8", f"83 {TYPE} {RUN} d9095f5f70726f746f5f5f 80", "`__proto__` in a longer form"),
        ("key/not-utf8", f"83 {TYPE} {RUN} a1ff 00", "a key that is not UTF-8"),
        ("utf8/lone-continuation", f"82 {TYPE} a372756e a180", "a continuation byte alone"),
        ("utf8/cut", f"82 {TYPE} a372756e a1c3", "a sequence of 2 cut after 1"),
        ("utf8/cut-4", f"82 {TYPE} a372756e a3f09d84", "a sequence of 4 cut after 3"),
        ("utf8/overlong-2", f"82 {TYPE} a372756e a2c1b2", "an overlong form of `r`"),
        ("utf8/overlong-3", f"82 {TYPE} a372756e a3e081b2", "an overlong form of `r`"),
        ("utf8/overlong-zero", f"82 {TYPE} a372756e a2c080", "an overlong zero"),
        ("utf8/surrogate", f"82 {TYPE} a372756e a3eda080", "U+D800"),
        ("utf8/surrogate-pair", f"82 {TYPE} a372756e a6eda0b4edb49e", "a surrogate pair, as in CESU-8"),
        ("utf8/past-the-last", f"82 {TYPE} a372756e a4f4908080", "U+110000"),
        ("utf8/ff", f"82 {TYPE} a372756e a1ff", "a byte that UTF-8 never has"),
        ("utf8/latin-1", f"82 {TYPE} a372756e a1e9", "`é` in Latin-1"),
        ("utf8/type", f"82 a474797065 a663616e6365ff {RUN}", "in `type`"),
        ("utf8/long", f"82 {TYPE} a372756e d946 {'78' * 69} ff", "the last byte of a str 8 of 70"),
        ("integer/2^53", f"83 {TYPE} {RUN} a178 cf0020000000000000", "uint 64 2^53"),
        ("integer/2^64-1", f"83 {TYPE} {RUN} a178 cfffffffffffffffff", "uint 64 2^64 − 1"),
        ("integer/int64-2^53", f"83 {TYPE} {RUN} a178 d30020000000000000", "int 64 2^53"),
        ("integer/int64-max", f"83 {TYPE} {RUN} a178 d37fffffffffffffff", "int 64 2^63 − 1"),
        ("integer/minus-2^53", f"83 {TYPE} {RUN} a178 d3ffe0000000000000", "int 64 −2^53"),
        ("integer/int64-min", f"83 {TYPE} {RUN} a178 d38000000000000000", "int 64 −2^63"),
        ("length/map", f"83 {TYPE} {RUN}", "a map of 3 with 2 fields"),
        ("length/map-key-only", f"83 {TYPE} {RUN} a178", "the last key has no value"),
        ("length/map-15", f"8f {TYPE} {RUN}", "a map of 15 with 2 fields"),
        ("length/map16", f"deffff {TYPE} {RUN}", "65 535 fields declared"),
        ("length/map32", f"dfffffffff {TYPE} {RUN}", "4 294 967 295 fields declared"),
        ("length/list", f"83 {TYPE} {RUN} a178 92 01", "a list of 2 with 1 member"),
        ("length/list16", f"83 {TYPE} {RUN} a178 dcffff 01", "65 535 members declared"),
        ("length/list32", f"83 {TYPE} {RUN} a178 ddffffffff 01", "4 294 967 295 members declared"),
        ("length/string", f"82 {TYPE} a372756e a272", "a string of 2 with 1 byte"),
        ("length/str8", f"82 {TYPE} a372756e d9ff 72", "255 bytes declared"),
        ("length/str16", f"82 {TYPE} a372756e daffff 72", "65 535 bytes declared"),
        ("length/str32", f"82 {TYPE} a372756e dbffffffff 72", "4 294 967 295 bytes declared"),
        ("length/key", "82 a474797065 a663616e63656c bf 72756e", "a key of 31 with 3 bytes"),
        ("length/str32-cut", f"82 {TYPE} a372756e db0000", "the length itself is cut"),
        ("length/uint64-cut", f"83 {TYPE} {RUN} a178 cf00000000", "a number is cut"),
        ("length/float64-cut", f"83 {TYPE} {RUN} a178 cb3ff00000", "a float is cut"),
        ("length/map32-cut", "df000000", "the map's length is cut"),
        ("depth/17-lists", f"83 {TYPE} {RUN} a178 {'91' * 16} 90", "a list within 17 maps and lists"),
        ("depth/17-values", f"83 {TYPE} {RUN} a178 {'91' * 16} 01", "an integer within 17 maps and lists"),
        ("depth/17-maps", f"83 {TYPE} {RUN} a178 {'81a161' * 16} 01", "an integer within 17 maps"),
    ]
    for id, text, about in table:
        reject("header", id, "client", frame(bytes.fromhex(text)), "bad_frame", about, rule="1.2")
    start = bytes.fromhex(f"83 {TYPE} {RUN} a178")
    deep = start + b"\x91" * 100000 + b"\x90"
    reject("header", "depth/100000", "client", frame(deep), "bad_frame", "lists 100 000 deep", rule="1.2")
    flood = start + b"\xdd" + (4 * 2**20).to_bytes(4, "big") + b"\x80" * (4 * 2**20)
    reject("header", "values/4-MiB-of-maps", "client", frame(flood), "bad_frame", "4 194 304 empty maps", rule="1.2")
    one_more = {"type": "tokens", "request": 1, "ids": [], "tokens": Many("", 199996)}
    reject("header", "values/200001", "server", frame(pack(one_more)), "bad_frame", "200 001 values", rule="1.2")
    wide = {"type": "cancel", "run": "r"} | {f"k{index:02}": 0 for index in range(63)}
    reject("header", "fields/65", "client", frame(pack(wide)), "bad_frame", "a map of 65 fields", rule="1.2")
    node = {
        "kind": "operator",
        "operator": "Op",
        "inputs": [],
        "attributes": {f"a{index:02}": 0 for index in range(65)},
    }
    reject(
        "header",
        "fields/65-attributes",
        "client",
        frame(pack(run_of(node))),
        "bad_frame",
        "also where the keys are free",
        rule="1.2",
    )
    value = tensor("uint8", [1], [1])
    for _ in range(7):
        value = {"tuple": [value]}
    header, payload, _ = lay_out(value_of(value))
    reject(
        "header",
        "depth/tuples-7-deep",
        "server",
        frame(pack(header), payload),
        "bad_frame",
        "a tensor within 7 tuples: its fields lie within 17",
        rule="1.2",
    )
