// The series over time, drawn by uPlot. A line stands at the instant that the page shows; a click goes to another.

import { number } from "./words.js";

const HEIGHT = 148;

/** One chart: lines over the seconds of a run. */
export class Chart {
  constructor(place, lines, { onSeek, unit = "" }) {
    this._place = place;
    this._lines = lines; // [{ name, colour (a name of the palette), dash, fill }]
    this._onSeek = onSeek;
    this._unit = unit;
    this._data = [[], ...lines.map(() => [])];
    this._now = 0;
    this._end = 1;
    new ResizeObserver(() => this._resize()).observe(place);
  }

  /** Show data: the seconds, then the values of each line; `end` is where the axis ends. */
  show(data, end, now) {
    this._data = data;
    this._now = now;
    if (!this._plot) return;
    this._end = Math.max(end, 0.1);
    this._plot.setData(data, false);
    this._plot.setScale("x", { min: 0, max: this._end });
  }

  /** Draw in the colours of a palette, which changes with the theme. */
  paint(palette) {
    this._plot?.destroy();
    const axis = {
      stroke: palette.muted,
      font: "11px system-ui, sans-serif",
      grid: { stroke: palette.line, width: 1 },
      ticks: { show: false },
    };
    const series = this._lines.map(({ name, colour, dash, fill }) => {
      const stroke = palette.css(colour);
      return {
        label: name,
        stroke,
        width: 1.75,
        dash,
        fill: fill ? `${stroke}33` : undefined,
        points: { show: false },
      };
    });
    this._plot = new globalThis.uPlot(
      {
        width: Math.max(120, this._place.clientWidth),
        height: HEIGHT,
        legend: { show: false },
        padding: [8, 18, 0, 0],
        cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
        scales: {
          x: { time: false, range: () => [0, this._end] },
          y: { range: (_, least, most) => [0, Math.max(1, most * 1.08 || 1)] },
        },
        axes: [
          { ...axis, values: (_, marks) => marks.map((mark) => `${+mark.toFixed(3)} s`), space: 60, size: 26 },
          { ...axis, values: (_, marks) => marks.map((mark) => short(mark)), size: 46, space: 30 },
        ],
        series: [{}, ...series],
        hooks: { draw: [(plot) => this._mark(plot, palette)] },
      },
      this._data,
      this._place,
    );
    this._plot.over.addEventListener("click", () => {
      const left = this._plot.cursor.left;
      if (left >= 0) this._onSeek(this._plot.posToVal(left, "x"));
    });
    this.show(this._data, this._end, this._now);
  }

  _mark(plot, palette) {
    const x = Math.round(plot.valToPos(this._now, "x", true));
    const { left, top, width, height } = plot.bbox;
    if (x < left || x > left + width + 1) return;
    plot.ctx.save();
    plot.ctx.fillStyle = palette.text;
    plot.ctx.fillRect(x - devicePixelRatio / 2, top, devicePixelRatio, height);
    plot.ctx.restore();
  }

  _resize() {
    const width = this._place.clientWidth;
    if (this._plot && width > 0 && Math.abs(width - this._plot.width) > 1)
      this._plot.setSize({ width, height: HEIGHT });
  }
}

function short(value) {
  return Math.abs(value) >= 10_000 ? `${+(value / 1000).toFixed(1)}k` : number(value);
}

/** The change a second of a sum that is taken at equal steps, over `wide` steps. */
export function rate(time, sums, wide) {
  return sums.map((sum, index) => {
    const from = Math.max(0, index - wide);
    return index === from ? 0 : (sum - sums[from]) / (time[index] - time[from]);
  });
}
