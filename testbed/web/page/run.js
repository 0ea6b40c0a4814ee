// One run on the page: its map, figures, charts and lists, at the instant that the player shows.

import { Chart, rate } from "./charts.js";
import { COLOURINGS, ageName, ages } from "./colours.js";
import { KINDS, PROTOCOLS, TICKS_PER_S } from "./format.js";
import { PortMap } from "./portmap.js";
import { Recording } from "./recording.js";
import { CLOSING, HELD_DOWN, IN_USE, RESTING, STATES } from "./state.js";
import { Timeline } from "./timeline.js";
import { element, fill, fillRows, linked } from "./dom.js";
import { showSettings, showTopology } from "./about.js";
import * as words from "./words.js";

const JUST_NOW = 1 * TICKS_PER_S;
const MOST_EVENTS = 150, MOST_LOOKED_AT = 60_000;
const ALL_PORTS = 64_512;
const ALWAYS = ["total_sessions", "total_active_subscribers"]; // of the gauges that a gateway reports itself, also if they are 0
const UNKNOWN = words.number(null);

export class RunView {
  constructor({ key, title }, player) {
    this.key = key;
    this.title = title;
    this.player = player;
    this.about = {};
    this.recording = new Recording();
    this.timeline = new Timeline(this.recording);
    this.root = document.getElementById("run").content.firstElementChild.cloneNode(true);
    this.$ = (selector) => this.root.querySelector(selector);
    this.$("h2").textContent = title;
    this.map = new PortMap(this.$(".map"), (port) => this._tell(port));
    const onSeek = (second) => player.seek(second * TICKS_PER_S);
    this.portsChart = this._chart("ports", [
      { name: "in use", colour: "in-use", fill: true }, { name: "closing", colour: "closing" }, { name: "resting", colour: "resting" },
      { name: "held down", colour: "held-down" }, { name: "all ports", colour: "muted", dash: [4, 4] },
    ], onSeek);
    this.rateChart = this._chart("rate", [{ name: "new mappings", colour: "in-use" }, { name: "refused", colour: "refused", dash: [6, 3] }], onSeek);
    fill(this.$(".colouring"), Object.entries(COLOURINGS).map(([id, { name }]) => element("option", { value: id }, name)));
    this._listen();
  }

  take(bytes) {
    this.timeline.advance(this.recording.push(bytes));
  }

  tell(about) {
    this.about = about;
    showTopology(this.$("[data-panel=topology]"), about);
    showSettings(this.$("[data-panel=settings]"), about);
  }

  /** The ports of each pool. */
  get ports() {
    const asked = this.recording.header?.gateways?.[this.gateway]?.ports ?? this.about.settings?.ports;
    return Number.isInteger(asked) && asked > 0 && asked <= ALL_PORTS ? asked : this._touched();
  }

  /** Whether a gateway can tell of events of a kind. One that says nothing of that tells of all. */
  knows(kind, gateway = this.gateway) {
    const known = this.recording.header?.gateways?.[gateway]?.knows;
    return !Array.isArray(known) || known.some((each) => `${each}`.toLowerCase() === kind.toLowerCase());
  }

  /** The gateway whose ports the map shows, or the only one. */
  get gateway() {
    return this.recording.addresses.get(this.pool?.address)?.gateway ?? Object.keys(this.recording.header?.gateways ?? {})[0];
  }

  get hosts() {
    return this.about.hosts;
  }

  poolsOf(address) {
    return [...(this.state?.pools.values() ?? [])].filter((pool) => pool.address === address);
  }

  subscribersOf(pool) {
    const gateway = pool && this.recording.addresses.get(pool.address)?.gateway;
    return Array.from(this.recording.subscribers, ([index, known]) => ({
      index, gateway: known.gateway, name: words.subscriberName(this.recording, this.hosts, index),
      mappings: this.state?.mappings.get(index) ?? 0, refused: this.state?.refusedBy.get(index) ?? 0,
    })).filter((each) => !gateway || each.gateway === gateway).sort((one, other) => other.mappings - one.mappings || one.index - other.index);
  }

  /** Draw what moves: the map and the two numbers. */
  draw(palette) {
    this.now = Math.min(this.player.now, this.recording.end);
    this.state = this.timeline.at(this.now);
    const pool = this.pool = this._pool();
    const isRefused = this.state.refused > 0 && this.now - this.state.lastRefusal < JUST_NOW;
    const refusedPorts = this.state.refusedPorts.filter(([time, key]) => this.now - time < JUST_NOW && key === this._poolKey).map(([, , port]) => port);
    this.map.draw({ pool, ports: this.ports, colouring: COLOURINGS[this.$(".colouring").value], palette, now: this.now, isRefused, refusedPorts, poolsOf: (address) => this.poolsOf(address), subscribersOf: (each) => this.subscribersOf(each) });
    const used = pool ? pool.totals[IN_USE] + pool.totals[CLOSING] : 0;
    this.$(".used").textContent = words.number(used);
    this.$(".of").textContent = `of ${words.number(this.ports)} ports in use`;
    const refused = this.state.refused || this.knows("refused") ? words.number(this.state.refused) : UNKNOWN;
    this.$(".refused").textContent = refused;
    this.$(".refused").classList.toggle("unknown", refused === UNKNOWN);
    this.$(".figures").classList.toggle("striped", isRefused);
    this.summary = `${words.seconds(this.now)}: ${words.number(used)} of ${words.number(this.ports)} ports in use, refused: ${refused}`;
  }

  /** Write what is read: legends, tables, lists. */
  write(palette, end) {
    this._writePools();
    this._writeLegend(palette);
    this._writeTables();
    this._writeEvents();
    this._writeChecks();
    this._writeHead();
    const { time, inUse, closing, resting, heldDown, created, refused } = this.timeline.series.columns;
    const second = end / TICKS_PER_S, now = this.now / TICKS_PER_S;
    const ports = time.map(() => this.ports * Math.max(1, this._numberOfPools()));
    this.portsChart.show([time, inUse, closing, resting, heldDown, ports], second, now);
    const wide = Math.max(1, Math.round((0.5 * TICKS_PER_S) / this.timeline.series.step));
    this.rateChart.show([time, rate(time, created, wide), rate(time, refused, wide)], second, now);
    if (this.map.port !== null) this._tell(this.map.port);
  }

  paint(palette) {
    this.portsChart.paint(palette);
    this.rateChart.paint(palette);
    for (const key of this.root.querySelectorAll(".key i")) key.style.background = palette.css(key.dataset.colour);
  }

  _chart(name, lines, onSeek) {
    fill(this.$(`.${name}-key`), lines.map(({ name: line, colour, dash }) => element("span", {}, element("i", { "data-colour": colour, class: dash ? "dashed" : "" }), line)));
    const place = this.$(`.${name}-chart`);
    place.setAttribute("aria-label", `Chart over time: ${lines.map((line) => line.name).join(", ")}. The tables have its values at the instant that is shown.`);
    return new Chart(place, lines, { onSeek });
  }

  _touched() {
    let most = 0;
    for (const pool of this.timeline.head.pools.values()) most = Math.max(most, pool.high - 1023);
    return most > 0 ? Math.min(ALL_PORTS, most) : 256;
  }

  _numberOfPools() {
    return new Set(Array.from(this.timeline.head.pools.values(), (pool) => pool.address)).size;
  }

  /** The pool that was chosen; without a choice the one with the most mappings so far. */
  _pool() {
    let key = this._chosen;
    if (key === undefined) {
      let most = -1;
      for (const [each, pool] of this.timeline.head.pools) if (pool.created > most) [key, most] = [each, pool.created];
    }
    this._poolKey = key;
    return this.state.pools.get(key) ?? null;
  }

  _poolName(key) {
    const known = this.recording.addresses.get(key >> 2);
    const gateways = new Set(Array.from(this.recording.addresses.values(), (each) => each.gateway));
    return `${known?.address || "an address"}, ${words.protocolName(key & 3)}${gateways.size > 1 ? ` (${known?.gateway})` : ""}`;
  }

  _writePools() {
    const keys = [...this.timeline.head.pools.keys()].sort((one, other) => one - other);
    const select = this.$(".pool");
    if (select.dataset.keys !== `${keys}`) {
      select.dataset.keys = `${keys}`;
      fill(select, keys.length ? keys.map((key) => element("option", { value: key }, this._poolName(key))) : [element("option", { value: "" }, "no mapping yet")]);
    }
    if (document.activeElement !== select) select.value = this._poolKey ?? "";
  }

  _writeLegend(palette) {
    const rows = COLOURINGS[this.$(".colouring").value].legend(palette, this.pool, this).map(({ colour, name, number, state }) => {
      const swatch = element("i", { class: `swatch${state === undefined ? "" : ` state-${state}`}` });
      swatch.style.backgroundColor = colour;
      const shown = state === 0 ? this.ports - this._busy() : number;
      return [swatch, name, shown === undefined ? "" : state === undefined ? words.number(shown) : this._known(state, shown)];
    });
    rows.push([element("i", { class: "swatch stripes" }), "refused just now", words.number(this._refusedJustNow())]);
    fillRows(this.$(".legend tbody"), rows, "td");
    this.map.canvas.setAttribute("aria-label", `Every port of ${this._poolKey === undefined ? "the NAT" : this._poolName(this._poolKey)}. ${this.summary}. Arrow keys go to a port, plus and minus zoom.`);
  }

  /** A number of ports in a state, unless the gateway cannot tell of it. */
  _known(state, value) {
    const kind = { [CLOSING]: "closing", [RESTING]: "freed", [HELD_DOWN]: "held_down" }[state];
    return value || !kind || this.knows(kind) ? words.number(value) : UNKNOWN;
  }

  _busy() {
    let busy = 0;
    const { pool } = this;
    if (pool) for (let port = pool.low; port <= pool.high; port++) if (pool.state[port]) busy++;
    return busy;
  }

  _refusedJustNow() {
    const from = this.recording.until(this.now - JUST_NOW), to = this.recording.until(this.now);
    let number = 0;
    for (let index = from; index < to; index++) if (this.recording.kind[index] === KINDS.REFUSED) number++;
    return number;
  }

  _writeTables() {
    const { state } = this;
    const totals = state.totals();
    const gauges = [["mappings", totals[IN_USE] + totals[CLOSING]], ...[CLOSING, RESTING, HELD_DOWN].map((each) => [STATES[each], this._known(each, totals[each])]), ["new mappings so far", state.created]];
    const reporting = Object.entries(state.gauges);
    for (const [gateway, own] of reporting) {
      for (const [name, value] of Object.entries({ ...own, ...own.counters })) {
        if (typeof value === "number" && (value || ALWAYS.includes(name))) gauges.push([`${name.replaceAll("_", " ")}${reporting.length > 1 ? `, ${gateway}` : ""}`, value]);
      }
    }
    if (state.held) gauges.push(["packets held", state.held]);
    if (state.missed) gauges.push(["events that are missing", state.missed]);
    fillRows(this.$(".gauges tbody"), gauges.map(([name, value]) => [name, typeof value === "string" ? value : words.number(value)]));
    const reasons = [...state.refusals].map((value, reason) => [reason, value]).filter(([, value]) => value);
    fillRows(this.$(".reasons tbody"), reasons.length ? reasons.map(([reason, value]) => [words.limit(reason), words.number(value)]) : [[this.knows("refused") ? "nothing" : UNKNOWN, ""]]);
    this._writeSource();
    fillRows(this.$(".ages tbody"), ages(this.pool, this.now).map((value, each) => [ageName(each), words.number(value)]));
    const quota = this.about.settings?.[`port_quota_${PROTOCOLS[this.pool?.protocol]}`] ?? this.about.settings?.port_quota;
    const rows = this.subscribersOf(null).filter((each) => each.mappings || each.refused || this.recording.subscribers.size <= 64);
    fillRows(this.$(".subscribers tbody"), rows.slice(0, 256).map((each) => [each.name, words.number(each.mappings), quota ? words.number(quota) : "none", words.number(each.refused)]));
  }

  /** Say where the events come from, for each gateway that says it. */
  _writeSource() {
    const told = Object.entries(this.recording.header?.gateways ?? {}).filter(([, { how }]) => how);
    const text = told.map(([name, { how }]) => `${told.length > 1 ? `${name}: ` : ""}from ${how}`).join("; ");
    if (this.$(".how").textContent !== text) this.$(".how").textContent = text;
  }

  _writeEvents() {
    const filter = this.$(".filter").value.trim().toLowerCase();
    const { recording } = this;
    const to = recording.until(this.now);
    const key = `${to} ${filter} ${this.timeline.version}`;
    if (key === this._eventsKey) return;
    this._eventsKey = key;
    const rows = [];
    for (let index = to - 1; index >= 0 && index > to - MOST_LOOKED_AT && rows.length < MOST_EVENTS; index--) {
      const text = words.inWords(recording, this.hosts, index);
      if (text && text.toLowerCase().includes(filter)) rows.push(element("li", {}, element("time", {}, words.seconds(recording.time[index])), text));
    }
    fill(this.$(".events"), rows.length ? rows : [element("li", { class: "empty" }, filter ? "No event has these words." : "Nothing has happened yet.")]);
  }

  _writeChecks() {
    const { checks } = this.timeline.head;
    const key = `${checks.length} ${checks.filter((check) => check.time <= this.now).length}`;
    if (key === this._checksKey) return;
    this._checksKey = key;
    fill(this.$(".checks"), checks.length ? checks.map((check) => this._check(check)) : [element("li", { class: "empty" }, "No check yet.")]);
  }

  _check(check) {
    const instant = element("button", { type: "button", class: "instant", "aria-label": `Go to ${words.seconds(check.time)}, when this was checked` }, words.seconds(check.time));
    instant.addEventListener("click", () => this.player.seek(check.time));
    return element("li", { class: `${check.ok ? "holds" : "fails"}${check.time > this.now ? " later" : ""}` },
      element("strong", {}, check.ok ? "ok" : "FAILED"), element("div", {}, element("p", {}, `${check.claim}`),
        element("p", { class: "detail" }, `expected ${words.value(check.expected)}, observed ${words.value(check.observed)}; `, ...linked(`${check.source ?? ""}`))), instant);
  }

  _writeHead() {
    const { state } = this;
    const { progress } = state;
    this.$(".phase").textContent = state.phase + (state.phase && progress?.total ? `: ${words.number(progress.done)} of ${words.number(progress.total)}` : "");
    const verdict = this.timeline.head.verdict ?? this.about.verdict;
    this.$(".verdict").hidden = !verdict;
    if (verdict) {
      this.$(".verdict").textContent = verdict.toUpperCase();
      this.$(".verdict").className = `verdict ${verdict}`;
    }
  }

  _tell(port) {
    const place = this.$(".mapping");
    place.textContent = port === null ? "Point at a port, or go there with the keyboard." : this._mapping(port);
  }

  _mapping(port) {
    const { pool } = this;
    const name = `Port ${words.number(port)}`;
    if (!pool || !pool.state[port]) return `${name} is free${pool?.since[port] ? ` since ${words.seconds(pool.since[port])}` : " and was never used"}.`;
    const who = words.subscriberName(this.recording, this.hosts, pool.subscriber[port]);
    const several = pool.mappings[port] > 1 ? `, ${pool.mappings[port]} mappings` : "";
    const whose = pool.state[port] === IN_USE || pool.state[port] === CLOSING ? `${STATES[pool.state[port]]} by ${who}` : `${STATES[pool.state[port]]}, last of ${who}`;
    return `${name} is ${whose}${several}, since ${words.seconds(pool.since[port])} (for ${words.seconds(this.now - pool.since[port])}).`;
  }

  _listen() {
    this.$(".pool").addEventListener("change", (event) => (this._chosen = Number(event.target.value)));
    this.$(".goto").addEventListener("input", (event) => event.target.value && this.map.select(Number(event.target.value)));
    this.$(".in").addEventListener("click", () => this.map.zoomTo(this.map.zoom * 2));
    this.$(".out").addEventListener("click", () => this.map.zoomTo(this.map.zoom / 2));
    this.$(".fit").addEventListener("click", () => this.map.zoomTo(1));
    const tabs = [...this.root.querySelectorAll("[role=tab]")];
    const choose = (tab) => {
      for (const each of tabs) {
        const isChosen = each === tab;
        each.setAttribute("aria-selected", `${isChosen}`);
        each.tabIndex = isChosen ? 0 : -1;
        this.$(`[data-panel=${each.dataset.tab}]`).hidden = !isChosen;
      }
    };
    tabs.forEach((tab, index) => {
      const panel = this.$(`[data-panel=${tab.dataset.tab}]`);
      tab.id = `${this.key}-${tab.dataset.tab}`;
      panel.id = `${tab.id}-panel`;
      tab.setAttribute("aria-controls", panel.id);
      panel.setAttribute("aria-labelledby", tab.id);
      tab.addEventListener("click", () => choose(tab));
      tab.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!step) return;
        const next = tabs[(index + step + tabs.length) % tabs.length];
        choose(next);
        next.focus();
      });
    });
    this._tell(null);
  }
}
