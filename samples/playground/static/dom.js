// Elements and texts. Nothing here parses HTML: what servers and tokens say is always text.

/** An element with properties, attributes (by `aria-…`, `data-…` and the like) and children. */
export function el(tag, members = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(members)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name.includes("-") || ["role", "for", "list", "scope"].includes(name)) element.setAttribute(name, value);
    else if (name === "class") element.className = value;
    else element[name] = value;
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const button = (text, onclick, members = {}) => el("button", { type: "button", onclick, ...members }, text);

/** A label above its control. */
export function field(text, control, hint = "") {
  control.id ||= `f-${text.toLowerCase().replace(/[^a-z0-9]+/g, "-")}`;
  return el("div", { class: "field" }, el("label", { for: control.id }, text), control,
    hint && el("p", { class: "hint" }, hint));
}

export const select = (options, members = {}) =>
  el("select", members, options.map((option) => el("option", { value: option, textContent: option })));

const ACTS = "a, button, input, select, textarea, summary";
const alike = (one, other) => one.cloneNode(false).isEqualNode(other.cloneNode(false));

/** Give `parent` the children `next`, keeping each element whose tag and attributes stay. */
function patch(parent, next) {
  while (parent.childNodes.length > next.length) parent.lastChild.remove();
  next.forEach((node, at) => {
    const held = parent.childNodes[at];
    if (held === undefined) parent.append(node);
    else if (node.nodeType === Node.ELEMENT_NODE && alike(held, node)) patch(held, [...node.childNodes]);
    else if (!held.isEqualNode(node)) held.replaceWith(node);
  });
}

/**
 * Replace children only where something differs, so that neither focus nor a selection nor a scroll position is lost. What
 * acts is made anew together: what it does may differ where its looks do not.
 */
export function put(parent, ...children) {
  const next = el("div", {}, ...children);
  if (!next.querySelector(ACTS)) patch(parent, [...next.childNodes]);
  else if (!same(next, parent)) parent.replaceChildren(...next.childNodes);
}

const same = (one, other) => one.childNodes.length === other.childNodes.length
  && [...one.childNodes].every((node, at) => node.isEqualNode(other.childNodes[at]));

/** Set a text where it differs. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** `4 min 12 s`; a negative span is said without its sign. */
export function span(seconds) {
  const whole = Math.floor(Math.abs(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 172800) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} days`;
}

/** `in 4 min 12 s`, `2 s ago`. */
export function relative(epoch) {
  const seconds = epoch - Date.now() / 1000;
  return seconds >= 0 ? `in ${span(seconds)}` : `${span(seconds)} ago`;
}

export const clock = (epoch) => new Date(epoch * 1000).toLocaleTimeString("en-GB");

/** A code, which may break after each of its words. */
export const breakable = (text) => text.split(/(?<=_)/).flatMap((word, at) => (at ? [el("wbr"), word] : [word]));

/** What is refused, accepted or neither, as a word with a sign: never by colour alone. */
export function pill(kind, text) {
  const sign = { ok: "✓", bad: "✕", warn: "!", idle: "·" }[kind];
  return el("span", { class: `pill ${kind}` }, el("span", { "aria-hidden": "true" }, sign), ` ${text}`);
}
