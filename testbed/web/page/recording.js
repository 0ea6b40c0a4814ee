// The records of one recording, in columns and in the order of their times. docs/recording.md has the format.
//
// Bytes come in pieces that end anywhere. A record that comes late is put where it belongs, as those of attempts.

import { KINDS, RECORD_BYTES } from "./format.js";

const COLUMNS = {
  time: Uint32Array,
  kind: Uint8Array,
  detail: Uint8Array,
  address: Uint16Array,
  port: Uint16Array,
  subscriber: Uint16Array,
};

export class Recording {
  constructor() {
    this.length = 0;
    this.received = 0; // bytes, which is where a stream that broke off goes on
    this.header = null;
    this.addresses = new Map(); // index -> { gateway, address }
    this.subscribers = new Map();
    this._first = new Map(); // gateway and address -> the first index that a subscriber has
    this._same = new Map(); // any other index of it -> the first one
    this.texts = [];
    this.isComplete = false;
    this._rest = new Uint8Array(0);
    this._room = 0;
    this._grow(4096);
  }

  /** Take the next bytes; return the number of the first record that is new or has moved. */
  push(bytes) {
    this.received += bytes.length;
    let data = bytes;
    if (this._rest.length) {
      data = new Uint8Array(this._rest.length + bytes.length);
      data.set(this._rest);
      data.set(bytes, this._rest.length);
    }
    const view = new DataView(data.buffer, data.byteOffset, data.length);
    const first = this.length;
    let at = 0;
    while (data.length - at >= RECORD_BYTES) {
      let end = at + RECORD_BYTES;
      const kind = view.getUint8(at + 4);
      if (kind === KINDS.TEXT) {
        end += view.getUint32(at + 6, true);
        if (end > data.length) break;
        this._text(data.subarray(at + RECORD_BYTES, end));
      }
      this._append(view, at, kind);
      at = end;
    }
    this._rest = data.slice(at);
    return this._order(first);
  }

  /** The text of a record of the kind TEXT. */
  text(index) {
    return this.texts[this.port[index] | (this.subscriber[index] << 16)];
  }

  /** The number of records up to a time, in ticks. */
  until(ticks) {
    let low = 0,
      high = this.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.time[middle] <= ticks) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The time of the last record, in ticks. */
  get end() {
    return this.length ? this.time[this.length - 1] : 0;
  }

  _append(view, at, kind) {
    const index = this.length;
    if (index === this._room) this._grow(2 * this._room);
    this.time[index] = view.getUint32(at, true);
    this.kind[index] = kind;
    if (kind === KINDS.TEXT) {
      const number = this.texts.length - 1;
      this.port[index] = number & 0xffff;
      this.subscriber[index] = number >>> 16;
    } else {
      this.detail[index] = view.getUint8(at + 5);
      this.address[index] = view.getUint16(at + 6, true);
      this.port[index] = view.getUint16(at + 8, true);
      const subscriber = view.getUint16(at + 10, true);
      this.subscriber[index] = this._same.get(subscriber) ?? subscriber;
    }
    this.length = index + 1;
  }

  _text(bytes) {
    let content;
    try {
      content = JSON.parse(new TextDecoder().decode(bytes)) ?? {};
    } catch {
      content = { kind: "unreadable" };
    }
    this.texts.push(content);
    if (!this.header) this.header = content;
    if (content.kind === "table") {
      for (const [index, gateway, address] of content.addresses ?? []) {
        this.addresses.set(index, { gateway: `${gateway}`, address: `${address}` });
      }
      for (const [index, gateway, address] of content.subscribers ?? []) this._subscriber(index, gateway, address);
    }
    if (content.kind === "end") this.isComplete = true;
  }

  /** Note a subscriber. It may have several indexes: one from its gateway, and one from its attempts. */
  _subscriber(index, gateway, address) {
    const key = `${gateway} ${address}`;
    const first = this._first.get(key) ?? index;
    this._first.set(key, first);
    if (first !== index) this._same.set(index, first);
    else this.subscribers.set(index, { gateway: `${gateway}`, address: `${address}` });
  }

  _grow(room) {
    for (const [name, Column] of Object.entries(COLUMNS)) {
      const grown = new Column(room);
      if (this[name]) grown.set(this[name]);
      this[name] = grown;
    }
    this._room = room;
  }

  /** Put the records from `first` on that are late where they belong; return the first place that has changed. */
  _order(first) {
    let latest = first ? this.time[first - 1] : 0;
    const late = [];
    let earliest = Infinity;
    for (let index = first; index < this.length; index++) {
      const time = this.time[index];
      if (time >= latest) latest = time;
      else {
        late.push(index);
        earliest = Math.min(earliest, time);
      }
    }
    if (!late.length) return first;
    const all = this.length;
    this.length = first;
    const from = this.until(earliest);
    this.length = all;
    const isLate = new Uint8Array(all - from);
    for (const index of late) isLate[index - from] = 1;
    late.sort((one, other) => this.time[one] - this.time[other] || one - other);
    const order = new Uint32Array(all - from);
    let next = 0,
      rank = 0;
    for (let index = from; index < all; index++) {
      if (isLate[index - from]) continue;
      while (rank < late.length && this.time[late[rank]] < this.time[index]) order[next++] = late[rank++];
      order[next++] = index;
    }
    while (rank < late.length) order[next++] = late[rank++];
    for (const name of Object.keys(COLUMNS)) {
      const column = this[name],
        before = column.slice(from, all);
      for (let place = 0; place < order.length; place++) column[from + place] = before[order[place] - from];
    }
    return from;
  }
}
