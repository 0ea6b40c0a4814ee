// What the colours of the map mean, and their legend. The colours themselves are in style.css: Okabe and Ito's,
// which people with any colour vision tell apart, and each lighter or darker than the others.

import { PROTOCOLS, TICKS_PER_S } from "./format.js";
import { FREE, STATES } from "./state.js";

const AGES = [1, 10, 60, 600, Infinity];

/** The colours of the page as it is now, light or dark, as 0xAABBGGRR for an image's pixels. */
export class Palette {
  constructor(element) {
    const style = getComputedStyle(element);
    this._value = (name) => style.getPropertyValue(`--${name}`).trim();
    this.states = STATES.map((state) => this.css(state.replace(" ", "-")));
    this.series = Array.from({ length: 8 }, (_, number) => this.css(`own-${number}`));
    this.ages = AGES.map((_, number) => this.css(`age-${number}`));
    this.refused = this.css("refused");
    this.text = this.css("text");
    this.muted = this.css("muted");
    this.panel = this.css("panel");
    this.line = this.css("line");
    this.outside = this.css("outside");
    this.pixels = Object.fromEntries(
      ["states", "series", "ages"].map((name) => [name, Uint32Array.from(this[name], pixel)]),
    );
  }

  css(name) {
    return this._value(name);
  }
}

function pixel(colour) {
  const number = parseInt(colour.slice(1), 16);
  return (0xff000000 | ((number & 255) << 16) | (number & 0xff00) | (number >> 16)) >>> 0;
}

/** What the map can be coloured by: each gives a pixel for a port, and its legend. */
export const COLOURINGS = {
  state: {
    name: "State",
    pixels: (palette, pool, ports, out) =>
      paint(palette, pool, ports, out, (at) => palette.pixels.states[pool.state[at]]),
    legend: (palette, pool) =>
      STATES.map((name, state) => ({
        colour: palette.states[state],
        name,
        state,
        number: state ? (pool?.ports[state] ?? 0) : null,
      })),
  },
  subscriber: {
    name: "Subscriber",
    pixels: (palette, pool, ports, out) =>
      paint(palette, pool, ports, out, (at) =>
        pool.mappings[at] ? palette.pixels.series[pool.subscriber[at] % 8] : palette.pixels.states[FREE],
      ),
    legend: (palette, pool, view) => [
      { colour: palette.states[FREE], name: "nobody has it" },
      ...view
        .subscribersOf(pool)
        .slice(0, 8)
        .map(({ index, name, mappings }) => ({ colour: palette.series[index % 8], name, number: mappings })),
    ],
  },
  age: {
    name: "Age",
    pixels: (palette, pool, ports, out, view) =>
      paint(palette, pool, ports, out, (at) =>
        pool.mappings[at]
          ? palette.pixels.ages[ageClass(view.now - pool.since[at])]
          : palette.pixels.states[FREE],
      ),
    legend: (palette) => [
      { colour: palette.states[FREE], name: "nobody has it" },
      ...AGES.map((most, number) => ({ colour: palette.ages[number], name: ageName(number) })),
    ],
  },
  protocol: {
    name: "Protocol",
    pixels: (palette, pool, ports, out, view) => {
      const pools = view.poolsOf(pool.address),
        { series, states } = palette.pixels;
      for (let cell = 0; cell < ports.length; cell++) {
        let users = 0;
        for (const each of pools) if (each.value("mappings", ports[cell])) users |= 1 << each.protocol;
        out[cell] = users ? series[users === 1 ? 1 : users === 2 ? 0 : users === 4 ? 2 : 6] : states[FREE];
      }
    },
    legend: (palette) => [
      { colour: palette.states[FREE], name: "free in all" },
      ...PROTOCOLS.map((name, number) => ({
        colour: palette.series[[1, 0, 2][number]],
        name: name.toUpperCase(),
      })),
      { colour: palette.series[6], name: "several" },
    ],
  },
};

/** Give each cell the colour of its port, by the place of the port in the pool's columns. */
function paint(palette, pool, ports, out, colourAt) {
  out.fill(palette.pixels.states[FREE]);
  for (let cell = 0; cell < ports.length; cell++) {
    const port = ports[cell];
    if (port >= pool.low && port <= pool.high) out[cell] = colourAt(port - pool.first);
  }
}

export function ageClass(ticks) {
  return AGES.findIndex((most) => ticks < most * TICKS_PER_S);
}

export function ageName(number) {
  const words = AGES.map((most) => (most < 60 ? `${most} s` : `${most / 60} min`));
  return number === 0
    ? `less than ${words[0]}`
    : number === AGES.length - 1
      ? `${words.at(-2)} or more`
      : `${words[number - 1]} to ${words[number]}`;
}

/** The numbers of a pool's ports in use by age. */
export function ages(pool, now) {
  const numbers = new Array(AGES.length).fill(0);
  if (pool)
    for (let at = pool.low - pool.first; at <= pool.high - pool.first; at++)
      if (pool.mappings[at]) numbers[ageClass(now - pool.since[at])] += 1;
  return numbers;
}
