// The port map: every port of one address and protocol is a cell. 1024 to 65535 are exactly 252 rows of 256. Where
// mappings may have several ranges of ports only, the cells are those, one range after the other.
//
// The cells are the pixels of a small image that is drawn large. What depends on the size of a cell comes on top:
// lines between cells, and a pattern for each state, so that nothing rests on colour alone.

import { CLOSING, HELD_DOWN, PORTS, RESTING } from "./state.js";

const FIRST = 1024;
const WIDE = 256;
const GUTTER = 48; // for the numbers of ports at the left, in CSS pixels
const EDGE = 7; // for the stripes of a refusal
const LINES_FROM = 7,
  PATTERNS_FROM = 9; // device pixels of a cell
const MOST_ZOOM = 16;
const LEAST_CELL = 0.25, // device pixels: on a narrow screen several cells share one
  MOST_CELL = 96; // CSS pixels, where there are few ports

/** The port of each cell, and the cell of each port; -1 where a port has none. */
class Cells {
  constructor(ranges) {
    this.count = ranges.reduce((sum, [low, high]) => sum + high - low + 1, 0);
    this.ports = new Uint16Array(this.count);
    this._cells = new Int32Array(PORTS).fill(-1);
    let cell = 0;
    for (const [low, high] of ranges) {
      for (let port = low; port <= high; port++) {
        this.ports[cell] = port;
        this._cells[port] = cell++;
      }
    }
  }

  /** The cell of a port. */
  of(port) {
    return this._cells[port] ?? -1;
  }

  /** The port that has a cell and is nearest to this one, or the one above it. */
  nearest(port) {
    const above = this.ports.findIndex((each) => each >= port);
    return this.ports[above < 0 ? this.count - 1 : above];
  }
}

/** The ports that a map shows, and the shape of it: as square as rows of a power of two can be. */
export function shape(pool, ranges, known) {
  const shown = pool && pool.high >= 0 ? withTouched(pool, ranges) : ranges;
  const key = `${shown}`;
  if (known?.key === key) return known;
  const cells = new Cells(shown);
  const columns = Math.min(WIDE, 2 ** Math.ceil(Math.log2(Math.sqrt(cells.count))));
  return { key, cells, count: cells.count, columns, rows: Math.ceil(cells.count / columns) };
}

/** Ranges of ports with those that a NAT has given besides. One range is made longer; several get single ports. */
function withTouched(pool, ranges) {
  const first = ranges[0][0],
    last = ranges.at(-1)[1];
  if (ranges.length === 1) {
    const low = pool.low >= first ? first : pool.low < FIRST ? 0 : FIRST;
    return [[low, Math.max(last, pool.high)]];
  }
  const belongs = new Uint8Array(PORTS);
  for (const [low, high] of ranges) belongs.fill(1, low, high + 1);
  const besides = [];
  for (let port = pool.low; port <= pool.high; port++) {
    if (!belongs[port] && (pool.value("state", port) || pool.value("since", port))) besides.push([port, port]);
  }
  return besides.length ? [...ranges, ...besides].sort(([one], [other]) => one - other) : ranges;
}

export class PortMap {
  constructor(canvas, onPort) {
    this.canvas = canvas;
    this.port = null; // that the pointer or the keyboard is at
    this.zoom = 1;
    this.centre = [0.5, 0.5];
    this._cells = document.createElement("canvas");
    this._onPort = onPort;
    this._listen();
  }

  /** Draw a view: { pool, ranges, coloring, palette, now, refused, ... }. */
  draw(view) {
    this._view = view;
    this.shape = shape(view.pool, view.ranges, this.shape);
    const { columns, rows, count, cells } = this.shape;
    this._fit(columns, rows);
    const image = this._image(columns, rows);
    const out = new Uint32Array(image.data.buffer);
    if (view.pool) view.colouring.pixels(view.palette, view.pool, cells.ports, out, view);
    else out.fill(view.palette.pixels.states[0], 0, count);
    this._cells.getContext("2d").putImageData(image, 0, 0);
    this._paint();
  }

  /** The port at a point of the canvas, in CSS pixels; null beside the map. */
  at(x, y) {
    if (!this.shape) return null;
    const [left, top, cell] = this._window();
    const column = Math.floor(left + (x - GUTTER) / cell),
      row = Math.floor(top + (y - EDGE) / cell);
    if (x < GUTTER || y < EDGE || column < 0 || row < 0 || column >= this.shape.columns || row >= this.shape.rows)
      return null;
    const number = row * this.shape.columns + column;
    return number < this.shape.count ? this.shape.cells.ports[number] : null;
  }

  select(port) {
    this.port = port === null ? null : this.shape.cells.nearest(port);
    if (this.port !== null) this._bringIntoView();
    this._onPort(this.port);
    this._paint();
  }

  zoomTo(zoom, at = this.centre) {
    this.zoom = Math.max(1, Math.min(MOST_ZOOM, zoom));
    this.centre = at;
    this._paint();
  }

  /** The numbers of pixels of the small image by their colour, for those who count. */
  counted() {
    const { columns, rows, count } = this.shape;
    const data = new Uint32Array(this._cells.getContext("2d").getImageData(0, 0, columns, rows).data.buffer);
    const numbers = new Map();
    for (let cell = 0; cell < count; cell++) numbers.set(data[cell], (numbers.get(data[cell]) ?? 0) + 1);
    return numbers;
  }

  _image(columns, rows) {
    if (this._cells.width !== columns || this._cells.height !== rows || !this._kept) {
      this._cells.width = columns;
      this._cells.height = rows;
      this._kept = new ImageData(columns, rows);
    }
    new Uint32Array(this._kept.data.buffer).fill(0);
    return this._kept;
  }

  /** Give the canvas a size of whole device pixels for each cell, as large as its place allows. */
  _fit(columns, rows) {
    const room = this.canvas.parentElement;
    const ratio = globalThis.devicePixelRatio || 1;
    const width = room.clientWidth - GUTTER - EDGE,
      height = (room.clientHeight || Infinity) - 2 * EDGE;
    const most = Math.max(LEAST_CELL, Math.min(width / columns, height / rows, MOST_CELL) * ratio);
    this.cell = (most >= 2 ? Math.floor(most) : most) / ratio;
    const across = this.cell * columns + GUTTER + EDGE,
      down = this.cell * rows + 2 * EDGE;
    const key = `${across} ${down} ${ratio}`;
    if (key === this._fitted) return;
    this._fitted = key;
    this.canvas.width = Math.round(across * ratio);
    this.canvas.height = Math.round(down * ratio);
    this.canvas.style.width = `${this.canvas.width / ratio}px`;
    this.canvas.style.height = `${this.canvas.height / ratio}px`;
  }

  /** The first column and row that are in sight, and the size of a cell. */
  _window() {
    const { columns, rows } = this.shape;
    const across = columns / this.zoom,
      down = rows / this.zoom;
    const clamp = (value, most) => Math.max(0, Math.min(most, value));
    return [
      clamp(this.centre[0] * columns - across / 2, columns - across),
      clamp(this.centre[1] * rows - down / 2, rows - down),
      this.cell * this.zoom,
    ];
  }

  _paint() {
    if (!this._view) return;
    const { columns, rows } = this.shape,
      { palette } = this._view;
    const ratio = this.canvas.width / parseFloat(this.canvas.style.width);
    const context = this.canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    const [left, top, cell] = this._window();
    const width = columns * this.cell,
      height = rows * this.cell;
    context.imageSmoothingEnabled = cell * ratio < 1;
    context.drawImage(this._cells, left, top, columns / this.zoom, rows / this.zoom, GUTTER, EDGE, width, height);
    context.save();
    context.beginPath();
    context.rect(GUTTER, EDGE, width, height);
    context.clip();
    this._overlay(context, left, top, cell, cell * ratio);
    context.restore();
    this._numbers(context, top, cell, height);
    this._frame(context, width, height, palette);
  }

  _overlay(context, left, top, cell, devicePixels) {
    const { cells, columns, rows } = this.shape,
      { pool, palette, colouring } = this._view;
    const from = Math.floor(top),
      to = Math.min(rows, Math.ceil(top + rows / this.zoom));
    const begin = Math.floor(left),
      end = Math.min(columns, Math.ceil(left + columns / this.zoom));
    const x = (column) => GUTTER + (column - left) * cell,
      y = (row) => EDGE + (row - top) * cell;
    if (devicePixels >= PATTERNS_FROM && pool && colouring.name === "State") {
      context.strokeStyle = context.fillStyle = palette.css("pattern");
      context.lineWidth = Math.max(1, cell / 9);
      for (let row = from; row < to; row++) {
        for (let column = begin; column < end; column++)
          pattern(context, pool.value("state", cells.ports[row * columns + column]), x(column), y(row), cell);
      }
    }
    if (devicePixels >= LINES_FROM) {
      context.fillStyle = palette.panel;
      for (let column = begin; column <= end; column++) context.fillRect(x(column) - 0.5, EDGE, 1, rows * cell);
      for (let row = from; row <= to; row++) context.fillRect(GUTTER, y(row) - 0.5, columns * cell, 1);
    }
    const outline = (port, colour, width) => {
      const number = cells.of(port);
      if (number < 0) return;
      context.strokeStyle = colour;
      context.lineWidth = width;
      const margin = cell < 6 ? 2 : 0;
      context.strokeRect(
        x(number % columns) - margin,
        y(Math.floor(number / columns)) - margin,
        cell + 2 * margin,
        cell + 2 * margin,
      );
    };
    for (const port of this._view.refusedPorts) outline(port, palette.refused, 2);
    if (this.port !== null) {
      outline(this.port, palette.panel, 4);
      outline(this.port, palette.text, 2);
    }
  }

  _numbers(context, top, cell, height) {
    const { cells, columns, rows } = this.shape;
    context.fillStyle = this._view.palette.muted;
    context.font = "11px system-ui, sans-serif";
    context.textAlign = "right";
    context.textBaseline = "top";
    const each = Math.max(1, 2 ** Math.ceil(Math.log2(40 / cell)));
    for (let row = Math.ceil(top / each) * each; row < rows; row += each) {
      const y = EDGE + (row - top) * cell;
      if (y > EDGE + height - 10) break;
      context.fillText(`${cells.ports[row * columns]}`, GUTTER - EDGE - 3, y);
    }
  }

  /** Stripes around the map while a refusal is new, else a thin line. */
  _frame(context, width, height, palette) {
    if (!this._view.isRefused) {
      context.strokeStyle = palette.line;
      context.lineWidth = 1;
      context.strokeRect(GUTTER - 0.5, EDGE - 0.5, width + 1, height + 1);
      return;
    }
    context.save();
    context.beginPath();
    context.rect(GUTTER - EDGE, 0, width + 2 * EDGE, height + 2 * EDGE);
    context.rect(GUTTER - 1, EDGE - 1, width + 2, height + 2);
    context.clip("evenodd");
    context.fillStyle = palette.refused;
    context.fillRect(GUTTER - EDGE, 0, width + 2 * EDGE, height + 2 * EDGE);
    context.strokeStyle = palette.panel;
    context.lineWidth = 3;
    context.beginPath();
    for (let x = GUTTER - EDGE - height - 20; x < GUTTER + width + EDGE; x += 9) {
      context.moveTo(x, height + 2 * EDGE);
      context.lineTo(x + height + 2 * EDGE, 0);
    }
    context.stroke();
    context.restore();
  }

  _bringIntoView() {
    const { cells, columns, rows } = this.shape;
    const number = cells.of(this.port);
    const [left, top] = this._window();
    const column = number % columns,
      row = Math.floor(number / columns);
    const isIn = (value, from, length) => value >= from && value + 1 <= from + length;
    if (!isIn(column, left, columns / this.zoom) || !isIn(row, top, rows / this.zoom))
      this.centre = [(column + 0.5) / columns, (row + 0.5) / rows];
  }

  _listen() {
    const { canvas } = this;
    let dragged = null;
    canvas.addEventListener("pointermove", (event) => {
      if (dragged && this.zoom > 1) {
        const { columns, rows } = this.shape;
        this.centre = [
          dragged.centre[0] - (event.clientX - dragged.x) / (this.cell * this.zoom * columns),
          dragged.centre[1] - (event.clientY - dragged.y) / (this.cell * this.zoom * rows),
        ];
        this.centre = this.centre.map((value) => Math.max(0.5 / this.zoom, Math.min(1 - 0.5 / this.zoom, value)));
        return this._paint();
      }
      const box = canvas.getBoundingClientRect();
      const port = this.at(event.clientX - box.left, event.clientY - box.top);
      if (port !== this.port) {
        this.port = port;
        this._onPort(port);
        this._paint();
      }
    });
    canvas.addEventListener("pointerdown", (event) => {
      dragged = { x: event.clientX, y: event.clientY, centre: [...this.centre] };
      if (this.zoom > 1) canvas.setPointerCapture(event.pointerId);
    });
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => (dragged = null));
    canvas.addEventListener("pointerleave", () => {
      if (document.activeElement !== canvas && !dragged) this.select(null);
    });
    canvas.addEventListener("dblclick", (event) => {
      const box = canvas.getBoundingClientRect(),
        [left, top, cell] = this._window();
      const { columns, rows } = this.shape;
      this.zoomTo(this.zoom * 2, [
        (left + (event.clientX - box.left - GUTTER) / cell) / columns,
        (top + (event.clientY - box.top - EDGE) / cell) / rows,
      ]);
    });
    canvas.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey && !event.metaKey) return;
        event.preventDefault();
        this.zoomTo(this.zoom * (event.deltaY < 0 ? 1.25 : 0.8));
      },
      { passive: false },
    );
    canvas.addEventListener("keydown", (event) => this._key(event));
    canvas.addEventListener("focus", () => this.port ?? this.select(this.shape?.cells.ports[0] ?? null));
  }

  _key(event) {
    if (!this.shape || event.ctrlKey || event.metaKey || event.altKey) return;
    const { columns, cells, count } = this.shape;
    const steps = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -columns,
      ArrowDown: columns,
      PageUp: -16 * columns,
      PageDown: 16 * columns,
    };
    const port = this.port ?? cells.ports[0];
    const go = (cell) => this.select(cells.ports[Math.max(0, Math.min(count - 1, cell))]);
    if (event.key in steps) go(cells.of(port) + steps[event.key]);
    else if (event.key === "Home") go(0);
    else if (event.key === "End") go(count - 1);
    else if (event.key === "+" || event.key === "=") this.zoomTo(this.zoom * 2, this._centreOf(port));
    else if (event.key === "-") this.zoomTo(this.zoom / 2, this._centreOf(port));
    else if (event.key === "0") this.zoomTo(1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  _centreOf(port) {
    const { columns, rows, cells } = this.shape;
    const number = cells.of(port);
    return [((number % columns) + 0.5) / columns, (Math.floor(number / columns) + 0.5) / rows];
  }
}

/** The pattern of a state in one cell: stripes for held down, a dot for resting, a dash for closing. */
function pattern(context, state, x, y, cell) {
  if (state === RESTING) {
    context.beginPath();
    context.arc(x + cell / 2, y + cell / 2, cell / 6, 0, 7);
    context.fill();
  } else if (state === CLOSING || state === HELD_DOWN) {
    context.beginPath();
    context.moveTo(x + cell * 0.25, state === CLOSING ? y + cell / 2 : y + cell * 0.75);
    context.lineTo(x + cell * 0.75, state === CLOSING ? y + cell / 2 : y + cell * 0.25);
    context.stroke();
  }
}
