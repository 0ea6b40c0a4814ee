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
  for (let tries = 0; isWanted();) {
    try {
      const answer = await fetch(`recordings/${key}?from=${received()}`);
      if (answer.status === 404) return;
      if (answer.ok) {
        tries = 0;
        const reader = answer.body.getReader();
        for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
          if (!isWanted()) return void reader.cancel();
          take(piece.value);
        }
        return;
      }
    } catch {
      if (isOver()) return;
    }
    await new Promise((resolve) => setTimeout(resolve, WAITS_MS[Math.min(tries++, WAITS_MS.length - 1)]));
  }
}

export async function about(key) {
  try {
    const answer = await fetch(`recordings/${key}/about`);
    return answer.ok ? await answer.json() : {};
  } catch {
    return {};
  }
}
