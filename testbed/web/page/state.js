// What a gateway's ports are at an instant, from the events up to then: the same as testbed/recording/replay.py.
//
// A port counts its mappings, and how many of them are closing, since a NAT may let several share one port toward
// different destinations.

import { KINDS, PROTOCOLS } from "./format.js";

export const PORTS = 65536;
export const STATES = ["free", "in use", "closing", "resting", "held down"];
export const FREE = 0,
  IN_USE = 1,
  CLOSING = 2,
  RESTING = 3,
  HELD_DOWN = 4;

const COLUMNS = {
  state: Uint8Array,
  since: Uint32Array,
  mappings: Uint16Array,
  closing: Uint16Array,
  resting: Uint16Array,
  heldDown: Uint16Array,
  subscriber: Uint16Array,
};
const LEAST_ROOM = 256; // ports
const MOVES = new Set(
  ["ALLOCATED", "CLOSING", "REOPENED", "RELEASED", "HELD_DOWN", "FREED"].map((name) => KINDS[name]),
);

/** The ports of one protocol at one address. Its columns have room for those that were ever touched, from `first`. */
export class Pool {
  constructor(address, protocol) {
    this.address = address; // the index in the recording's table
    this.protocol = protocol;
    this.low = PORTS;
    this.high = -1; // the ports that were ever touched
    this.created = 0;
    this.totals = new Int32Array(STATES.length); // mappings in use and closing, and how often ports rest
    this.ports = new Int32Array(STATES.length); // ports, each once
    this.first = 0;
    for (const [name, Column] of Object.entries(COLUMNS)) this[name] = new Column(0);
  }

  /** What a column has of a port. */
  value(column, port) {
    return this._has(port) ? this[column][port - this.first] : 0;
  }

  copy() {
    const copied = Object.create(Pool.prototype);
    Object.assign(copied, {
      address: this.address,
      protocol: this.protocol,
      low: this.low,
      high: this.high,
      created: this.created,
    });
    copied.totals = this.totals.slice();
    copied.ports = this.ports.slice();
    const [from, to] = [this.low - this.first, this.high + 1 - this.first];
    copied.packed = Object.fromEntries(Object.keys(COLUMNS).map((name) => [name, this[name].slice(from, to)]));
    return copied;
  }

  /** A pool to go on with, from a copy. */
  unpacked() {
    const pool = new Pool(this.address, this.protocol);
    pool.low = this.low;
    pool.high = this.high;
    pool.created = this.created;
    pool.totals = this.totals.slice();
    pool.ports = this.ports.slice();
    pool.first = this.low;
    for (const [name, packed] of Object.entries(this.packed)) pool[name] = packed.slice();
    return pool;
  }

  /** Turn one port by an event; return whether the event fits to what is known. */
  turn(kind, number, subscriber, time) {
    if (!this._has(number)) {
      if (kind !== KINDS.ALLOCATED) return false;
      this._reach(number);
    }
    const { mappings, closing, resting, heldDown, totals } = this;
    const port = number - this.first;
    const before = this.state[port];
    if (kind === KINDS.ALLOCATED) {
      mappings[port]++;
      totals[IN_USE]++;
      this.created++;
      this.subscriber[port] = subscriber;
    } else if (kind === KINDS.CLOSING && closing[port] < mappings[port]) {
      closing[port]++;
      this._move(IN_USE, CLOSING);
    } else if (kind === KINDS.REOPENED && closing[port]) {
      closing[port]--;
      this._move(CLOSING, IN_USE);
    } else if (kind === KINDS.RELEASED && mappings[port]) {
      mappings[port]--;
      if (closing[port] > mappings[port]) {
        closing[port]--;
        totals[CLOSING]--;
      } else totals[IN_USE]--;
      resting[port]++;
      totals[RESTING]++;
    } else if (kind === KINDS.HELD_DOWN && resting[port]) {
      resting[port]--;
      heldDown[port]++;
      this._move(RESTING, HELD_DOWN);
    } else if (kind === KINDS.FREED && heldDown[port]) {
      heldDown[port]--;
      totals[HELD_DOWN]--;
    } else if (kind === KINDS.FREED && resting[port]) {
      resting[port]--;
      totals[RESTING]--;
    } else return false;
    this.state[port] = mappings[port]
      ? closing[port] >= mappings[port]
        ? CLOSING
        : IN_USE
      : resting[port]
        ? RESTING
        : heldDown[port]
          ? HELD_DOWN
          : FREE;
    this.ports[before]--;
    this.ports[this.state[port]]++;
    if (kind !== KINDS.FREED || this.state[port] === FREE) this.since[port] = time;
    if (number < this.low) this.low = number;
    if (number > this.high) this.high = number;
    return true;
  }

  _has(port) {
    return port >= this.first && port < this.first + this.state.length;
  }

  /** Make room for a port: at least twice as much as there was, on the side where the port is. */
  _reach(port) {
    const before = this.state.length;
    const low = before ? Math.min(this.first, port) : port;
    const high = before ? Math.max(this.first + before - 1, port) : port;
    const room = Math.min(PORTS, Math.max(LEAST_ROOM, 2 * before, high - low + 1));
    const first = port < this.first ? Math.max(0, high + 1 - room) : Math.min(low, PORTS - room);
    for (const [name, Column] of Object.entries(COLUMNS)) {
      const grown = new Column(room);
      if (before) grown.set(this[name], this.first - first);
      this[name] = grown;
    }
    this.first = first;
  }

  _move(from, to) {
    this.totals[from]--;
    this.totals[to]++;
  }
}

/** All that a recording says of one instant. */
export class State {
  constructor() {
    this.time = 0;
    this.pools = new Map(); // address * 4 + protocol -> Pool
    this.mappings = new Map(); // by the index of the subscriber
    this.refusedBy = new Map();
    this.refusals = new Float64Array(16); // by reason
    this.attempts = new Float64Array(16); // by outcome
    this.refused = 0;
    this.lastRefusal = -Infinity;
    this.refusedPorts = []; // [time, pool, port] of the newest that were about one port
    this.held = 0;
    this.missed = 0;
    this.created = 0;
    this.phase = "";
    this.phases = [];
    this.checks = [];
    this.gauges = {};
    this.counters = {};
    this.progress = null;
    this.verdict = null;
  }

  copy() {
    const copied = Object.assign(new State(), this);
    copied.pools = new Map(Array.from(this.pools, ([key, pool]) => [key, pool.copy()]));
    return copied._apart();
  }

  unpacked() {
    const state = Object.assign(new State(), this);
    state.pools = new Map(Array.from(this.pools, ([key, pool]) => [key, pool.unpacked()]));
    return state._apart();
  }

  _apart() {
    this.mappings = new Map(this.mappings);
    this.refusedBy = new Map(this.refusedBy);
    this.refusals = this.refusals.slice();
    this.attempts = this.attempts.slice();
    this.refusedPorts = [...this.refusedPorts];
    this.phases = this.phases.map((phase) => ({ ...phase }));
    this.checks = [...this.checks];
    this.gauges = { ...this.gauges };
    this.counters = { ...this.counters };
    return this;
  }

  /** Take note of one record. */
  apply(recording, index) {
    const kind = recording.kind[index],
      time = recording.time[index];
    this.time = time;
    if (kind === KINDS.TEXT) return this._read(recording.text(index), time);
    const subscriber = recording.subscriber[index],
      reason = recording.detail[index] >> 4;
    if (kind === KINDS.ATTEMPT) this.attempts[reason]++;
    else if (kind === KINDS.HELD) this.held++;
    else if (kind === KINDS.REFUSED) {
      this.refused++;
      this.refusals[reason]++;
      this.lastRefusal = time;
      this.refusedBy.set(subscriber, (this.refusedBy.get(subscriber) ?? 0) + 1);
      if (recording.port[index]) this._refusedPort(time, this._key(recording, index), recording.port[index]);
    } else this._move(recording, index, kind, subscriber, time);
  }

  /** The sums over all pools: mappings in use and closing, and how often ports rest and are held down. */
  totals() {
    return this._sums("totals");
  }

  /** The ports of all pools by their states, each port once. */
  ports() {
    return this._sums("ports");
  }

  _sums(counted) {
    const sums = new Int32Array(STATES.length);
    for (const pool of this.pools.values())
      for (let state = 0; state < sums.length; state++) sums[state] += pool[counted][state];
    return sums;
  }

  _key(recording, index) {
    return recording.address[index] * 4 + Math.min(recording.detail[index] & 15, PROTOCOLS.length);
  }

  _refusedPort(time, key, port) {
    this.refusedPorts.push([time, key, port]);
    if (this.refusedPorts.length > 1024) this.refusedPorts.splice(0, 512);
  }

  _move(recording, index, kind, subscriber, time) {
    if (!MOVES.has(kind)) return; // of a version to come
    const key = this._key(recording, index);
    let pool = this.pools.get(key);
    if (!pool) {
      if (kind !== KINDS.ALLOCATED) return;
      this.pools.set(key, (pool = new Pool(key >> 2, key & 3)));
    }
    const owner = subscriber || pool.value("subscriber", recording.port[index]);
    if (!pool.turn(kind, recording.port[index], subscriber, time)) return;
    if (kind === KINDS.ALLOCATED) {
      this.created++;
      this.mappings.set(subscriber, (this.mappings.get(subscriber) ?? 0) + 1);
    } else if (kind === KINDS.RELEASED) {
      this.mappings.set(owner, Math.max(0, (this.mappings.get(owner) ?? 0) - 1));
    }
  }

  _read(text, time) {
    switch (text.kind) {
      case "phase":
        if (this.phases.length && this.phases.at(-1).end === null) this.phases.at(-1).end = time;
        this.phase = text.end ? "" : `${text.name ?? ""}`;
        if (this.phase) this.phases.push({ name: this.phase, begin: time, end: null });
        this.progress = null;
        break;
      case "progress":
        this.progress = { done: text.done, total: text.total };
        break;
      case "check":
        this.checks.push({ ...text.check, time });
        break;
      case "gauges":
        this.gauges[text.gateway ?? ""] = Object(text.gauges);
        break;
      case "counters":
        Object.assign(this.counters, text.counters ?? {});
        break;
      case "missed":
        this.missed += Number.isFinite(text.events) ? text.events : 0;
        break;
      case "end":
        if (this.phases.length && this.phases.at(-1).end === null) this.phases.at(-1).end = time;
        this.phase = "";
        this.verdict = text.verdict ?? "";
        break;
    }
  }
}
