// Tabs, as the ARIA practices have them: one is reached by the tabulator key, and the others by the arrow keys.

/** Wire the tabs of an element to its panels. `key` makes their ids unlike those of others. */
export function wire(root, key) {
  const tabs = [...root.querySelectorAll("[role=tab]")];
  const panelOf = (tab) => root.querySelector(`[data-panel=${tab.dataset.tab}]`);
  const choose = (chosen) => {
    for (const tab of tabs) {
      tab.setAttribute("aria-selected", `${tab === chosen}`);
      tab.tabIndex = tab === chosen ? 0 : -1;
      panelOf(tab).hidden = tab !== chosen;
    }
  };
  tabs.forEach((tab, index) => {
    const panel = panelOf(tab);
    tab.id = `${key}-${tab.dataset.tab}`;
    panel.id = `${tab.id}-panel`;
    tab.setAttribute("aria-controls", panel.id);
    panel.setAttribute("aria-labelledby", tab.id);
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = tabs[(index + step + tabs.length) % tabs.length];
      choose(next);
      next.focus();
    });
  });
}
