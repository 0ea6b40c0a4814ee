// The lists of a run: its events in words, the newest first, and its checks, each with its instant.

import { element, fill, linked } from "./dom.js";
import * as words from "./words.js";

const MOST_EVENTS = 150;
const MOST_LOOKED_AT = 60_000; // for those that have the words that somebody looks for

/** Write the events up to the instant that is shown, if they are others than those that are there. */
export function writeEvents(view) {
  const { recording, hosts } = view;
  const filter = view.$(".filter").value.trim().toLowerCase();
  const end = recording.until(view.now);
  const key = `${end} ${filter} ${view.timeline.version}`;
  if (key === view.shownEvents) return;
  view.shownEvents = key;
  const rows = [];
  const begin = Math.max(0, end - MOST_LOOKED_AT);
  for (let index = end - 1; index >= begin && rows.length < MOST_EVENTS; index--) {
    const text = words.inWords(recording, hosts, index);
    if (!text || !text.toLowerCase().includes(filter)) continue;
    rows.push(element("li", {}, element("time", {}, words.seconds(recording.time[index])), text));
  }
  const none = filter ? "No event has these words." : "Nothing has happened yet.";
  fill(view.$(".events"), rows.length ? rows : [element("li", { class: "empty" }, none)]);
}

/** Write the checks, if more of them are there, or the instant is after others. */
export function writeChecks(view) {
  const { checks } = view.timeline.head;
  const key = `${checks.length} ${checks.filter((check) => check.time <= view.now).length}`;
  if (key === view.shownChecks) return;
  view.shownChecks = key;
  const rows = checks.map((check) => row(view, check));
  fill(view.$(".checks"), rows.length ? rows : [element("li", { class: "empty" }, "No check yet.")]);
}

function row(view, check) {
  const at = words.seconds(check.time);
  const label = `Go to ${at}, when this was checked`;
  const instant = element("button", { type: "button", class: "instant", "aria-label": label }, at);
  instant.addEventListener("click", () => view.player.seek(check.time));
  const found = `expected ${words.value(check.expected)}, observed ${words.value(check.observed)}; `;
  const text = element(
    "div",
    {},
    element("p", {}, `${check.claim}`),
    element("p", { class: "detail" }, found, ...linked(`${check.source ?? ""}`)),
  );
  const kind = `${check.ok ? "holds" : "fails"}${check.time > view.now ? " later" : ""}`;
  return element("li", { class: kind }, element("strong", {}, check.ok ? "ok" : "FAILED"), text, instant);
}
