// An oidc-provider whose keys are added, swapped and retired while it runs: POST /control/<what> puts a new provider
// with the changed keys behind the same port. GET /control/jwks tells the public keys of now.
import http from 'node:http';
import { exportJWK, generateKeyPair } from 'jose';
import Provider from 'oidc-provider';

const CURVES = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' };

async function key(alg, kid, named = {}) {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  return { ...(await exportJWK(privateKey)), kid, ...named };
}

let keys = [
  await key('RS256', 'rsa'),
  ...(await Promise.all(Object.keys(CURVES).map((alg) => key(alg, `ec-${alg}`)))),
  await key('Ed25519', 'okp'),
  await key('ML-DSA-44', 'post-quantum', { alg: 'ML-DSA-44' }),
];

// The resource asked for says how its tokens are signed and how long they live: https://api.example/ES256/300
function resourceServer(_ctx, resource) {
  const [, alg, seconds] = new URL(resource).pathname.split('/');
  return {
    scope: 'notes:read notes:write',
    audience: 'https://api.example',
    accessTokenFormat: 'jwt',
    accessTokenTTL: Number(seconds),
    jwt: { sign: { alg } },
  };
}

function configuration() {
  return {
    clients: [{
      client_id: 'robot',
      client_secret: 'a-secret-that-only-this-test-knows',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
    }],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: { enabled: true, getResourceServerInfo: resourceServer },
    },
    jwks: { keys },
  };
}

const changes = {
  add: async () => { keys = [await key('ES256', 'ec-added'), ...keys]; },
  retire: async () => { keys = keys.filter(({ kid }) => kid !== 'ec-ES256'); },
  // the same name for another key: a mistake that operators make
  swap: async () => { keys = [await key('ES256', 'ec-added'), ...keys.filter(({ kid }) => kid !== 'ec-added')]; },
};

let callback;
const server = http.createServer(async (request, response) => {
  const change = request.url.match(/^\/control\/(\w+)$/)?.[1];
  if (change === undefined) return callback(request, response);
  await changes[change]();
  callback = new Provider(issuer, configuration()).callback();
  return response.end('{}');
});
await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
const issuer = `http://127.0.0.1:${server.address().port}`;
callback = new Provider(issuer, configuration()).callback();
console.log(`listening on ${issuer}`);
