// oauth4webapi as a DPoP client: it gets its tokens from two issuers and calls the HTTP sample. One line of JSON at the
// end: {case: verdict}. A verdict is "accepted", or the refusal's code; " after a nonce" where one was asked for first.
// node dpop_client_oauth4webapi.mjs URL URL_WITH_NONCES ISSUER ISSUER_WITH_NONCES SECRET
import * as oauth from 'oauth4webapi';

const [url, urlWithNonces, issuer, issuerWithNonces, secret] = process.argv.slice(2);
const plain = { [oauth.allowInsecureRequests]: true };
const client = { client_id: 'robot' };
const found = {};

async function once(call, again) {
  try {
    return await call();
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error;
    again();
    return call();
  }
}

async function tokenFrom(name, dpop, what) {
  const answered = await oauth.discoveryRequest(new URL(name), plain);
  const server = await oauth.processDiscoveryResponse(new URL(name), answered);
  const wanted = new URLSearchParams({ scope: 'notes:read notes:write', resource: 'https://api.example/ES256' });
  let asked = '';
  const { access_token: token, token_type: type } = await once(async () => {
    const options = { ...plain, DPoP: dpop };
    const answer = await oauth.clientCredentialsGrantRequest(server, client, oauth.ClientSecretBasic(secret), wanted, options);
    return oauth.processClientCredentialsResponse(server, client, answer);
  }, () => { asked = ' after a nonce'; });
  found[`a token ${what}`] = `${type}${asked}`;
  return token;
}

async function call(base, method, path, token, dpop, body) {
  let asked = '';
  const request = () => oauth.protectedResourceRequest(token, method, new URL(path, base), undefined, body, { ...plain, DPoP: dpop });
  try {
    const response = await once(request, () => { asked = ' after a nonce'; });
    return (response.ok ? 'accepted' : `HTTP ${response.status}`) + asked;
  } catch (error) {
    if (!(error instanceof oauth.WWWAuthenticateChallengeError)) throw error;
    const told = error.cause.find(({ scheme }) => scheme === 'dpop')?.parameters.error;
    const problem = await error.response.json().catch(() => ({}));
    return `${problem.code ?? `HTTP ${error.status}`} ${told ?? 'without a challenge'}${asked}`;
  }
}

const requests = [
  ['GET', '/whoami'],
  ['HEAD', '/protected'],
  ['GET', '/notes'],
  ['GET', '/notes?page=2#top'],
  ['POST', '/notes', '{"text": "by oauth4webapi"}'],
];

for (const alg of ['ES256', 'Ed25519']) { // the issuer takes no others
  const handle = oauth.DPoP(client, await oauth.generateKeyPair(alg));
  const token = await tokenFrom(issuer, handle, `bound to ${alg}`);
  for (const [method, path, body] of requests) found[`${alg}: ${method} ${path}`] = await call(url, method, path, token, handle, body);
}

const pair = await oauth.generateKeyPair('ES256');
const good = oauth.DPoP(client, pair);
const token = await tokenFrom(issuerWithNonces, good, 'where a nonce is asked for');
for (const [method, path, body] of requests) found[`nonces: ${method} ${path}`] = await call(urlWithNonces, method, path, token, good, body);

// What a thief or a careless client sends: the library's own means to change a proof before it is signed.
const changed = (change) => oauth.DPoP(client, pair, { [oauth.modifyAssertion]: change });
const hostile = {
  'the key of another': oauth.DPoP(client, await oauth.generateKeyPair('ES256')),
  'htm of another method': changed((_, claims) => { claims.htm = 'DELETE'; }),
  'htu of another host': changed((_, claims) => { claims.htu = 'https://elsewhere.example/whoami'; }),
  'htu of another path': changed((_, claims) => { claims.htu += '/x'; }),
  'iat an hour ago': changed((_, claims) => { claims.iat -= 3600; }),
  'iat an hour ahead': changed((_, claims) => { claims.iat += 3600; }),
  'ath of another token': changed((_, claims) => { claims.ath = 'x'; }),
  'no ath': changed((_, claims) => { delete claims.ath; }),
  'no jti': changed((_, claims) => { delete claims.jti; }),
  'typ of an access token': changed((header) => { header.typ = 'at+jwt'; }),
  'a private member in the jwk': changed((header) => { header.jwk = { ...header.jwk, d: 'AQAB' }; }),
  'one jti for all': changed((_, claims) => { claims.jti = 'one-for-all'; }),
};
for (const [name, handle] of Object.entries(hostile)) found[name] = await call(url, 'GET', '/whoami', token, handle);
found['one jti for all, again'] = await call(url, 'GET', '/whoami', token, hostile['one jti for all']);
found['HEAD with a proof for GET'] = await call(url, 'HEAD', '/protected', token, changed((_, claims) => { claims.htm = 'GET'; }));
const [head, body, tail] = token.split('.');
found['a forged token'] = await call(url, 'GET', '/whoami', `${head}.${body}.${tail.slice(0, 8)}AAAA${tail.slice(12)}`, good);
found['without DPoP'] = await call(url, 'GET', '/whoami', token);
console.log(JSON.stringify(found));
process.exit(0);
