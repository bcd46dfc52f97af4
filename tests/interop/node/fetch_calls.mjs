// Node's own fetch and WebSocket against the HTTP sample; one line of JSON at the end: {kind: {caller: verdict}}.
// node fetch_calls.mjs URL CALLERS(JSON) BRIEF(JSON: {url, order}, of a token that expires soon)
const [url, callers, briefly] = process.argv.slice(2);
const signal = () => AbortSignal.timeout(30_000);
const headers = (token) => (token === null ? {} : { authorization: `Bearer ${token}` });

async function verdict(response, wanted = 200) {
  if (response.status === wanted) return 'accepted';
  const problem = await response.json().catch(() => ({}));
  const challenge = response.headers.get('www-authenticate');
  return problem.code && challenge ? problem.code : `HTTP ${response.status} ${challenge}`;
}

const get = (path) => async (token) => verdict(await fetch(url + path, { headers: headers(token), signal: signal() }));
const add = async (token) => verdict(await fetch(`${url}/notes`, {
  method: 'POST', headers: headers(token), body: JSON.stringify({ text: 'seen' }), signal: signal(),
}), 201);

async function* lines(body) {
  let rest = '';
  for await (const piece of body.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + piece).split('\n');
    rest = parts.pop();
    yield* parts;
  }
}

const watch = (writer) => async (token) => {
  const response = await fetch(`${url}/notes/stream`, { headers: headers(token), signal: signal() });
  if (response.status !== 200) return verdict(response);
  await add(writer);
  for await (const line of lines(response.body)) if (line.startsWith('data: ')) return 'accepted';
  return 'ended';
};

async function watchUntilEnd(token) {
  const response = await fetch(`${url}/notes/stream`, { headers: headers(token), signal: signal() });
  try {
    for await (const _ of lines(response.body));
  } catch (error) {
    return error.name === 'TimeoutError' ? 'never ended' : 'ended';
  }
  return 'ended';
}

// A body that is a stream: fetch sends it in chunks, half duplex.
async function importing(token) {
  const body = ReadableStream.from(['{"text": "one"}\n', '{"text": "two"}\n']).pipeThrough(new TextEncoderStream());
  const options = { method: 'POST', headers: headers(token), body, duplex: 'half', signal: signal() };
  return verdict(await fetch(`${url}/notes/import`, options));
}

// fetch and WebSocket tell no status of a refused handshake: `refused` is all there is.
const socket = (token, until) => new Promise((resolve) => {
  const ws = new WebSocket(`${url.replace('http', 'ws')}/notes/ws`, token === null ? [] : ['bearer', token]);
  let opened = false;
  ws.onopen = () => { opened = ws.protocol === 'bearer'; if (!until) ws.send('hello'); };
  ws.onmessage = ({ data }) => { resolve(JSON.parse(data).text === 'hello' ? 'accepted' : data); ws.close(); };
  ws.onclose = ({ code, reason }) => resolve(opened ? `${code} ${reason}` : 'refused');
});

const people = JSON.parse(callers);
const kinds = {
  'GET, any token': get('/protected'),
  'GET, notes:read': get('/notes'),
  'POST, notes:write': add,
  'event stream, notes:read': watch(people.writer),
  'streamed body, notes:write': importing,
  'websocket, notes:write': (token) => socket(token, false),
};
// Only now: this program may have been slow to start.
const { url: mint, order } = JSON.parse(briefly);
const { token: brief } = await (await fetch(mint, { method: 'POST', body: JSON.stringify(order) })).json();
const ends = Promise.all([watchUntilEnd(brief), socket(brief, true)]);
const found = {};
for (const [kind, call] of Object.entries(kinds)) {
  found[kind] = {};
  for (const [caller, token] of Object.entries(people)) found[kind][caller] = await call(token);
}
const [watched, chatted] = await ends;
found['event stream until the token ends'] = { brief: watched };
found['websocket until the token ends'] = { brief: chatted };
console.log(JSON.stringify(found));
process.exit(0);
