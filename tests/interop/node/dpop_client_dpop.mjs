// The package `dpop` makes proofs; Node's fetch carries them to the HTTP sample, grpc-js as metadata to a gRPC one. One
// line of JSON at the end: {transport: {case: verdict}}. A verdict is "accepted" or the refusal's code.
// node dpop_client_dpop.mjs URL URL_WITH_NONCES TARGET TARGET_WITH_NONCES PROTO MINT ORDER(JSON)
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';
import * as DPoP from 'dpop';

const [url, urlWithNonces, target, targetWithNonces, proto, mint, ordered] = process.argv.slice(2);
const order = JSON.parse(ordered);
const loaded = grpc.loadPackageDefinition(loader.loadSync(proto, { keepCase: true, longs: String }));
const Service = loaded.bearward.sample.v1.ProtectedService;
const open = (to) => new Service(to, grpc.credentials.createInsecure());
const found = { HTTP: {}, gRPC: {} };

async function bound(keys) {
  const cnf = { jkt: await DPoP.calculateThumbprint(keys.publicKey) };
  const body = JSON.stringify({ ...order, claims: { ...order.claims, cnf } });
  return (await (await fetch(mint, { method: 'POST', body })).json()).token;
}

async function overHttp(base, method, path, token, proof, scheme = 'DPoP', body = undefined) {
  const headers = { authorization: `${scheme} ${token}`, ...(proof && { dpop: proof }) };
  const response = await fetch(base + path, { method, headers, body, signal: AbortSignal.timeout(30_000) });
  const nonce = response.headers.get('dpop-nonce');
  if (response.ok) return { verdict: 'accepted', nonce };
  if (response.status === 405) return { verdict: 'HTTP 405' };
  const problem = await response.json().catch(() => ({}));
  const challenge = response.headers.get('www-authenticate') ?? '';
  return { verdict: challenge.includes('DPoP') ? problem.code ?? `HTTP ${response.status}` : `HTTP ${response.status} without a challenge`, nonce };
}

function overGrpc(client, method, token, proof, scheme = 'DPoP') {
  const carried = new grpc.Metadata();
  carried.set('authorization', `${scheme} ${token}`);
  if (proof) carried.set('dpop', proof);
  const deadline = { deadline: Date.now() + 30_000 };
  return new Promise((resolve) => {
    const ended = (error) => {
      const told = (name) => error.metadata?.get(name).map(String) ?? [];
      const challenged = told('www-authenticate').some((challenge) => challenge.startsWith('DPoP'));
      resolve({ verdict: challenged ? told('bearward-code')[0] : `${error.code} without a challenge`, nonce: told('dpop-nonce')[0] });
    };
    const done = (error) => (error ? ended(error) : resolve({ verdict: 'accepted' }));
    const streams = {
      WatchNotes: () => { const call = client.WatchNotes({}, carried, deadline); call.on('metadata', () => add(client, token)); return call; },
      Chat: () => { const call = client.Chat(carried, deadline); call.write({ text: 'hello' }); return call; },
    };
    if (method === 'ImportNotes') {
      const call = client.ImportNotes(carried, deadline, done);
      call.write({ text: 'one' });
      return call.end();
    }
    if (!(method in streams)) return client[method](method === 'AddNote' ? { text: 'x' } : {}, carried, deadline, done);
    const call = streams[method]();
    call.on('data', () => { resolve({ verdict: 'accepted' }); call.cancel(); });
    return call.on('error', ended);
  });
}

let prover; // of the key that a stream's own notes are added with
const add = async (client, token) => overGrpc(client, 'AddNote', token, await prover('AddNote'));
const nameOf = (method) => `/bearward.sample.v1.ProtectedService/${method}`;

async function honest(alg) {
  const keys = await DPoP.generateKeyPair(alg);
  const token = await bound(keys);
  for (const [method, path, body] of [['GET', '/whoami'], ['HEAD', '/protected'], ['GET', '/notes'], ['POST', '/notes', '{"text": "x"}']]) {
    const proof = await DPoP.generateProof(keys, url + path, method, undefined, token);
    found.HTTP[`${alg}: ${method} ${path}`] = (await overHttp(url, method, path, token, proof, 'DPoP', body)).verdict;
  }
  const wrong = await DPoP.generateProof(keys, `${url}/protected`, 'GET', undefined, token);
  found.HTTP[`${alg}: HEAD with a proof for GET`] = (await overHttp(url, 'HEAD', '/protected', token, wrong)).verdict;
  const client = open(target);
  prover = (method) => DPoP.generateProof(keys, `http://${target}${nameOf(method)}`, 'POST', undefined, token);
  for (const method of ['Access', 'ListNotes', 'AddNote', 'WatchNotes', 'ImportNotes', 'Chat']) {
    found.gRPC[`${alg}: ${method}`] = (await overGrpc(client, method, token, await prover(method))).verdict;
  }
  client.close();
}

function forged(signed) {
  const [head, body, tail] = signed.split('.');
  return `${head}.${body}.${tail.slice(0, 8)}AAAA${tail.slice(12)}`;
}

// The same for both transports: `send(proof or none, scheme, token)` answers {verdict, nonce}.
async function hostile(verdicts, keys, token, htu, htm, send) {
  const proof = (changes = {}) => DPoP.generateProof(
    changes.keys ?? keys, changes.htu ?? htu, changes.htm ?? htm, changes.nonce, 'token' in changes ? changes.token : token, changes.more,
  );
  const cases = {
    'a proof by another key': { keys: await DPoP.generateKeyPair('ES256') },
    'a proof for another method': { htm: 'DELETE' },
    'a proof for another host': { htu: 'https://elsewhere.example/' },
    'a proof for another path': { htu: `${htu}/x` },
    'a proof for another token': { token: `${token}x` },
    'a proof without ath': { token: undefined },
    'a proof that has expired': { more: { exp: 1 } },
    'a nonce that nobody asked for': { nonce: 'made-up' },
  };
  for (const [name, changes] of Object.entries(cases)) verdicts[name] = (await send(await proof(changes))).verdict;
  verdicts['a changed signature'] = (await send(forged(await proof()))).verdict;
  verdicts['a forged token'] = (await send(await proof({ token: forged(token) }), 'DPoP', forged(token))).verdict;
  const once = await proof();
  verdicts['a proof'] = (await send(once)).verdict;
  verdicts['the proof again'] = (await send(once)).verdict;
  verdicts['no proof'] = (await send(undefined)).verdict;
  verdicts['as a bearer token'] = (await send(undefined, 'Bearer')).verdict;
}

async function withNonces(verdicts, keys, token, htu, htm, send) {
  const proof = (nonce) => DPoP.generateProof(keys, htu, htm, nonce, token);
  const first = await send(await proof());
  verdicts['no nonce'] = first.verdict;
  verdicts['a nonce that was made up'] = (await send(await proof('made-up'))).verdict;
  verdicts['the nonce that it got'] = (await send(await proof(first.nonce))).verdict;
  verdicts['the same nonce, another proof'] = (await send(await proof(first.nonce))).verdict;
}

for (const alg of ['ES256', 'Ed25519', 'RS256', 'PS256']) await honest(alg);
const keys = await DPoP.generateKeyPair('ES256');
const token = await bound(keys);
const http = (base) => (proof, scheme, sent = token) => overHttp(base, 'GET', '/whoami', sent, proof, scheme);
await hostile(found.HTTP, keys, token, `${url}/whoami`, 'GET', http(url));
await withNonces(found.HTTP, keys, token, `${urlWithNonces}/whoami`, 'GET', http(urlWithNonces));
for (const [to, judge] of [[target, hostile], [targetWithNonces, withNonces]]) {
  const client = open(to);
  const send = (proof, scheme, sent = token) => overGrpc(client, 'Access', sent, proof, scheme);
  await judge(found.gRPC, keys, token, `http://${to}${nameOf('Access')}`, 'POST', send);
  client.close();
}
console.log(JSON.stringify(found));
process.exit(0);
