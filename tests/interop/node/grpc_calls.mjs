// @grpc/grpc-js as anybody uses it: the proto loaded at run time, all four kinds of method, one line of JSON at the end:
// {kind: {caller: verdict}}. A verdict is "accepted" or the refusal's code.
// node grpc_calls.mjs TARGET PROTO CALLERS(JSON) BRIEF(JSON: {url, order}, of a token that expires soon)
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';

const [target, proto, callers, briefly] = process.argv.slice(2);
const loaded = grpc.loadPackageDefinition(loader.loadSync(proto, { keepCase: true, longs: String }));
const client = new loaded.bearward.sample.v1.ProtectedService(target, grpc.credentials.createInsecure());
const deadline = () => ({ deadline: Date.now() + 30_000 });

function metadata(token) {
  const carried = new grpc.Metadata();
  if (token !== null) carried.set('authorization', `Bearer ${token}`);
  return carried;
}

function verdict(error) {
  if (!error) return 'accepted';
  return String(error.metadata?.get('bearward-code')[0] ?? `${error.code} ${error.details}`);
}

const unary = (method, request = {}) => (token) => new Promise((resolve) => {
  client[method](request, metadata(token), deadline(), (error) => resolve(verdict(error)));
});

const add = (token) => unary('AddNote', { text: 'a note to be seen' })(token);

// Server streaming: a note is added once the head of the answer is there; hearing of it is what is wanted.
const watch = (writer) => (token) => new Promise((resolve) => {
  const call = client.WatchNotes({}, metadata(token), deadline());
  call.on('metadata', () => { add(writer); });
  call.on('data', () => { resolve('accepted'); call.cancel(); });
  call.on('error', (error) => resolve(verdict(error)));
});

const watchUntilEnd = (token) => new Promise((resolve) => {
  const call = client.WatchNotes({}, metadata(token), deadline());
  call.on('data', () => {});
  call.on('error', (error) => resolve(verdict(error)));
  call.on('end', () => resolve('ended'));
});

const importing = (token) => new Promise((resolve) => {
  const call = client.ImportNotes(metadata(token), deadline(), (error, answer) => {
    resolve(error ? verdict(error) : answer.imported === '3' ? 'accepted' : `imported ${answer.imported}`);
  });
  for (const text of ['one', 'two', '']) call.write({ text });
  call.end();
});

const chat = (token) => new Promise((resolve) => {
  const call = client.Chat(metadata(token), deadline());
  call.on('data', (note) => { resolve(note.text === 'hello' ? 'accepted' : 'another note'); call.end(); });
  call.on('error', (error) => resolve(verdict(error)));
  call.write({ text: 'hello' });
});

const chatUntilEnd = (token) => new Promise((resolve) => {
  const call = client.Chat(metadata(token), deadline());
  call.on('data', () => {});
  call.on('error', (error) => resolve(verdict(error)));
  call.on('end', () => resolve('ended'));
});

const people = JSON.parse(callers);
const kinds = {
  'unary, any token': unary('Access'),
  'unary, notes:read': unary('ListNotes'),
  'unary, notes:write': add,
  'server streaming, notes:read': watch(people.writer),
  'client streaming, notes:write': importing,
  'bidirectional, notes:write': chat,
};
// Only now: this program may have been slow to start.
const { url: mint, order } = JSON.parse(briefly);
const { token: brief } = await (await fetch(mint, { method: 'POST', body: JSON.stringify(order) })).json();
const ends = Promise.all([watchUntilEnd(brief), chatUntilEnd(brief)]);
const found = {};
for (const [kind, call] of Object.entries(kinds)) {
  found[kind] = {};
  for (const [caller, token] of Object.entries(people)) found[kind][caller] = await call(token);
}
const [watched, chatted] = await ends;
found['server streaming until the token ends'] = { brief: watched };
found['bidirectional until the token ends'] = { brief: chatted };
client.close();
console.log(JSON.stringify(found));
