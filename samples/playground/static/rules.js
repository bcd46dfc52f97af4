// Who may call what, on both transports, and what this token is let in to.

import { act } from "./api.js";
import { store } from "./store.js";
import { el, field, pill, put } from "./dom.js";

export class RulesTable extends HTMLElement {
  connectedCallback() {
    this.search = el("input", { type: "search", placeholder: "notes, gRPC, scope …", autocomplete: "off", spellcheck: false, oninput: () => this.show() });
    this.count = el("p", { class: "hint", role: "status" });
    this.body = el("tbody", {});
    const head = ["Transport", "Operation", "Who may call", "This token"];
    this.replaceChildren(el("div", { class: "row spread" }, field("Search", this.search), this.count),
      el("table", { class: "rules" }, el("caption", { class: "visually-hidden" }, "Rules of both servers"),
        el("thead", {}, el("tr", {}, head.map((text) => el("th", { scope: "col" }, text)))), this.body));
    this.rows = [];
    store.watch(["result"], () => this.load());
  }

  async load() {
    const token = store.token ?? "";
    const { rows } = await act("rules", { token });
    if (token !== (store.token ?? "")) return;  // an answer that a later question overtook
    this.rows = rows;
    this.show();
  }

  show() {
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = this.rows.filter((row) => {
      const text = `${row.transport} ${row.operation} ${row.rule} ${row.admitted ? "allowed" : row.code}`.toLowerCase();
      return words.every((word) => text.includes(word));
    });
    const admitted = this.rows.filter((row) => row.admitted).length;
    this.count.textContent = `This token is allowed ${admitted} of ${this.rows.length}${words.length ? `; ${shown.length} shown` : ""}.`;
    const cell = (text, label) => el("td", { "data-label": label }, text);
    put(this.body, shown.length ? shown.map((row) => el("tr", { "data-admitted": String(row.admitted) },
      cell(row.transport, "Transport"), cell(el("code", {}, row.operation), "Operation"), cell(row.rule, "Who may call"),
      cell(pill(row.admitted ? "ok" : "bad", row.admitted ? "allowed" : row.code), "This token")))
      : el("tr", {}, el("td", { colSpan: 4 }, "No rule contains these words.")));
  }
}
