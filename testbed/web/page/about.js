// What is known of a run besides its recording: the network with its addresses, and the settings.

import { element, fill } from "./dom.js";
import { drawing } from "./topology.js";
import { value } from "./words.js";

export function showTopology(place, about) {
  const parts = [];
  const picture = drawn(about.network);
  if (picture)
    parts.push(
      element("div", { class: "scroll wide", tabindex: "0", role: "group", "aria-label": "The network" }, picture),
    );
  else if (about.drawing) parts.push(element("pre", { class: "drawing", tabindex: "0" }, about.drawing));
  if (about.gateways?.length) {
    parts.push(
      element("h3", {}, "The NATs"),
      table(
        ["NAT", "Kind", "Inside", "Outside", "External addresses"],
        about.gateways.map((each) => [each.name, each.kind, each.inside, each.outside, each.external]),
      ),
    );
  }
  if (about.hosts) parts.push(element("h3", {}, "Hosts"), table(["Address", "Host"], Object.entries(about.hosts)));
  fill(place, parts.length ? parts : [element("p", { class: "empty" }, "Nothing is known of the network.")]);
}

/** The picture of a network; null where there is none, or something else: anybody may have written it. */
function drawn(network) {
  try {
    return network?.places.length ? drawing(network) : null;
  } catch {
    return null;
  }
}

export function showSettings(place, about) {
  const parts = [];
  for (const [name, title] of [
    ["command", "The command"],
    ["report", "The report of this run, to hand in"],
  ]) {
    if (about[name])
      parts.push(element("h3", {}, title), element("pre", { class: "drawing", tabindex: "0" }, `${about[name]}`));
  }
  const chosen = about.chosen ?? {};
  for (const [name, title] of [
    ["parameters", "Parameters of the scenario"],
    ["settings", "Settings of the NAT"],
  ]) {
    const rows = Object.entries(about[name] ?? {}).sort(([one], [other]) => (other in chosen) - (one in chosen));
    if (rows.length)
      parts.push(
        element("h3", {}, title),
        table(
          ["Name", "Value", ""],
          rows.map(([key, each]) => [key, value(each), key in chosen ? "chosen" : ""]),
        ),
      );
  }
  fill(place, parts.length ? parts : [element("p", { class: "empty" }, "Nothing is known of the settings.")]);
}

function table(head, rows) {
  const first = element(
    "tr",
    {},
    ...head.map((name) => (name ? element("th", { scope: "col" }, name) : element("td"))),
  );
  const body = rows.map(([name, ...rest]) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, `${name}`),
      ...rest.map((each) => element("td", {}, `${each ?? ""}`)),
    ),
  );
  return element(
    "div",
    { class: "scroll wide", tabindex: "0", role: "group", "aria-label": head[0] },
    element("table", {}, element("thead", {}, first), element("tbody", {}, ...body)),
  );
}
