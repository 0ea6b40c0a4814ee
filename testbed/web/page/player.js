// The time that the page shows: the newest instant, one that stands still, or one that runs on at some speed.

import { TICKS_PER_S } from "./format.js";

export class Player {
  constructor(elements, { onChange, views }) {
    this._elements = elements;
    this._views = views;
    this._onChange = onChange;
    this.isAtNewest = true;
    this.isPlaying = false;
    this._now = 0;
    const { play, instant, latest } = elements;
    play.addEventListener("click", () => this.toggle());
    latest.addEventListener("click", () => this.newest());
    instant.addEventListener("input", () => this.seek(Number(instant.value) * TICKS_PER_S));
    document.addEventListener("keydown", (event) => this._key(event));
    elements.strip.addEventListener("pointerdown", (event) => this._point(event));
    elements.strip.addEventListener("pointermove", (event) => event.buttons && this._point(event));
  }

  /** The end of the longest recording, in ticks. */
  get end() {
    return Math.max(0, ...this._views().map((view) => view.recording.end));
  }

  get now() {
    return this.isAtNewest ? this.end : this._now;
  }

  seek(ticks) {
    this.isAtNewest = false;
    this.isPlaying = false;
    this._now = Math.max(0, Math.min(this.end, ticks));
    this._show();
    this._onChange();
  }

  newest() {
    this.isAtNewest = true;
    this.isPlaying = false;
    this._show();
    this._onChange();
  }

  toggle() {
    if (this.isPlaying) this.isPlaying = false;
    else {
      this._now = this.now >= this.end ? 0 : this.now;
      this.isAtNewest = false;
      this.isPlaying = true;
    }
    this._show();
    this._onChange();
  }

  /** Let `milliseconds` pass. */
  pass(milliseconds) {
    if (this.isPlaying) {
      this._now += (milliseconds / 1000) * TICKS_PER_S * Number(this._elements.speed.value);
      if (this._now >= this.end) {
        this._now = this.end;
        this.isPlaying = false;
      }
    }
    this._show();
  }

  _show() {
    const { play, instant, latest, clock } = this._elements;
    const end = this.end / TICKS_PER_S,
      now = this.now / TICKS_PER_S;
    if (Number(instant.max) !== end) instant.max = end || 1;
    if (Math.abs(Number(instant.value) - now) >= 0.005) instant.value = now;
    instant.setAttribute("aria-valuetext", `${now.toFixed(2)} of ${end.toFixed(2)} seconds`);
    clock.textContent = `${now.toFixed(3)} s`;
    play.textContent = this.isPlaying ? "Stop" : "Play";
    latest.setAttribute("aria-pressed", `${this.isAtNewest}`);
  }

  _key(event) {
    if (
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      event.target.closest("input, select, textarea, [role=tablist]")
    )
      return;
    const step = { ArrowLeft: -0.1, ArrowRight: 0.1, PageUp: -1, PageDown: 1 }[event.key];
    if (step !== undefined && !event.target.closest(".scroll"))
      this.seek(this.now + step * (event.shiftKey ? 10 : 1) * TICKS_PER_S);
    else if (event.key === " " && !event.target.closest("button, a")) this.toggle();
    else if (event.key === "Home" && !event.target.closest(".scroll")) this.seek(0);
    else if (event.key === "End" && !event.target.closest(".scroll")) this.newest();
    else return;
    event.preventDefault();
  }

  _point(event) {
    const box = this._elements.strip.getBoundingClientRect();
    this.seek(((event.clientX - box.left) / box.width) * this.end);
  }
}

/** Draw the strip above the slider: phases, ports in use, refusals and checks, for each recording one line. */
export function drawStrip(canvas, views, player, palette) {
  const ratio = devicePixelRatio || 1,
    width = canvas.clientWidth,
    height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
  if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  const end = player.end || 1;
  const each = height / Math.max(1, views.length);
  views.forEach((view, row) =>
    drawRow(context, view, palette, { top: row * each, height: each - 2, x: (ticks) => (ticks / end) * width }),
  );
  context.fillStyle = palette.text;
  context.fillRect(Math.min(width - 2, (player.now / end) * width) - 0.5, 0, 2, height);
}

function drawRow(context, view, palette, { top, height, x }) {
  const { head, series } = view.timeline;
  const { time, inUse, closing, refused } = series.columns;
  head.phases.forEach((phase, index) => {
    const from = x(phase.begin);
    context.fillStyle = palette.css(`band-${index % 2}`);
    context.fillRect(from, top, x(phase.end ?? view.recording.end) - from, height);
  });
  const most = Math.max(1, view.ports);
  context.fillStyle = palette.states[1];
  context.beginPath();
  context.moveTo(0, top + height);
  time.forEach((second, index) =>
    context.lineTo(
      x(second * TICKS_PER_S),
      top +
        height -
        Math.min(1, (inUse[index] + closing[index]) / most) * (height - 14 > 8 ? height - 14 : height),
    ),
  );
  context.lineTo(x(view.recording.end), top + height);
  context.globalAlpha = 0.55;
  context.fill();
  context.globalAlpha = 1;
  context.fillStyle = palette.refused;
  for (let index = 1; index < time.length; index++) {
    if (refused[index] > refused[index - 1])
      context.fillRect(x(time[index] * TICKS_PER_S) - 1, top + height - 7, 2, 7);
  }
  for (const check of head.checks) {
    context.fillStyle = check.ok ? palette.css("ok") : palette.css("bad");
    context.fillRect(x(check.time) - 1.5, top + height - 13, 3, 6);
  }
  if (height > 16)
    for (const phase of head.phases)
      name(context, phase.name, x(phase.begin), x(phase.end ?? view.recording.end), top, height, palette);
}

/** Write the name of a phase, as far as there is room. */
function name(context, words, from, to, top, height, palette) {
  context.save();
  context.beginPath();
  context.rect(from, top, to - from - 3, height);
  context.clip();
  context.fillStyle = palette.text;
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "top";
  context.fillText(words, from + 4, top + 3);
  context.restore();
}
