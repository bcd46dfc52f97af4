// The token: its three segments, and an editor of what is in them.

import { actLast } from "./api.js";
import { decode, store } from "./store.js";
import { button, el, field, relative } from "./dom.js";
import { CLAIMS, HEADER, TIMES } from "./fields.js";
import { send } from "./answers.js";

const SEGMENTS = ["header", "payload", "signature"];

export class TokenView extends HTMLElement {
  connectedCallback() {
    store.watch(["about"], () => this.build());
    store.watch(["token"], () => this.show());
    store.watch(["result"], () => this.mark());
    setInterval(() => this.tick(), 1000);
  }

  build() {
    this.raw = el("code", { class: "raw", tabIndex: 0, role: "region", "aria-label": "The token, in three segments" });
    this.pasted = el("textarea", { rows: 4, spellcheck: false, autocomplete: "off", placeholder: "eyJ…" });
    const paste = el("details", { class: "paste" }, el("summary", {}, "Paste a token of your own"),
      field("Your token", this.pasted, "It is sent to the three servers here and nowhere else."),
      button("Use this token", () => this.use(this.pasted.value)));
    this.header = this.editor("Header", "header", HEADER);
    this.claims = this.editor("Claims", "payload", CLAIMS);
    this.reads = el("p", { class: "hint", role: "status" });
    const sign = el("div", { class: "row" },
      button("Sign it again", () => this.sign(false), { class: "primary" }),
      button("Keep the old signature", () => this.sign(true)),
      button("Copy", () => this.copy(), { class: "quiet" }));
    this.replaceChildren(el("h3", {}, "Look inside, and change it"), this.raw, paste, this.reads,
      this.header.box, this.claims.box, sign);
  }

  async copy() {
    try {
      await navigator.clipboard.writeText(store.token ?? "");
      this.reads.textContent = "Copied.";
    } catch {
      this.reads.textContent = "The browser does not let this page copy. Select the token above and copy it from there.";
    }
  }

  /** A fieldset with a row for each member, and one to add. */
  editor(title, segment, known) {
    const rows = el("div", { class: "rows" });
    const list = `names-${segment}`;
    const name = el("input", { list, autocomplete: "off", spellcheck: false });
    const add = (event) => {
      event.preventDefault();
      const wanted = name.value.trim();
      if (wanted && !rows.querySelector(`[data-name="${CSS.escape(wanted)}"]`)) rows.append(this.row(segment, known, wanted, ""));
      name.value = "";
      rows.lastElementChild?.querySelector("input").focus();
    };
    const box = el("fieldset", { class: `editor ${segment}` }, el("legend", {}, title), rows,
      el("form", { class: "add", onsubmit: add }, field(`Add to the ${title.toLowerCase()}`, name),
        el("button", { type: "submit" }, "Add"), el("datalist", { id: list }, Object.keys(known).map((value) => el("option", { value })))));
    return { box, rows, known, segment };
  }

  row(segment, known, name, value) {
    const input = el("input", { value: JSON.stringify(value), spellcheck: false, autocomplete: "off", id: `${segment}-${name}` });
    const [meaning, source] = known[name] ?? ["A claim of the issuer’s own", ""];
    const row = el("div", { class: "member", "data-name": name, "data-segment": segment },
      el("label", { for: input.id }, name), input,
      button("×", () => { row.remove(); this.header.box.querySelector("input")?.focus(); }, { class: "quiet remove", "aria-label": `Remove ${name}` }),
      el("p", { class: "hint" }, meaning, source && el("cite", {}, source), TIMES.has(name) && el("time", {}, "")));
    return row;
  }

  show() {
    const { segments, header, claims } = decode(store.token);
    this.raw.replaceChildren(...(store.token === null
      ? [el("i", {}, "no token is sent")]
      : segments.map((text, at) => el("span", { class: `segment ${SEGMENTS[at] ?? "further"}`, "data-segment": SEGMENTS[at] ?? "further" }, at ? `.${text}` : text))));
    for (const [editor, members] of [[this.header, header], [this.claims, claims]]) {
      editor.rows.replaceChildren(...Object.entries(members ?? {}).map(([name, value]) => this.row(editor.segment, editor.known, name, value)));
    }
    const whole = header && claims && segments.length === 3;
    this.reads.textContent = store.token === null ? "" : whole ? "" : "This is not a token with three readable segments: send it and see what the servers say.";
    this.tick();
  }

  /** What the servers took offence at. */
  mark() {
    for (const marked of this.querySelectorAll(".offending")) marked.classList.remove("offending");
    for (const said of this.querySelectorAll(".verdict")) said.remove();
    const { offending, code } = store.result ?? {};
    if (!offending) return;
    for (const span of this.raw.querySelectorAll(`[data-segment="${offending.segment}"]`)) span.classList.add("offending");
    const row = offending.member && this.querySelector(`.member[data-segment="${offending.segment}"][data-name="${CSS.escape(offending.member)}"]`);
    const said = el("p", { class: "verdict" }, `✕ refused for this: ${code}`);
    if (row) {
      row.classList.add("offending");
      row.append(said);
    } else {
      this.raw.after(said);
    }
  }

  tick() {
    for (const time of this.querySelectorAll(".member time")) {
      const at = Number(time.closest(".member").querySelector("input").value);
      const text = Number.isFinite(at) && at > 0 ? `${new Date(at * 1000).toLocaleTimeString("en-GB")}, ${relative(at)}` : "";
      if (time.textContent !== text) time.textContent = text;
    }
  }

  members(editor) {
    return Object.fromEntries([...editor.rows.children].map((row) => {
      const text = row.querySelector("input").value;
      try { return [row.dataset.name, JSON.parse(text)]; } catch { return [row.dataset.name, text]; }
    }));
  }

  async sign(keep) {
    const body = { header: this.members(this.header), claims: this.members(this.claims), token: store.token ?? "", keep_signature: keep };
    const signed = await actLast("sign", body);
    if (!signed) return;
    const { token } = signed;
    store.set(keep ? { token } : { token, good: token, proof: "as bound" });
    await send();
  }

  async use(text) {
    const token = text.trim();
    if (!token) return this.pasted.focus();
    store.set({ token, good: token, proof: "as bound" });
    await send();
  }
}
