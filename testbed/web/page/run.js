// One run on the page: its map, figures, charts and lists, at the instant that the player shows.

import { showSettings, showTopology } from "./about.js";
import { Chart, rate } from "./charts.js";
import { COLOURINGS } from "./colours.js";
import { element, fill } from "./dom.js";
import { TICKS_PER_S } from "./format.js";
import { writeChecks, writeEvents } from "./lists.js";
import { PortMap } from "./portmap.js";
import { Recording } from "./recording.js";
import { CLOSING, IN_USE, PORTS, STATES } from "./state.js";
import { writeLegend, writeTables } from "./tables.js";
import { wire } from "./tabs.js";
import { Timeline } from "./timeline.js";
import * as words from "./words.js";

const JUST_NOW_S = 1;
const RATE_OVER_S = 0.5;
const FIRST_PORT = 1024,
  ALL_PORTS = 64_512;
const SMALL = 256; // the ports of a map of which nothing is known yet
const PORT_LINES = [
  { name: "in use", colour: "in-use", fill: true },
  { name: "closing", colour: "closing" },
  { name: "resting", colour: "resting" },
  { name: "held down", colour: "held-down" },
  { name: "all ports", colour: "muted", dash: [4, 4] },
];
const RATE_LINES = [
  { name: "new mappings", colour: "in-use" },
  { name: "refused", colour: "refused", dash: [6, 3] },
];

export class RunView {
  constructor({ key, title }, player) {
    this.key = key;
    this.title = title;
    this.player = player;
    this.about = {};
    this.justNow = JUST_NOW_S * TICKS_PER_S;
    this.recording = new Recording();
    this.timeline = new Timeline(this.recording);
    this.root = document.getElementById("run").content.firstElementChild.cloneNode(true);
    this.$ = (selector) => this.root.querySelector(selector);
    this.$("h2").textContent = title;
    this.map = new PortMap(this.$(".map"), (port) => this._tell(port));
    this.portsChart = this._chart("ports", PORT_LINES);
    this.rateChart = this._chart("rate", RATE_LINES);
    const options = Object.entries(COLOURINGS).map(([id, { name }]) => element("option", { value: id }, name));
    fill(this.$(".colouring"), options);
    wire(this.root, key);
    this._listen();
    this._tell(null);
  }

  /** Take the next bytes of the recording. */
  take(bytes) {
    this.timeline.advance(this.recording.push(bytes));
  }

  /** Take what is known besides. */
  tell(about) {
    this.about = about;
    showTopology(this.$("[data-panel=topology]"), about);
    showSettings(this.$("[data-panel=settings]"), about);
  }

  /** The ports of the pool that the map shows, as ranges of the first and the last number. */
  get ranges() {
    const { port_ranges: ranges, ports } = this.recording.header?.gateways?.[this.gateway] ?? {};
    if (areRanges(ranges)) return ranges;
    const asked = ports ?? this.about.settings?.ports;
    const count = Number.isInteger(asked) && asked > 0 && asked <= ALL_PORTS ? asked : this._touched();
    return [[FIRST_PORT, FIRST_PORT + count - 1]];
  }

  /** The number of these ports. */
  get ports() {
    return this.ranges.reduce((sum, [low, high]) => sum + high - low + 1, 0);
  }

  /** Whether a gateway can tell of events of a kind. One that says nothing of that tells of all. */
  knows(kind) {
    const known = this.recording.header?.gateways?.[this.gateway]?.knows;
    return !Array.isArray(known) || known.some((each) => `${each}`.toLowerCase() === kind);
  }

  /** The gateway whose ports the map shows, or the first one. */
  get gateway() {
    const shown = this.recording.addresses.get(this.pool?.address);
    return shown?.gateway ?? Object.keys(this.recording.header?.gateways ?? {})[0];
  }

  get hosts() {
    return this.about.hosts;
  }

  poolsOf(address) {
    return [...(this.state?.pools.values() ?? [])].filter((pool) => pool.address === address);
  }

  /** The subscribers of a pool's gateway, or all: those with the most mappings first. */
  subscribersOf(pool) {
    const gateway = pool && this.recording.addresses.get(pool.address)?.gateway;
    const rows = Array.from(this.recording.subscribers, ([index, known]) => ({
      index,
      gateway: known.gateway,
      name: words.subscriberName(this.recording, this.hosts, index),
      mappings: this.state?.mappings.get(index) ?? 0,
      refused: this.state?.refusedBy.get(index) ?? 0,
    }));
    return rows
      .filter((each) => !gateway || each.gateway === gateway)
      .sort((one, other) => other.mappings - one.mappings || one.index - other.index);
  }

  /** Draw what moves: the map and the two numbers. */
  draw(palette) {
    this.now = Math.min(this.player.now, this.recording.end);
    this.state = this.timeline.at(this.now);
    this.pool = this._pool();
    const { now, state, pool, ports, ranges } = this;
    const isNew = (time) => now - time < this.justNow;
    const isRefused = state.refused > 0 && isNew(state.lastRefusal);
    const refusedPorts = state.refusedPorts
      .filter(([time, key]) => isNew(time) && key === this._poolKey)
      .map(([, , port]) => port);
    const colouring = COLOURINGS[this.$(".colouring").value];
    const poolsOf = (address) => this.poolsOf(address);
    this.map.draw({ pool, ranges, colouring, palette, now, isRefused, refusedPorts, poolsOf });

    const used = words.number(pool ? pool.ports[IN_USE] + pool.ports[CLOSING] : 0);
    const refused = state.refused || this.knows("refused") ? words.number(state.refused) : words.UNKNOWN;
    this.$(".used").textContent = used;
    this.$(".of").textContent = `of ${words.number(ports)} ports in use`;
    this.$(".refused").textContent = refused;
    this.$(".refused").classList.toggle("unknown", refused === words.UNKNOWN);
    this.$(".figures").classList.toggle("striped", isRefused);
    this.summary = `${words.seconds(now)}: ${used} of ${words.number(ports)} ports in use, refused: ${refused}`;
  }

  /** Write what is read: legends, tables, lists, charts. */
  write(palette, end) {
    this._writeHead();
    this._writePools();
    writeLegend(this, palette);
    writeTables(this);
    writeEvents(this);
    writeChecks(this);
    this._writeCharts(end / TICKS_PER_S);
    const shown = this._poolKey === undefined ? "the NAT" : this._poolName(this._poolKey);
    const keys = "Arrow keys go to a port, plus and minus zoom.";
    this.map.canvas.setAttribute("aria-label", `Every port of ${shown}. ${this.summary}. ${keys}`);
    if (this.map.port !== null) this._tell(this.map.port);
  }

  /** Take other colours, since the theme has changed. */
  paint(palette) {
    this.portsChart.paint(palette);
    this.rateChart.paint(palette);
    for (const key of this.root.querySelectorAll(".key i")) key.style.background = palette.css(key.dataset.colour);
  }

  _chart(name, lines) {
    const keys = lines.map(({ name: line, colour, dash }) => {
      const mark = element("i", { "data-colour": colour, class: dash ? "dashed" : "" });
      return element("span", {}, mark, line);
    });
    fill(this.$(`.${name}-key`), keys);
    const place = this.$(`.${name}-chart`);
    const named = lines.map((line) => line.name).join(", ");
    const where = "The tables have its values at the instant that is shown.";
    place.setAttribute("aria-label", `Chart over time: ${named}. ${where}`);
    return new Chart(place, lines, { onSeek: (second) => this.player.seek(second * TICKS_PER_S) });
  }

  _writeCharts(end) {
    const now = this.now / TICKS_PER_S;
    const { columns, step } = this.timeline.series;
    const { time, inUse, closing, resting, heldDown, created, refused } = columns;
    const addresses = new Set(Array.from(this.timeline.head.pools.values(), (pool) => pool.address));
    const all = this.ports * Math.max(1, addresses.size);
    const ports = time.map(() => all);
    this.portsChart.show([time, inUse, closing, resting, heldDown, ports], end, now);
    const wide = Math.max(1, Math.round((RATE_OVER_S * TICKS_PER_S) / step));
    this.rateChart.show([time, rate(time, created, wide), rate(time, refused, wide)], end, now);
  }

  _touched() {
    const most = Math.max(
      0,
      ...Array.from(this.timeline.head.pools.values(), (pool) => pool.high - FIRST_PORT + 1),
    );
    return most > 0 ? Math.min(ALL_PORTS, most) : SMALL;
  }

  /** The pool that was chosen; without a choice the one with the most mappings so far. */
  _pool() {
    const pools = [...this.timeline.head.pools];
    const busiest = pools.reduce((best, each) => (best && best[1].created >= each[1].created ? best : each), null);
    this._poolKey = this._chosen ?? busiest?.[0];
    return this.state.pools.get(this._poolKey) ?? null;
  }

  _poolName(key) {
    const known = this.recording.addresses.get(key >> 2);
    const gateways = new Set(Array.from(this.recording.addresses.values(), (each) => each.gateway));
    const whose = gateways.size > 1 ? ` (${known?.gateway})` : "";
    return `${known?.address || "an address"}, ${words.protocolName(key & 3)}${whose}`;
  }

  _writePools() {
    const keys = [...this.timeline.head.pools.keys()].sort((one, other) => one - other);
    const select = this.$(".pool");
    if (select.dataset.keys !== `${keys}`) {
      select.dataset.keys = `${keys}`;
      const options = keys.map((key) => element("option", { value: key }, this._poolName(key)));
      fill(select, options.length ? options : [element("option", { value: "" }, "no mapping yet")]);
    }
    if (document.activeElement !== select) select.value = this._poolKey ?? "";
  }

  _writeHead() {
    const { phase, progress } = this.state;
    const done = progress?.total ? `: ${words.number(progress.done)} of ${words.number(progress.total)}` : "";
    this.$(".phase").textContent = phase && `${phase}${done}`;
    const verdict = `${this.timeline.head.verdict ?? this.about.verdict ?? ""}`;
    this.$(".verdict").hidden = !verdict;
    this.$(".verdict").textContent = verdict.toUpperCase();
    this.$(".verdict").className = `verdict ${verdict}`;
  }

  _tell(port) {
    const text = port === null ? "Point at a port, or go there with the keyboard." : this._mapping(port);
    if (this.$(".mapping").textContent !== text) this.$(".mapping").textContent = text;
  }

  /** What a port is, in a sentence. */
  _mapping(port) {
    const { pool } = this;
    const name = `Port ${words.number(port)}`;
    const state = pool?.value("state", port) ?? 0;
    const since = pool?.value("since", port) ?? 0;
    if (!state) return `${name} is free${since ? ` since ${words.seconds(since)}` : " and was never used"}.`;
    const who = words.subscriberName(this.recording, this.hosts, pool.value("subscriber", port));
    const whose = state === IN_USE || state === CLOSING ? ` by ${who}` : `, last of ${who}`;
    const mappings = pool.value("mappings", port);
    const several = mappings > 1 ? `, ${mappings} mappings` : "";
    const ago = words.seconds(this.now - since);
    return `${name} is ${STATES[state]}${whose}${several}, since ${words.seconds(since)} (for ${ago}).`;
  }

  _listen() {
    const { map } = this;
    const on = (selector, name, act) => this.$(selector).addEventListener(name, act);
    on(".pool", "change", (event) => (this._chosen = Number(event.target.value)));
    on(".goto", "input", (event) => event.target.value && map.select(Number(event.target.value)));
    on(".in", "click", () => map.zoomTo(map.zoom * 2));
    on(".out", "click", () => map.zoomTo(map.zoom / 2));
    on(".fit", "click", () => map.zoomTo(1));
  }
}

/** Whether a header's ranges are some: pairs of ports, in ascending order. */
function areRanges(ranges) {
  let next = 0;
  const fits = (each) => {
    const [low, high] = Array.isArray(each) ? each : [];
    const isOne = Number.isInteger(low) && Number.isInteger(high) && low >= next && high >= low && high < PORTS;
    next = high + 1;
    return isOne;
  };
  return Array.isArray(ranges) && ranges.length > 0 && ranges.every(fits);
}
