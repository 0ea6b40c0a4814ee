// What happened, in words.

import { KINDS, OUTCOMES, PROTOCOLS, REFUSALS, RELEASES, TICKS_PER_S } from "./format.js";

const LIMITS = {
  unknown: "a limit",
  subscribers: "the number of subscribers",
  quota: "the subscriber's quota",
  rate: "the rate of new mappings",
  mappings: "the number of mappings",
  sessions: "the number of sessions",
  ports: "no port is free",
  pool: "no address has a free port",
  flow_table: "the switch's flow table is full",
  hold_queue: "the hold queue is full",
};
const ENDS = {
  unknown: "it ended",
  closed: "its connections were closed",
  idle: "it was idle",
  rolled_back: "it was rolled back",
  evicted: "it was evicted",
  flushed: "the table was flushed",
};

/** A whole number with commas, or a short one with a fraction. */
export function number(value) {
  if (value === null || value === undefined) return "not known";
  return Number.isInteger(value)
    ? value.toLocaleString("en")
    : value.toLocaleString("en", { maximumFractionDigits: 2 });
}

export function seconds(ticks) {
  return `${(ticks / TICKS_PER_S).toFixed(3)} s`;
}

export function protocolName(protocol) {
  return (PROTOCOLS[protocol] ?? "other").toUpperCase();
}

export function limit(reason) {
  return LIMITS[REFUSALS[reason]] ?? LIMITS.unknown;
}

export function outcome(reason) {
  return OUTCOMES[reason] ?? OUTCOMES[0];
}

/** The name of a subscriber: its host's, where one is known, and its address. */
export function subscriberName(recording, hosts, index) {
  const known = recording.subscribers.get(index);
  if (!known) return "somebody";
  const host = hosts?.[known.address];
  return host ? `${host} ${known.address}` : known.address;
}

/** What one record says, for a person; empty for what a person does not want to read line by line. */
export function inWords(recording, hosts, index) {
  const kind = recording.kind[index],
    reason = recording.detail[index] >> 4;
  if (kind === KINDS.TEXT) return textInWords(recording.text(index));
  const who = subscriberName(recording, hosts, recording.subscriber[index]);
  const address = recording.addresses.get(recording.address[index])?.address ?? "";
  const protocol = protocolName(recording.detail[index] & 15);
  const port = `${protocol} port ${recording.port[index]}${address && ` of ${address}`}`;
  switch (kind) {
    case KINDS.ALLOCATED:
      return `${who} has ${port}`;
    case KINDS.CLOSING:
      return `${port}: the last connection of ${who} is closing`;
    case KINDS.REOPENED:
      return `${port}: ${who} uses it again`;
    case KINDS.RELEASED:
      return `${port} of ${who} is released: ${ENDS[RELEASES[reason]] ?? ENDS.unknown}`;
    case KINDS.HELD_DOWN:
      return `${port} is held down`;
    case KINDS.FREED:
      return `${port} is free`;
    case KINDS.REFUSED:
      return `${who} is refused: ${limit(reason)}`;
    case KINDS.HELD:
      return `a packet of ${who} waits: ${limit(reason)}`;
    case KINDS.ATTEMPT:
      return `an attempt of ${who}: ${outcome(reason)}`;
    default:
      return "";
  }
}

function textInWords(text) {
  switch (text.kind) {
    case "phase":
      return text.end ? "" : `phase: ${text.name}`;
    case "check":
      return `check ${text.check?.ok ? "holds" : "FAILED"}: ${text.check?.claim}`;
    case "missed":
      return `${number(text.events ?? 0)} events are missing`;
    case "end":
      return `the run is over${text.verdict ? `: ${text.verdict}` : ""}`;
    default:
      return "";
  }
}

/** A value as JSON has it, in a few words. */
export function value(each) {
  if (typeof each === "number") return number(each);
  if (typeof each === "string") return each;
  return JSON.stringify(each);
}

/** What stands for a number that a gateway cannot tell. */
export const UNKNOWN = number(null);
