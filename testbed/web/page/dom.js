// Making elements. Whatever a recording says comes in as text, never as markup.

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== "") made.setAttribute(key, value);
  made.append(...children);
  return made;
}

export function fill(place, children) {
  place.replaceChildren(...children);
}

/** Write a table's rows; what is there already stays, so that nothing is read out or lost that has not changed. */
export function fillRows(body, rows, head = "th") {
  const known = body.rows;
  rows.forEach((cells, index) => {
    const row = known[index] ?? body.insertRow();
    cells.forEach((content, place) => {
      let cell = row.cells[place];
      if (!cell) {
        cell = place === 0 && head === "th" ? element("th", { scope: "row" }) : element("td");
        row.append(cell);
      }
      if (content instanceof Node) cell.replaceChildren(content);
      else if (cell.textContent !== content) cell.textContent = content;
    });
  });
  while (known.length > rows.length) body.deleteRow(-1);
}

/** A source with its RFCs as links. */
export function linked(source) {
  return source.split(/(RFC \d{3,5})/).map((part) => {
    const rfc = /^RFC (\d+)$/.exec(part);
    return rfc
      ? element(
          "a",
          { href: `https://www.rfc-editor.org/rfc/rfc${rfc[1]}`, rel: "noreferrer noopener", target: "_blank" },
          part,
        )
      : part;
  });
}
