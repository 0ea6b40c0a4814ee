// What the server sends: the list of recordings, and the bytes of each. A stream that broke off goes on.

const WAITS_MS = [250, 500, 1000, 2000];

/** Follow the list; `onList` gets it, and `onState` one of connected, lost, over. */
export function follow({ onList, onState }) {
  const source = new EventSource("recordings");
  let isOver = false;
  const take = (event) => {
    onState(event.type === "over" ? "over" : "connected");
    onList(JSON.parse(event.data));
  };
  source.addEventListener("recordings", take);
  source.addEventListener("over", (event) => {
    isOver = true;
    source.close();
    take(event);
  });
  source.addEventListener("error", () => isOver || onState("lost"));
}

/** Read a recording to its end. */
export async function read(key, { received, take, isWanted, isOver }) {
  await untilAnswered(() => `recordings/${key}?from=${received()}`, { isWanted, isOver }, async (answer) => {
    const reader = answer.body.getReader();
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      if (!isWanted()) return void reader.cancel();
      take(piece.value);
    }
  });
}

/** What is known of a recording besides; nothing if nobody has it. */
export async function about(key, needs) {
  let told = {};
  await untilAnswered(() => `recordings/${key}/about`, needs, async (answer) => (told = await answer.json()));
  return told;
}

/** Ask until an answer was taken whole; give up when nobody wants it, or nobody has it any more. */
async function untilAnswered(url, { isWanted, isOver }, take) {
  for (let tries = 0; isWanted();) {
    try {
      const answer = await fetch(url());
      if (answer.status === 404) return;
      if (answer.ok) {
        tries = 0;
        return await take(answer);
      }
    } catch {
      if (isOver()) return;
    }
    await new Promise((resolve) => setTimeout(resolve, WAITS_MS[Math.min(tries++, WAITS_MS.length - 1)]));
  }
}
