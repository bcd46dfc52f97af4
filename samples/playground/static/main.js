// The page: its elements, its first token, and the stream of what happens.

import { act, follow } from "./api.js";
import { store } from "./store.js";
import { el, span } from "./dom.js";
import { ThemeSwitch } from "./theme.js";
import { MintForm } from "./mint.js";
import { TokenView } from "./token.js";
import { AnswerCards, SendForm, WhyList, send } from "./answers.js";
import { CodeCounters, EventLog, IssuerCard, ServerTable } from "./live.js";
import { StreamList } from "./streams.js";
import { RulesTable } from "./rules.js";

/** One place for what went wrong, and what to do about it. */
class AppError extends HTMLElement {
  connectedCallback() {
    this.setAttribute("role", "alert");
    addEventListener("unhandledrejection", (event) => {
      event.preventDefault();
      this.show(event.reason?.message ?? String(event.reason));
    });
    addEventListener("pointerdown", () => this.replaceChildren());
    addEventListener("keydown", () => this.replaceChildren());
  }

  show(text) {
    this.replaceChildren(el("p", { class: "notice bad" }, text));
  }
}

/** Whether the page hears from the playground, and until when its token lets it. */
class ConnectionState extends HTMLElement {
  connectedCallback() {
    this.word = el("b", {}, "Connecting");
    this.left = el("span", { class: "left" }, "");
    this.replaceChildren(el("span", { class: "dot", "aria-hidden": "true" }), this.word, this.left);
    this.status = el("span", { class: "visually-hidden", role: "status" });
    this.append(this.status);
    setInterval(() => this.tick(), 500);
  }

  update(connection) {
    const was = this.connection;
    this.connection = connection;
    this.dataset.state = connection.up ? "up" : "down";
    this.word.textContent = connection.up ? "Live" : "Not connected";
    if (was?.up !== connection.up) this.status.textContent = connection.up ? "Live" : "Not connected to the playground";
    this.tick();
  }

  tick() {
    const { ends, renewed } = this.connection ?? {};
    if (!ends) return void (this.left.textContent = "");
    const left = span(Math.max(0, (ends - performance.now()) / 1000));
    this.left.textContent = `this page’s token ends in ${left}${renewed ? ` · renewed ${renewed}×` : ""}`;
  }
}

for (const [name, element] of Object.entries({
  "app-error": AppError, "connection-state": ConnectionState, "theme-switch": ThemeSwitch, "mint-form": MintForm,
  "token-view": TokenView, "send-form": SendForm, "answer-cards": AnswerCards, "why-list": WhyList,
  "issuer-card": IssuerCard, "server-table": ServerTable, "stream-list": StreamList, "code-counters": CodeCounters,
  "event-log": EventLog, "rules-table": RulesTable,
})) customElements.define(name, element);

const connection = document.querySelector("connection-state");
store.set({ about: await act("about") });
const { token } = await act("mint", { algorithm: store.algorithm });
store.set({ token, good: token });
await send();
follow(
  (live) => {
    const known = store.events[0]?.number ?? 0; // a new stream begins with what the last one said already
    const fresh = live.events.filter((event) => event.number > known).reverse();
    store.set({ live, events: fresh.length ? [...fresh, ...store.events].slice(0, 60) : store.events });
  },
  (state) => connection.update(state),
);
