// The issuer, the servers' keys, the counters and the log.

import { actInTurn } from "./api.js";
import { store } from "./store.js";
import { button, clock, el, pill, put, span } from "./dom.js";

const SERVERS = ["sanic", "grpc.aio", "grpc.server"];
const short = (kid) => (kid.length > 10 ? `${kid.slice(0, 8)}…` : kid);
const numbers = (counts) => Object.entries(counts).map(([name, count]) => `${name} ${count}`).join(", ") || "none";

/** A table that scrolls by itself where it must, also with the keyboard. */
const table = (caption, head, rows) =>
  el("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": caption },
    el("table", {}, el("caption", { class: "visually-hidden" }, caption),
      el("thead", {}, el("tr", {}, head.map((text) => el("th", { scope: "col" }, text)))), el("tbody", {}, rows)));

export class IssuerCard extends HTMLElement {
  connectedCallback() {
    this.state = el("p", { class: "row" });
    this.keys = el("div", {});
    const change = (to) => actInTurn("issuer", { to, algorithm: store.algorithm });
    this.down = button("Take the issuer down", () => change(this.is === "down" ? "up" : "down"));
    this.slow = button("Make it slow", () => change(this.is === "slow" ? "quick" : "slow"));
    const revoke = (kind) => actInTurn("revoke", { kind, token: store.good });
    this.replaceChildren(el("h3", {}, "Issuer"), this.state,
      el("div", { class: "row" },
        button("Rotate the key", () => change("rotate")), button("Withdraw old keys", () => change("withdraw")), this.down, this.slow),
      el("h4", { id: "revoke-title" }, "Revoke in all servers"),
      el("div", { class: "row", role: "group", "aria-labelledby": "revoke-title" },
        ["token", "session", "subject", "key"].map((kind) => button(`Revoke the ${kind}`, () => revoke(kind)))),
      el("h4", {}, "Its keys"), this.keys);
    store.watch(["live"], () => this.show());
  }

  show() {
    const { issuer } = store.live;
    this.is = issuer.is;
    const words = { up: ["ok", "up"], down: ["bad", "down"], slow: ["warn", "slow"] };
    put(this.state, pill(...words[issuer.is]), el("span", { class: "hint" }, `asked for its keys ${issuer.requests} times`));
    this.down.textContent = issuer.is === "down" ? "Bring the issuer up" : "Take the issuer down";
    this.slow.textContent = issuer.is === "slow" ? "Make it quick" : "Make it slow";
    this.slow.disabled = issuer.is === "down";
    const kinds = { signing: "ok", published: "idle", withdrawn: "bad" };
    put(this.keys, table("The issuer’s keys", ["Key", "Algorithm", "Age", "State"], issuer.keys.map((key) =>
      el("tr", { "data-state": key.state }, el("th", { scope: "row" }, el("code", {}, short(key.kid))), el("td", {}, key.alg),
        el("td", {}, span(key.age)), el("td", {}, pill(kinds[key.state], key.state))))));
  }
}

export class ServerTable extends HTMLElement {
  connectedCallback() {
    this.body = el("div", {});
    this.replaceChildren(el("h3", {}, "What the servers hold"), this.body);
    store.watch(["live"], () => this.show());
  }

  show() {
    const { servers } = store.live;
    const row = (name, value) => el("tr", {}, el("th", { scope: "row" }, name), servers.map((server) => el("td", {}, value(server, server.keys))));
    const kinds = { fresh: "ok", stale: "warn", empty: "idle", expired: "bad" };
    put(this.body, table("What each server holds", ["State", ...servers.map((server) => server.name)], [
      row("Keys", (server, keys) => server.connected ? pill(kinds[keys.state] ?? "idle", keys.state ?? "starting") : pill("bad", "gone")),
      row("Generation", (_, keys) => keys.generation ?? "–"),
      row("Usable keys", (_, keys) => keys.keys ?? "–"),
      row("Age", (_, keys) => (keys.age === null ? "–" : span(keys.age))),
      row("Next refresh", (_, keys) => (keys.next_refresh === null ? "–" : `in ${span(keys.next_refresh)}`)),
      row("Usable for", (_, keys) => (keys.stale_left === null ? "–" : span(keys.stale_left))),
      row("Failures in a row", (_, keys) => keys.failures ?? "–"),
      row("Refreshes", (server) => numbers(server.refreshes)),
      row("Cached tokens", (server) => server.cached_tokens),
    ]));
  }
}

export class CodeCounters extends HTMLElement {
  connectedCallback() {
    this.body = el("div", {});
    this.replaceChildren(el("h3", {}, "Verdicts by code"), this.body);
    store.watch(["live"], () => this.show());
  }

  show() {
    const { servers } = store.live;
    const codes = [...new Set(servers.flatMap((server) => Object.keys(server.refused)))].sort();
    const row = (name, kind, value) => el("tr", {}, el("th", { scope: "row" }, pill(kind, name)), servers.map((server) => el("td", {}, value(server))));
    put(this.body, table("Verdicts by code", ["Code", ...SERVERS], [
      row("verified", "ok", (server) => server.verified), ...codes.map((code) => row(code, "bad", (server) => server.refused[code] ?? 0))]));
  }
}

export class EventLog extends HTMLElement {
  connectedCallback() {
    this.list = el("ol", { class: "log", tabIndex: 0, "aria-label": "What happened, newest first" });
    this.replaceChildren(el("h3", {}, "What happens"), this.list);
    this.empty();
    store.watch(["events"], () => this.show());
  }

  empty() {
    put(this.list, el("li", { class: "none" }, el("span", { class: "hint" }, "Nothing yet: send a token.")));
  }

  show() {
    if (!store.events.length) return this.empty();
    put(this.list, store.events.map((event) => el("li", { "data-what": event.what },
      el("time", {}, clock(event.at)), el("b", {}, event.server), el("span", {}, `${event.what} `, el("small", {}, event.text)))));
  }
}
