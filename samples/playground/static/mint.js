// Mint a good token, or break the one that there is.

import { actLast } from "./api.js";
import { store } from "./store.js";
import { button, el, field, select } from "./dom.js";
import { send } from "./answers.js";

const BINDINGS = { none: "nothing (bearer)", dpop: "a DPoP key", certificate: "a certificate" };

export class MintForm extends HTMLElement {
  connectedCallback() {
    store.watch(["about"], () => this.build());
  }

  build() {
    const { about } = store;
    this.algorithm = select(about.algorithms, { onchange: () => store.set({ algorithm: this.algorithm.value }) });
    this.profile = select(about.profiles);
    this.binding = el("select", {}, Object.entries(BINDINGS).map(([value, text]) => el("option", { value }, text)));
    this.subject = el("input", { value: "ada", autocomplete: "off", spellcheck: false });
    this.scope = el("input", { value: "notes:read notes:write", autocomplete: "off", spellcheck: false });
    this.lifetime = el("input", { type: "number", min: 1, max: 3600, value: 300 });
    const form = el("form", { class: "mint", onsubmit: (event) => this.mint(event) },
      el("h3", {}, "Mint a good one"),
      el("div", { class: "fields" },
        field("Algorithm", this.algorithm), field("Issuer’s profile", this.profile), field("Bound to", this.binding),
        field("Subject", this.subject), field("Scope", this.scope)),
      el("div", { class: "row ends" }, field("Lifetime in seconds", this.lifetime), el("button", { class: "primary", type: "submit" }, "Mint and send")));
    const faults = el("div", { class: "faults", role: "group", "aria-labelledby": "faults-title" },
      about.faults.map((fault) => button(fault.name, () => this.spoil(fault.name), { class: "fault", title: fault.shows })));
    this.note = el("p", { class: "hint note", role: "status" }, "Each button makes one fault and sends the result.");
    this.replaceChildren(form, el("h3", { id: "faults-title" }, "Break it"), faults, this.note);
  }

  async mint(event) {
    event.preventDefault();
    const minted = await actLast("mint", {
      algorithm: this.algorithm.value, profile: this.profile.value, binding: this.binding.value,
      subject: this.subject.value, scope: this.scope.value, lifetime: Number(this.lifetime.value),
    });
    if (!minted) return;
    store.set({ token: minted.token, good: minted.token, proof: "as bound" });
    this.note.textContent = "A good token, as the issuer would give it to its client.";
    await send();
  }

  async spoil(fault) {
    const broken = await actLast("break", { fault, token: store.good });
    if (!broken) return;
    store.set({ token: broken.token, proof: broken.proof });
    this.note.textContent = broken.shows;
    await send();
  }
}
