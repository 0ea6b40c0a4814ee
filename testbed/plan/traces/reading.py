"""The reader that fits a file, found by how the file begins."""

from __future__ import annotations

import stat
from pathlib import Path

from controller.nat.settings import NatSettings
from controller.settings import ConfigurationError
from testbed.plan.traces import conntrack, pcap, recording, zeek
from testbed.plan.traces.record import Trace, TraceError
from testbed.recording.format import FILE

PCAP = (*pcap.MAGICS, pcap.SECTION.to_bytes(4, "big"))
DAY_S = 86_400
MOST_S = 40 * DAY_S
GZIP = b"\x1f\x8b"
READABLE = "Zeek's conn.log (with tabs or JSON), `conntrack -E -o timestamp`, pcap, pcapng, or a run's recording"


def read(path: Path, nat: NatSettings, *, called: str = "--trace") -> Trace:
    """Return the attempts of a file, in the order of time. Raises ConfigurationError that says what is wrong.

    The file is `called` so in the error, before its path.
    """
    try:
        trace = _read(path, nat)
    except OSError as error:
        raise ConfigurationError(f"{called} {path}: {error.strerror}; take one that can be read") from None
    except TraceError as error:
        raise ConfigurationError(f"{called} {path}: {error}") from None
    if not trace.records:
        why = "; ".join(f"{count:,} {reason}" for reason, count in trace.left_out.items()) or "it is empty"
        raise ConfigurationError(
            f"{called} {path} has no attempt of an inside host ({why}); inside are the private and shared "
            "addresses of RFC 1918 and RFC 6598"
        )
    trace.records.sort(key=lambda record: record.at)
    lasts = trace.records[-1].at - trace.records[0].at
    if lasts > MOST_S:
        raise ConfigurationError(
            f"{called} {path} lasts {lasts / DAY_S:,.0f} days; take a part of it of {MOST_S // DAY_S} days at most"
        )
    return trace


def _read(path: Path, nat: NatSettings) -> Trace:
    place = path / FILE if path.is_dir() else path
    if not stat.S_ISREG(place.stat().st_mode):
        raise TraceError(f"it is neither a file nor a run's folder; take one that is, such as {READABLE}")
    if path.is_dir():
        return recording.read(path, nat.udp_timeout)
    with path.open("rb") as file:
        head = file.read(4096)
        if head[:4] in PCAP:
            file.seek(0)
            return pcap.read(file, nat.udp_timeout)
    if head.startswith(GZIP):
        return recording.read(path, nat.udp_timeout)
    text = head.decode("utf-8", errors="replace").lstrip()
    reader = zeek.read if text.startswith(("#", "{")) else conntrack.read if text.startswith("[") else None
    if reader is None:
        raise TraceError(f"line 1: it is no trace that can be read; there are {READABLE}")
    with path.open(encoding="utf-8", errors="replace") as lines:
        return reader(lines)
