import { h } from "../core/dom.js";

/// Tabs as ARIA describes them: arrow keys move, one panel shows. `panels`: [{ id, key, element, show?, hide? }].
export function tabs(panels, label_key, chosen, onchange) {
  const buttons = panels.map((panel) =>
    h("button", { type: "button", role: "tab", id: `tab-${panel.id}`, "aria-controls": `panel-${panel.id}`, t: panel.key, onclick: () => choose(panel, true) }));
  const list = h("div", { role: "tablist", class: "tabs", tl: label_key }, ...buttons);
  let shown = null;

  function choose(panel, focus) {
    shown?.hide?.();
    shown = panel;
    panels.forEach((one, i) => {
      const on = one === panel;
      buttons[i].setAttribute("aria-selected", on);
      buttons[i].tabIndex = on ? 0 : -1;
      one.element.hidden = !on;
      if (on && focus) buttons[i].focus();
    });
    panel.show?.();
    onchange(panel.id);
  }

  list.onkeydown = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const at = panels.indexOf(shown);
    const to = step ? (at + step + panels.length) % panels.length : { Home: 0, End: panels.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    choose(panels[to], true);
  };
  for (const panel of panels) {
    panel.element.id = `panel-${panel.id}`;
    panel.element.setAttribute("role", "tabpanel");
    panel.element.setAttribute("aria-labelledby", `tab-${panel.id}`);
    panel.element.tabIndex = 0;
  }
  choose(panels.find((panel) => panel.id === chosen) ?? panels[0], false);
  return { list, stop: () => shown?.hide?.() };
}
