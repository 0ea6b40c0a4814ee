// The page: which runs it shows, the time that it shows them at, and its rhythm.

import { Palette } from "./colours.js";
import { about, follow, read } from "./feed.js";
import { element, fill } from "./dom.js";
import { Player, drawStrip } from "./player.js";
import { RunView } from "./run.js";

const DRAWS_EVERY_MS = 30, // every second frame of most screens
  CALM_EVERY_MS = 1000,
  WRITES_EVERY_MS = 250,
  TELLS_EVERY_MS = 5000;
const CONNECTIONS = { connected: "live", lost: "connection lost, trying again", over: "over", kept: "recording" };

const $ = (id) => document.getElementById(id);
const calm = matchMedia("(prefers-reduced-motion: reduce)");
let listed = [];
let connection = "lost";
let views = [];
let palette;
let isChanged = true, // since it was drawn
  isUnwritten = true; // what was drawn

const player = new Player(
  {
    play: $("play"),
    instant: $("instant"),
    clock: $("clock"),
    speed: $("speed"),
    latest: $("latest"),
    strip: $("strip"),
  },
  { onChange: () => (isChanged = true), views: () => views },
);

function showConnection() {
  const isLive = listed.some((each) => each.live);
  const name = connection === "connected" && !isLive ? "kept" : connection;
  $("connection").className = `connection ${name}`;
  const words =
    name === "over" ? "The run is over and its server has ended. This page keeps what it has." : CONNECTIONS[name];
  if ($("connection").textContent !== words) $("connection").textContent = words;
}

function chosen() {
  return [$("first").value, $("second").value].filter((key, index, keys) => key && keys.indexOf(key) === index);
}

/** Offer what is there. By default the newest run is shown, and two where there are two. */
function offer() {
  const option = ({ key, title }) => element("option", { value: key }, title);
  const before = [$("first").value, $("second").value];
  fill($("first"), listed.map(option));
  fill($("second"), [element("option", { value: "none" }, "nothing"), ...listed.map(option)]);
  const keys = listed.map((each) => each.key);
  $("first").value = keys.includes(before[0]) ? before[0] : (keys[0] ?? "");
  const isKnown = before[1] === "none" ? hasChosen : keys.includes(before[1]);
  $("second").value = isKnown
    ? before[1]
    : keys.length === 2 || (keys.length > 2 && !hasChosen)
      ? keys.at(-1)
      : "none";
  $("beside").hidden = keys.length < 2;
  $("first").closest("label").hidden = keys.length < 2;
}

let hasChosen = false;

function arrange() {
  const keys = chosen().filter((key) => key !== "none");
  for (const view of views) if (!keys.includes(view.key)) view.isWanted = false;
  views = keys
    .map((key) => views.find((view) => view.key === key) ?? begin(listed.find((each) => each.key === key)))
    .filter(Boolean);
  $("runs").classList.toggle("two", views.length > 1);
  fill(
    $("runs"),
    views.length
      ? views.map((view) => view.root)
      : [element("p", { class: "empty" }, "There is nothing to see yet.")],
  );
  document.title = views.length ? `${views.map((view) => view.title).join(" | ")} - lastport` : "lastport";
  for (const view of views) view.paint(palette);
  isChanged = true;
}

function begin(entry) {
  if (!entry) return null;
  const view = new RunView(entry, player);
  view.isWanted = true;
  const needs = { isWanted: () => view.isWanted, isOver: () => connection === "over" };
  about(view.key, needs).then((told) => {
    view.tell(told);
    isChanged = true;
  });
  read(view.key, {
    ...needs,
    received: () => view.recording.received,
    take: (bytes) => {
      view.take(bytes);
      isChanged = true;
    },
  });
  return view;
}

let drawn = 0,
  written = 0,
  told = 0,
  before = performance.now();

function frame(time) {
  requestAnimationFrame(frame);
  if (time - drawn < (calm.matches ? CALM_EVERY_MS : DRAWS_EVERY_MS) && !(isChanged && !player.isAtNewest)) return;
  const passed = time - before;
  before = drawn = time;
  if (!isChanged && !isUnwritten && !player.isPlaying) return;
  const moves = player.isPlaying; // also where the end is reached by this
  player.pass(passed);
  if (isChanged || moves) {
    for (const view of views) view.draw(palette);
    drawStrip($("strip"), views, player, palette);
    frames++;
    isChanged = false;
    isUnwritten = true;
  }
  const stands = !player.isAtNewest && !player.isPlaying;
  if (stands || time - written >= WRITES_EVERY_MS) {
    for (const view of views) view.write(palette, player.end);
    written = time;
    isUnwritten = false;
  }
  if (time - told >= TELLS_EVERY_MS) {
    $("told").textContent = views.map((view) => view.summary).join("; ");
    told = time;
  }
}

let frames = 0;

function paint() {
  palette = new Palette(document.documentElement);
  for (const view of views) view.paint(palette);
  isChanged = true;
}

function project(isOn) {
  document.body.classList.toggle("projector", isOn);
  $("project").setAttribute("aria-pressed", `${isOn}`);
  $("project").textContent = isOn ? "Back" : "Projector";
  if (isOn) document.documentElement.requestFullscreen?.().catch(() => {});
  else if (document.fullscreenElement) document.exitFullscreen();
  isChanged = true;
}

$("project").addEventListener("click", () => project(!document.body.classList.contains("projector")));
document.addEventListener("fullscreenchange", () => document.fullscreenElement || project(false));
document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "p") project(!document.body.classList.contains("projector"));
  else if (event.key === "Escape" && document.body.classList.contains("projector")) project(false);
});
for (const id of ["first", "second"]) {
  $(id).addEventListener("change", () => {
    hasChosen = true;
    arrange();
  });
}
for (const name of ["change", "input"]) document.addEventListener(name, () => (isChanged = true));
addEventListener("resize", () => (isChanged = true));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);

paint();
follow({
  onList: (list) => {
    const keys = (each) => each.map(({ key }) => key).join();
    const isNew = keys(list) !== keys(listed);
    listed = list;
    if (isNew) {
      offer();
      arrange();
    }
    showConnection();
  },
  onState: (state) => {
    connection = state;
    showConnection();
  },
});
requestAnimationFrame(frame);

/** Wait until all that the page has by now is drawn and written. */
async function settled() {
  do await new Promise(requestAnimationFrame);
  while (isChanged || isUnwritten || views.some((view) => !view.state));
}

// For those who test the page, or look into it from the console.
globalThis.lastport = { player, views: () => views, frames: () => frames, settled };
