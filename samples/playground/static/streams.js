// Streams that are opened with the token, and end with it before one's eyes.

import { actInTurn } from "./api.js";
import { store } from "./store.js";
import { button, clock, el, pill, put, span } from "./dom.js";

export class StreamList extends HTMLElement {
  connectedCallback() {
    store.watch(["about"], () => this.build());
    store.watch(["live"], () => this.show());
    setInterval(() => this.tick(), 500);
  }

  build() {
    const open = (kind) => actInTurn("streams", { open: kind, token: store.token ?? "" });
    const { streams } = store.about;
    this.list = el("ul", { class: "streams" });
    this.replaceChildren(el("h3", {}, "Streams and websockets"),
      el("p", { class: "hint" }, "Opened with the token above. They end when it expires, is revoked, or its key is withdrawn. A waiting thread of grpc.server cannot be interrupted: its call is cancelled half a second later."),
      el("div", { class: "row" }, button("Open all four", () => Promise.all(streams.map(open)), { class: "primary" }),
        streams.map((kind) => button(kind, () => open(kind), { "aria-label": `Open: ${kind}` })), button("Close all", () => actInTurn("streams", { close: true }))),
      this.list);
  }

  show() {
    if (!this.list) return;
    const { streams } = store.live;
    const kept = new Map([...this.list.children].map((item) => [item.dataset.number, item]));
    const items = streams.map((stream) => {
      const item = kept.get(String(stream.number)) ?? el("li", { "data-number": String(stream.number) });
      item.stream = stream;
      item.dataset.state = stream.state;
      return item;
    });
    if (!items.length) {
      put(this.list, el("li", {}, el("span", { class: "hint" }, "None is open.")));
      return;
    }
    if (items.length !== this.list.children.length || items.some((item, at) => item !== this.list.children[at])) this.list.replaceChildren(...items);
    this.tick();
  }

  tick() {
    for (const item of this.list?.children ?? []) if (item.stream) this.draw(item, item.stream);
  }

  draw(item, stream) {
    const now = Date.now() / 1000;
    const open = stream.state !== "ended";
    const left = stream.expires === null ? null : Math.max(0, stream.expires - now);
    const life = stream.expires === null ? 1 : Math.max(1, stream.expires - stream.opened);
    const said = open ? (left === null ? "open" : `ends in ${span(left)}`) : `ended ${clock(stream.ended)}: ${stream.end}`;
    put(item, el("b", {}, stream.kind), pill(open ? "ok" : "bad", stream.state),
      el("span", { class: "hint" }, `${stream.received} received`), el("span", { class: "said" }, said),
      open ? el("progress", { max: 100, value: Math.round(left === null ? 100 : (100 * left) / life), "aria-label": `Time left of ${stream.kind}` }) : null);
  }
}
