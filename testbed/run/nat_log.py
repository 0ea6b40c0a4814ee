"""The log of a run's gateways: what their recording has of mappings, as a carrier has to keep it.

A gateway that does not know when mappings come and go has no log, and refuses the setting.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from ipaddress import IPv4Address

from controller.settings import Settings
from testbed.experiment.plan import Run
from testbed.natlog.keeping import Log
from testbed.natlog.lines import stamp
from testbed.recording import Recording, RecordingError
from testbed.recording.format import Event, Kind, Text, Texts
from testbed.run.folder import NAT_LOG, Folder


def keep_logs(plan: Run, folder: Folder) -> str:
    """Write the log of each gateway that keeps one; return an empty string, or why that was not possible."""
    logging = {name: settings for name, settings in plan.gateways.items() if settings.log != "off"}
    if not logging:
        return ""
    try:
        recording = Recording.open(folder.path)
        for name, settings in logging.items():
            file = NAT_LOG if len(plan.gateways) == 1 else f"nat-{name}.log"
            if why := folder.keep(file, "".join(f"{line}\n" for line in lines(recording, name, settings))):
                return why
    except (OSError, RecordingError) as error:
        return f"{NAT_LOG} could not be made: {error}"
    return ""


def lines(recording: Recording, gateway: str, settings: Settings) -> Iterator[str]:
    """Yield the log of one gateway. A comment stands where the recording lacks something."""
    found: list[str] = []
    log = Log(settings.log, settings.blocks, found.append)
    started = datetime.fromisoformat(recording.header["started"])
    for record in recording:
        if isinstance(record, Text):
            if record.kind == Texts.MISSED:
                found.append("# the recording lacks events here")
        elif record.gateway == gateway:
            _note(log, record, started)
        yield from found
        found.clear()


def _note(log: Log, event: Event, started: datetime) -> None:
    """Log an event about a mapping."""
    if event.kind not in (Kind.ALLOCATED, Kind.RELEASED) or not event.subscriber:
        return
    at = stamp(started + timedelta(seconds=event.time))
    note = log.created if event.kind is Kind.ALLOCATED else log.released
    addresses = (int(IPv4Address(each)) for each in (event.address, event.subscriber))
    address, subscriber = addresses
    note(at, event.protocol, address, event.port, subscriber)
