// Light, dark, or what the system prefers.

import { el } from "./dom.js";

const NAMES = { auto: "Auto", light: "Light", dark: "Dark" };
const KEY = "theme";

export class ThemeSwitch extends HTMLElement {
  connectedCallback() {
    const saved = localStorage.getItem(KEY);
    this.choose(saved in NAMES ? saved : "auto");
    const choices = Object.entries(NAMES).map(([name, text]) => {
      const input = el("input", { type: "radio", name: "theme", value: name, id: `theme-${name}`,
        checked: name === document.documentElement.dataset.theme, onchange: () => this.choose(name, true) });
      return [input, el("label", { for: input.id }, text)];
    });
    this.replaceChildren(el("fieldset", { class: "segmented" },
      el("legend", { class: "visually-hidden" }, "Theme"), choices));
  }

  choose(name, save = false) {
    document.documentElement.dataset.theme = name;
    if (save) localStorage.setItem(KEY, name);
  }
}
