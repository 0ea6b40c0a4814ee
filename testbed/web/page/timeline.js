// A recording at any instant. Copies of the state, at distances that double when there are many, make each instant
// near; the series for the charts are taken on the way.

import { TICKS_PER_S } from "./format.js";
import { CLOSING, HELD_DOWN, IN_USE, RESTING, State } from "./state.js";

const MOST_COPIES = 24; // each takes a megabyte for each pool whose ports are all in use
const MOST_POINTS = 2000;
const FIRST_STEP = TICKS_PER_S / 20;

/** Sums over time, at equal steps that double when there are many. */
class Series {
  constructor() {
    this.step = FIRST_STEP;
    this.length = 0;
    this.columns = { time: [], inUse: [], closing: [], resting: [], heldDown: [], created: [], refused: [] };
  }

  /** Note a state that lasted until `time`. */
  until(time, state) {
    while (this.length * this.step < time) {
      const ports = state.ports();
      const row = {
        time: (this.length * this.step) / TICKS_PER_S,
        inUse: ports[IN_USE],
        closing: ports[CLOSING],
        resting: ports[RESTING],
        heldDown: ports[HELD_DOWN],
        created: state.created,
        refused: state.refused,
      };
      for (const [name, column] of Object.entries(this.columns)) column.push(row[name]);
      this.length++;
      if (this.length > MOST_POINTS) this._thin();
    }
  }

  mark() {
    return { step: this.step, length: this.length };
  }

  /** Forget what came after a mark; return whether that is possible. */
  backTo(mark) {
    if (mark.step !== this.step) return false;
    for (const column of Object.values(this.columns)) column.length = mark.length;
    this.length = mark.length;
    return true;
  }

  _thin() {
    for (const [name, column] of Object.entries(this.columns))
      this.columns[name] = column.filter((_, index) => index % 2 === 0);
    this.length = this.columns.time.length;
    this.step *= 2;
  }
}

export class Timeline {
  constructor(recording) {
    this.recording = recording;
    this._begin();
  }

  /** Take note of what the recording has by now; `first` is the first record that is new or has moved. */
  advance(first) {
    if (first < this._index) this._rewind(first);
    const { recording } = this;
    for (; this._index < recording.length; this._index++) {
      if (this._index >= this._nextCopy) this._copy();
      if (recording.time[this._index] > this.head.time) this.series.until(recording.time[this._index], this.head);
      this.head.apply(recording, this._index);
    }
    this.version++;
  }

  /** The state at a time in ticks. It is one object, which the next call changes. */
  at(ticks) {
    const { recording } = this;
    const wanted = recording.until(ticks);
    if (wanted >= this._index) return this.head;
    if (
      !this._shown ||
      wanted < this._shownIndex ||
      this._shownVersion !== this._rewound ||
      this._copyBetween(wanted)
    ) {
      const copy = this._nearest(wanted);
      this._shown = copy.state.unpacked();
      this._shownIndex = copy.index;
      this._shownVersion = this._rewound;
    }
    for (; this._shownIndex < wanted; this._shownIndex++) this._shown.apply(recording, this._shownIndex);
    return this._shown;
  }

  _begin() {
    this.head = new State();
    this.series = new Series();
    this.version = (this.version ?? 0) + 1;
    this._rewound = (this._rewound ?? 0) + 1;
    this._index = 0;
    this._every = 1 << 14;
    this._nextCopy = 0;
    this._copies = [];
    this._shown = null;
    this._shownIndex = 0;
  }

  _copy() {
    this._copies.push({ index: this._index, state: this.head.copy(), mark: this.series.mark() });
    if (this._copies.length > MOST_COPIES) {
      this._copies = this._copies.filter((_, number) => number % 2 === 0);
      this._every *= 2;
    }
    this._nextCopy = this._index + this._every;
  }

  _nearest(wanted) {
    return this._copies.findLast((copy) => copy.index <= wanted);
  }

  _copyBetween(wanted) {
    return this._nearest(wanted).index > this._shownIndex;
  }

  _rewind(first) {
    const copy = this._nearest(first);
    if (!copy || !this.series.backTo(copy.mark)) return this._begin();
    this._copies = this._copies.filter((each) => each.index <= copy.index);
    this.head = copy.state.unpacked();
    this._index = copy.index;
    this._nextCopy = copy.index + this._every;
    this._rewound++;
  }
}
