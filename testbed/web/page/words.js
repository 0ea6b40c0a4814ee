// What happened, in words.

import { HAPPENED, KINDS, OUTCOMES, PROTOCOLS, REASONS, TICKS_PER_S } from "./format.js";

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

/** The limit that refuses packets, in words. */
export function limit(reason) {
  return (REASONS[KINDS.REFUSED][reason] || ": a limit that is not known").slice(2);
}

export function outcome(reason) {
  return OUTCOMES[reason] ?? OUTCOMES[0];
}

/** The name of a subscriber: its host's, where one is known, and its address. */
export function subscriberName(recording, hosts, index) {
  const known = recording.subscribers.get(index);
  if (!known) return "somebody unknown";
  const host = hosts?.[known.address];
  return host ? `${host} ${known.address}` : known.address;
}

/** What one record reports, for a person; empty for what nobody wants to read line by line. */
export function inWords(recording, hosts, index) {
  const kind = recording.kind[index];
  if (kind === KINDS.TEXT) return textInWords(recording.text(index));
  const address = recording.addresses.get(recording.address[index])?.address ?? "";
  const endpoint = `${address}:${recording.port[index]}`;
  const fields = {
    protocol: protocolName(recording.detail[index] & 15),
    endpoint,
    subscriber: subscriberName(recording, hosts, recording.subscriber[index]),
    reason: REASONS[kind]?.[recording.detail[index] >> 4] ?? "",
  };
  const happened = (HAPPENED[kind] ?? "").replace(/{(\w+)}/g, (_, name) => fields[name]);
  return kind === KINDS.ATTEMPT && recording.port[index] ? `${happened} from ${endpoint}` : happened;
}

function textInWords(text) {
  switch (text.kind) {
    case "phase":
      return text.end ? "" : `phase: ${text.name}`;
    case "check":
      return `check ${text.check?.ok ? "holds" : "FAILED"}: ${text.check?.claim}`;
    case "missed":
      return missedInWords(text);
    case "end":
      return `the run is over${text.verdict ? `: ${text.verdict}` : ""}`;
    default:
      return "";
  }
}

function missedInWords({ events = 0, texts = 0, is_full: isFull = false }) {
  if (isFull && !events && !texts) return "the recording is full: what follows is not in it";
  if (isFull) return `the recording is full: ${number(events)} events and ${number(texts)} texts are missing`;
  if (texts) return texts === 1 ? "a text was too long" : `${number(texts)} texts are missing`;
  return `${number(events)} events are missing`;
}

/** A value as JSON has it, in a few words. */
export function value(each) {
  if (typeof each === "number") return number(each);
  if (typeof each === "string") return each;
  return JSON.stringify(each);
}

/** What stands for a number that a gateway cannot tell. */
export const UNKNOWN = number(null);
