// Two oidc-providers that bind access tokens to a DPoP key (RFC 9449); the second asks for its nonces at the token
// endpoint. The client `robot` gets bound tokens only, `walker` any. The resource asked for says how its tokens are
// signed: https://api.example/ES256
import { randomBytes } from 'node:crypto';
import http from 'node:http';
import { exportJWK, generateKeyPair } from 'jose';
import Provider from 'oidc-provider';

const secret = 'a-secret-that-only-this-test-knows';

async function key(alg) {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  return { ...(await exportJWK(privateKey)), kid: alg };
}

const resourceServer = (_ctx, resource) => ({
  scope: 'notes:read notes:write',
  audience: 'https://api.example',
  accessTokenFormat: 'jwt',
  accessTokenTTL: 300,
  jwt: { sign: { alg: new URL(resource).pathname.slice(1) } },
});

const client = (name, more) => ({
  client_id: name,
  client_secret: secret,
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
  ...more,
});

async function serve(requireNonce) {
  let callback;
  const server = http.createServer((request, response) => callback(request, response));
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const issuer = `http://127.0.0.1:${server.address().port}`;
  callback = new Provider(issuer, {
    clients: [client('robot', { dpop_bound_access_tokens: true }), client('walker')],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: { enabled: true, getResourceServerInfo: resourceServer },
      dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => requireNonce },
    },
    jwks: { keys: await Promise.all(['RS256', 'ES256', 'Ed25519'].map(key)) },
  }).callback();
  return issuer;
}

console.log(`asking for nonces on ${await serve(true)}`);
console.log(`listening on ${await serve(false)}`);
