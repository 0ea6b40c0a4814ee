// The picture of a network: clients at the left, servers at the right, and what is between them in columns.

const SVG = "http://www.w3.org/2000/svg";
const LINE = 18,
  PADDING = 10,
  GAP = 64,
  SPACE = 22,
  LETTER = 6.9,
  STACK = 5;
const HEADS = { nat: "NAT", server: "server", router: "router", switch: "switch", host: "host" };

/** Return the picture of { places: [{ name, kind, lines, count }], links: [[name, name]] }. */
export function drawing({ places, links }) {
  const cards = new Map(places.map((place) => [place.name, card(place)]));
  const known = links.filter(([one, other]) => cards.has(one) && cards.has(other));
  const columns = inColumns(cards, known);
  const [width, height] = layOut(columns);
  const picture = svg("svg", {
    viewBox: `0 0 ${width} ${height}`,
    class: "network",
    role: "img",
    "aria-label": described(cards, known),
  });
  picture.setAttribute("width", width);
  picture.append(
    ...known.map(([one, other]) => link(cards.get(one), cards.get(other))),
    ...[...cards.values()].flatMap(drawn),
  );
  return picture;
}

function card({ name, kind, lines = [], count = 1 }) {
  const head =
    kind === "clients"
      ? `${count.toLocaleString("en")} client${count === 1 ? "" : "s"}`
      : name.includes(HEADS[kind])
        ? name
        : `${name} (${HEADS[kind] ?? "host"})`;
  const letters = Math.max(head.length * 1.08, ...lines.map((each) => each.length));
  return {
    name,
    kind,
    head,
    lines,
    column: 0,
    width: letters * LETTER + 2 * PADDING,
    height: LINE * (1 + lines.length) + 1.4 * PADDING,
  };
}

/** Give each place the column of its distance from the servers; clients are at the left. */
function inColumns(cards, links) {
  const neighbours = (name) =>
    links.flatMap(([one, other]) => (one === name ? [other] : other === name ? [one] : []));
  const distance = new Map(
    [...cards.values()].filter((each) => each.kind === "server").map((each) => [each.name, 0]),
  );
  const reached = [...distance.keys()];
  for (const name of reached) {
    for (const other of neighbours(name)) {
      if (distance.has(other)) continue;
      distance.set(other, distance.get(name) + 1);
      reached.push(other);
    }
  }
  const most = Math.max(0, ...distance.values());
  const columns = [];
  for (const each of cards.values()) {
    const column = each.kind === "clients" ? 0 : most - (distance.get(each.name) ?? most);
    (columns[column] ??= []).push(each);
  }
  return columns.filter(Boolean);
}

function layOut(columns) {
  const heights = columns.map((column) => column.reduce((sum, each) => sum + each.height + SPACE, -SPACE));
  const most = Math.max(...heights);
  let x = 4;
  columns.forEach((column, number) => {
    const wide = Math.max(...column.map((each) => each.width)),
      spare = (most - heights[number]) / (column.length + 1);
    let y = 4;
    for (const each of column) {
      y += spare;
      Object.assign(each, { x: x + (wide - each.width) / 2, y });
      y += each.height + SPACE;
    }
    x += wide + GAP;
  });
  return [x - GAP + 4 + 2 * STACK, most + 8 + 2 * STACK];
}

function drawn(each) {
  const moved = each.kind === "clients" ? [2 * STACK, STACK, 0] : [0];
  const x = each.x + PADDING,
    y = each.y + PADDING / 2 + LINE - 4;
  return [
    ...moved.map((by) =>
      svg("rect", {
        x: each.x + by,
        y: each.y + by,
        width: each.width,
        height: each.height,
        rx: 6,
        class: `card ${each.kind}`,
      }),
    ),
    svg("text", { x, y, class: "card-head" }, each.head),
    ...each.lines.map((words, number) => svg("text", { x, y: y + LINE * (number + 1) }, words)),
  ];
}

function link(one, other) {
  const [left, right] = one.x <= other.x ? [one, other] : [other, one];
  const from = [left.x + left.width, left.y + left.height / 2],
    to = [right.x, right.y + right.height / 2];
  const middle = (from[0] + to[0]) / 2;
  return svg("path", { d: `M${from}C${middle} ${from[1]} ${middle} ${to[1]} ${to}`, class: "link" });
}

function described(cards, links) {
  const places = [...cards.values()].map((each) => `${each.head} (${each.lines.join(", ")})`);
  const linked = links.map(([one, other]) => `${one} to ${other}`);
  return `The network. Places: ${places.join("; ")}. Links: ${linked.join("; ")}.`;
}

function svg(name, attributes, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined) made.setAttribute(key, value);
  made.append(...children);
  return made;
}
