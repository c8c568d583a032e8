"""Every error code, as the body of an error in a message."""

import re
from pathlib import Path

from vectors.wire import ERRORS, golden_case

ROOT = Path(__file__).resolve().parents[3]

#: A client's own, and those of starting a server: docs/PROTOCOL.md, section 5.
STAY_AT_HOME = (
    "unreachable",
    "connection_lost",
    "protocol_violation",
    "refused_upgrade",
    "unauthorized",
    "not_installed",
    "misuse",
    "closed",
    "model_not_found",
    "model_invalid",
    "model_unsupported",
    "address_in_use",
    "bad_configuration",
)


def make_errors():
    page = (ROOT / "docs/PROTOCOL.md").read_text("utf-8")
    table = page[page.index("<!-- errors:begin -->") : page.index("<!-- errors:end -->")]
    for code, retry in re.findall(r"^\| `(\w+)` .*\|\s*(yes)?\s*\|$", table, re.M):
        body = {"code": code, "message": f"An example of {code}."}
        case = golden_case(code, "server", {"type": "error", "errors": [body]}, "")
        ERRORS.append({"code": code, "retry": retry == "yes", "crossesWire": code not in STAY_AT_HOME} | case)
