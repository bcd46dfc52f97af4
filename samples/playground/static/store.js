// What the parts of the page share: the token in the workshop, what was answered, and the live state.

class Store extends EventTarget {
  about = null;
  /** The token that is shown, and that is sent; null: none at all. */
  token = "";
  /** The last good one: faults are made of it, so that one fault does not hide behind another. */
  good = "";
  /** What is sent with a bound token. */
  proof = "as bound";
  operation = "access";
  algorithm = "RS256";
  result = null;
  live = null;
  events = [];

  set(members) {
    Object.assign(this, members);
    for (const name of Object.keys(members)) this.dispatchEvent(new Event(name));
  }

  /** Call `listener` now and whenever one of these changes. */
  watch(names, listener) {
    for (const name of names) this.addEventListener(name, listener);
  }
}

export const store = new Store();

/** Header, claims and the segments of a token, as far as they can be read. */
export function decode(token) {
  const segments = (token ?? "").split(".");
  return { segments, header: object(segments[0]), claims: object(segments[1]) };
}

function object(segment) {
  try {
    const binary = atob(segment.replace(/-/g, "+").replace(/_/g, "/"));
    const text = new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(binary, (c) => c.charCodeAt(0)));
    const read = JSON.parse(text);
    return read !== null && typeof read === "object" && !Array.isArray(read) ? read : null;
  } catch {
    return null;
  }
}
