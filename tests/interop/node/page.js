// Runs in a page of another origin: arguments are the API's URL, {caller: token}, a token that expires soon, and the
// callback, which gets {kind: {caller: verdict}}.
const [url, people, brief, done] = arguments;
const headers = (token) => (token === null ? {} : { authorization: `Bearer ${token}` });

async function verdict(response, wanted = 200) {
  if (response.status === wanted) return 'accepted';
  const problem = await response.json().catch(() => ({}));
  // readable by the page only where the API exposes it
  return response.headers.get('www-authenticate') ? problem.code : `HTTP ${response.status} without a challenge`;
}

const get = (path) => async (token) => verdict(await fetch(url + path, { headers: headers(token) }));
const add = async (token) => verdict(await fetch(`${url}/notes`, {
  method: 'POST', headers: { ...headers(token), 'content-type': 'application/json' }, body: '{"text": "seen"}',
}), 201);

// What EventSource cannot do, since it sends no Authorization header: events by fetch.
async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { value, done: over } = await reader.read();
    if (over) return;
    const parts = (rest + value).split('\n\n');
    rest = parts.pop();
    for (const event of parts) if (event.includes('data: ')) yield event;
  }
}

async function watch(token) {
  const stopping = new AbortController();
  const response = await fetch(`${url}/notes/stream`, { headers: headers(token), signal: stopping.signal });
  if (response.status !== 200) return verdict(response);
  await add(people.writer);
  for await (const _ of events(response)) { stopping.abort(); return 'accepted'; }
  return 'ended';
}

async function watchUntilEnd(token) {
  const response = await fetch(`${url}/notes/stream`, { headers: headers(token) });
  try { for await (const _ of events(response)); } catch { return 'ended'; }
  return 'ended';
}

const socket = (token, until) => new Promise((resolve) => {
  const ws = new WebSocket(`${url.replace('http', 'ws')}/notes/ws`, token === null ? [] : ['bearer', token]);
  let opened = false;
  ws.onopen = () => { opened = ws.protocol === 'bearer'; if (!until) ws.send('hello'); };
  ws.onmessage = ({ data }) => { resolve(JSON.parse(data).text === 'hello' ? 'accepted' : data); ws.close(); };
  ws.onclose = ({ code, reason }) => resolve(opened ? `${code} ${reason}` : 'refused');
});

(async () => {
  const kinds = {
    'fetch across origins, any token': get('/protected'),
    'fetch across origins, notes:read': get('/notes'),
    'fetch with a preflight, notes:write': add,
    'events by fetch, notes:read': watch,
    'websocket, notes:write': (token) => socket(token, false),
  };
  const ends = Promise.all([watchUntilEnd(brief), socket(brief, true)]);
  const found = {};
  for (const [kind, call] of Object.entries(kinds)) {
    found[kind] = {};
    for (const [caller, token] of Object.entries(people)) found[kind][caller] = await call(token);
  }
  const [watched, chatted] = await ends;
  found['events until the token ends'] = { brief: watched };
  found['websocket until the token ends'] = { brief: chatted };
  return found;
})().then(done, (error) => done({ broke: String(error) }));
