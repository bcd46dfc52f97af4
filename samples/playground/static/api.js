// The page's own token, and the requests that it makes with it.
//
// The token is in a variable of this module: in no URL, no storage, no cookie, no log. It lives a minute; a new one is
// asked for before it ends. EventSource cannot send a header, so events are read from a fetch.

let granted = null; // { token, ends } – ends in milliseconds of performance.now()

const EARLY = 5000;

/** An error whose text says what to do. */
export class Problem extends Error {}

async function authorization() {
  if (granted === null || performance.now() > granted.ends - EARLY) {
    const answer = await request("/session", { method: "POST" });
    granted = { token: answer.access_token, ends: performance.now() + answer.expires_in * 1000 };
  }
  return { authorization: `Bearer ${granted.token}` };
}

async function request(url, options) {
  let response;
  try {
    response = await fetch(url, { ...options, cache: "no-store", credentials: "omit", redirect: "error" });
  } catch {
    throw new Problem("The playground does not respond. Is it still running? Start it again and reload the page.");
  }
  if (response.ok) return response.json();
  const problem = await response.json().catch(() => ({}));
  if (response.status === 401) granted = null;
  throw new Problem(problem.detail || problem.title || `The playground responded with ${response.status}.`);
}

/** Ask for something that a button does; resolves to its JSON, rejects with a `Problem`. */
export async function act(name, body = {}) {
  const headers = { "content-type": "application/json", ...(await authorization()) };
  return request(`/do/${name}`, { method: "POST", headers, body: JSON.stringify(body) });
}

let turn = Promise.resolve();

/** As `act`, for what changes the issuer, its tokens or the streams: it is asked for when what was clicked before is done. */
export function actInTurn(name, body) {
  const done = turn.then(() => act(name, body));
  turn = done.catch(() => {});
  return done;
}

let newest = 0;

/** As `act`, for what changes the token or its answers: null if something newer was asked for meanwhile, which then counts. */
export async function actLast(name, body) {
  const asked = ++newest;
  const answer = await turn.then(() => act(name, body));
  return asked === newest ? answer : null;
}

/**
 * Follow the state for ever: each stream ends with its token, and the next one begins with a new token.
 * `onState(state)`; `onConnection({ up, ends, renewed })`, where `ends` is in milliseconds of performance.now().
 */
export async function follow(onState, onConnection) {
  let renewed = 0;
  for (;;) {
    try {
      granted = null; // a stream lives as long as its token: begin with a whole one
      const headers = await authorization();
      const response = await fetch("/live", { headers, cache: "no-store", credentials: "omit" });
      if (!response.ok) throw new Problem(`The playground responded with ${response.status}.`);
      onConnection({ up: true, ends: granted.ends, renewed });
      await readEvents(response.body, onState);
      renewed += 1;
    } catch {
      onConnection({ up: false, ends: null, renewed });
      await new Promise((done) => setTimeout(done, 1000));
    }
  }
}

/** Server-sent events (HTML, section 9.2.6), as far as the playground sends them. */
async function readEvents(body, onState) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const pieces = (rest + value).split("\n\n");
    rest = pieces.pop();
    for (const piece of pieces) {
      const [, event] = /^event: (.*)$/m.exec(piece) ?? [];
      const [, data] = /^data: (.*)$/m.exec(piece) ?? [];
      if (event === "state") onState(JSON.parse(data));
    }
  }
}
