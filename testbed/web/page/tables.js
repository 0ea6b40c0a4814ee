// The tables of a run: the legend of its map, gauges, refusals, ages, attempts, and the subscribers.
//
// What a gateway cannot tell is not known, and the tables say so.

import { COLOURINGS, ageName, ages } from "./colours.js";
import { element, fillRows } from "./dom.js";
import { KINDS, PROTOCOLS } from "./format.js";
import { CLOSING, HELD_DOWN, IN_USE, RESTING, STATES } from "./state.js";
import * as words from "./words.js";

const ALWAYS = ["total_sessions", "total_active_subscribers"]; // of a gateway's own gauges, also if they are 0
const MOST_SUBSCRIBERS = 256;
const ALL_SHOWN = 64; // so few that those without a port are shown as well

/** Write what the colours of the map mean, with the number of ports of each. */
export function writeLegend(view, palette) {
  const rows = COLOURINGS[view.$(".colouring").value].legend(palette, view.pool, view).map((row) => {
    const swatch = element("i", { class: "swatch" });
    swatch.style.backgroundColor = row.colour;
    return [swatch, row.name, legendNumber(view, row)];
  });
  const stripes = element("i", { class: "swatch stripes" });
  fillRows(
    view.$(".legend tbody"),
    [...rows, [stripes, "refused just now", words.number(refusedJustNow(view))]],
    "td",
  );
}

function legendNumber(view, { state, number }) {
  if (state === 0) return words.number(view.ports - busy(view.pool));
  if (number === undefined) return "";
  return state === undefined ? words.number(number) : known(view, state, number);
}

/** A number of ports in a state, unless the gateway cannot tell of it. */
function known(view, state, value) {
  const kind = { [CLOSING]: "closing", [RESTING]: "freed", [HELD_DOWN]: "held_down" }[state];
  return value || !kind || view.knows(kind) ? words.number(value) : words.UNKNOWN;
}

function busy(pool) {
  return pool ? pool.ports.slice(1).reduce((sum, ports) => sum + ports) : 0;
}

function refusedJustNow({ recording, now, justNow }) {
  const to = recording.until(now);
  let packets = 0;
  for (let index = recording.until(now - justNow); index < to; index++) {
    if (recording.kind[index] === KINDS.REFUSED) packets++;
  }
  return packets;
}

/** Write all tables beside the map. */
export function writeTables(view) {
  const { state, pool, now } = view;
  fillRows(view.$(".gauges tbody"), gauges(view));
  writeSource(view);
  const none = [[view.knows("refused") ? "nothing" : words.UNKNOWN, ""]];
  fillRows(view.$(".reasons tbody"), counted(state.refusals, words.limit) ?? none);
  fillRows(view.$(".attempts tbody"), counted(state.attempts, words.outcome) ?? [["none yet", ""]]);
  fillRows(
    view.$(".ages tbody"),
    ages(pool, now).map((ports, number) => [ageName(number), words.number(ports)]),
  );
  fillRows(view.$(".subscribers tbody"), subscribers(view));
}

function gauges(view) {
  const { state } = view;
  const totals = state.totals();
  const rows = [["mappings", words.number(totals[IN_USE] + totals[CLOSING])]];
  for (const each of [CLOSING, RESTING, HELD_DOWN]) rows.push([STATES[each], known(view, each, totals[each])]);
  rows.push(["new mappings so far", words.number(state.created)]);
  const reporting = Object.entries(state.gauges);
  for (const [gateway, own] of reporting) {
    const whose = reporting.length > 1 ? `, ${gateway}` : "";
    for (const [name, value] of Object.entries({ ...own, ...own.counters })) {
      if (typeof value !== "number" || (!value && !ALWAYS.includes(name))) continue;
      rows.push([`${name.replaceAll("_", " ")}${whose}`, words.number(value)]);
    }
  }
  if (state.held) rows.push(["packets held", words.number(state.held)]);
  if (state.missed) rows.push(["events that are missing", words.number(state.missed)]);
  return rows;
}

/** The rows of what was counted by a number that means a word; null if there is nothing. */
function counted(numbers, named) {
  const rows = Array.from(numbers, (count, number) => [named(number), count]).filter(([, count]) => count);
  return rows.length ? rows.map(([name, count]) => [name, words.number(count)]) : null;
}

function subscribers(view) {
  const { settings } = view.about;
  const quota = settings?.[`port_quota_${PROTOCOLS[view.pool?.protocol]}`] ?? settings?.port_quota;
  const shown = quota ? words.number(quota) : "none";
  return view
    .subscribersOf(null)
    .filter(({ mappings, refused }) => mappings || refused || view.recording.subscribers.size <= ALL_SHOWN)
    .slice(0, MOST_SUBSCRIBERS)
    .map(({ name, mappings, refused }) => [name, words.number(mappings), shown, words.number(refused)]);
}

/** Say where the events come from, for each gateway that says it. */
function writeSource(view) {
  const told = Object.entries(view.recording.header?.gateways ?? {}).filter(([, gateway]) => gateway?.how);
  const text = told.map(([name, { how }]) => `${told.length > 1 ? `${name}: ` : ""}from ${how}`).join("; ");
  if (view.$(".how").textContent !== text) view.$(".how").textContent = text;
}
