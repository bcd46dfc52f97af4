// Send the token to all three servers; their answers side by side, and why.

import { actLast } from "./api.js";
import { store } from "./store.js";
import { breakable, el, field, pill, put, select } from "./dom.js";

const SERVERS = { sanic: ["Sanic", "HTTP"], "grpc.aio": ["grpc.aio", "gRPC on an event loop"], "grpc.server": ["grpc.server", "gRPC in threads"] };

/** Send what is in the workshop. */
export async function send() {
  const { token, operation, proof } = store;
  const result = await actLast("send", { token: token ?? "", operation, proof });
  if (result) store.set({ result });
}

export class SendForm extends HTMLElement {
  connectedCallback() {
    store.watch(["about"], () => this.build());
    store.watch(["proof"], () => { if (this.proof) this.proof.value = store.proof; });
  }

  build() {
    this.operation = select(store.about.operations, { onchange: () => store.set({ operation: this.operation.value }) });
    this.proof = select(store.about.proofs, { onchange: () => store.set({ proof: this.proof.value }) });
    this.replaceChildren(el("form", { class: "send", onsubmit: (event) => { event.preventDefault(); return send(); } },
      field("Call", this.operation),
      field("Proof, if bound", this.proof),
      el("button", { class: "primary", type: "submit" }, "Send to all three")));
  }
}

export class AnswerCards extends HTMLElement {
  connectedCallback() {
    store.watch(["result"], () => this.show());
  }

  show() {
    const { answers } = store.result;
    const codes = [...new Set(answers.map((answer) => answer.code ?? answer.status))];
    const all = answers.every((answer) => answer.accepted) ? "All three accept" : answers.some((answer) => answer.accepted) ? "They differ" : "All three refuse";
    this.status ??= el("p", { class: "summary", role: "status" });
    this.list ??= el("div", { class: "answers" });
    this.status.textContent = `${all}${answers.some((answer) => answer.code) ? `: ${codes.join(", ")}` : ""}`;
    this.status.dataset.all = all;
    put(this.list, answers.map((answer) => this.card(answer)));
    if (!this.list.isConnected) this.replaceChildren(this.status, this.list);
  }

  card(answer) {
    const [name, kind] = SERVERS[answer.server];
    return el("article", { class: "answer card", "data-server": answer.server, "data-accepted": String(answer.accepted) },
      el("h3", {}, name, el("small", {}, kind)),
      el("p", {}, pill(answer.accepted ? "ok" : "bad", answer.status)),
      el("p", { class: "code" }, breakable(answer.code ?? "accepted")),
      el("p", { class: "detail" }, answer.detail),
      answer.fields.length ? el("dl", { class: "wire" }, answer.fields.map(([name_, value]) => [el("dt", {}, name_), el("dd", {}, value)])) : null,
      el("p", { class: "took" }, `${answer.milliseconds.toFixed(1)} ms`));
  }
}

const SIGNS = { right: ["✓", "right"], wrong: ["✕", "wrong"], "not reached": ["·", "not reached"] };

export class WhyList extends HTMLElement {
  connectedCallback() {
    store.watch(["result"], () => this.show());
  }

  show() {
    const { checks, note } = store.result;
    const rows = checks.map((check) => {
      const [sign, word] = SIGNS[check.verdict] ?? SIGNS["not reached"];
      return el("li", { class: `check ${word.replace(" ", "-")}`, "data-verdict": check.verdict },
        el("span", { class: "sign", "aria-hidden": "true" }, sign),
        el("div", {}, el("b", {}, check.name), el("span", { class: "visually-hidden" }, `: ${word}`),
          el("p", { class: "asked" }, check.asked && `expected: ${check.asked}`),
          check.found ? el("p", { class: "found" }, `found: ${check.found}`) : null,
          check.hint ? el("p", { class: "clue" }, check.hint) : null));
    });
    const first = checks.find((check) => check.verdict === "wrong");
    const whole = checks.length && checks.every((check) => check.verdict === "right");
    const sum = first ? el("p", { class: "first bad" }, el("b", {}, `✕ ${first.name}: `), [first.found, first.hint].filter(Boolean).join("; "))
      : whole ? el("p", { class: "first ok" }, el("b", {}, "✓ "), `all ${checks.length} checks pass`) : null;
    put(this, el("h3", {}, "Why, check by check"), sum, note ? el("p", { class: "hint" }, note) : null, el("ol", { class: "checks" }, rows));
  }
}
