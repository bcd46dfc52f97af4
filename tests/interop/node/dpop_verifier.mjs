// oauth4webapi as a second verifier: one line of JSON at the end, the verdict of `validateJwtAccessToken` on each request.
// node dpop_verifier.mjs FILE(JSON: {issuer, audience, jwks, requests: [{method, url, authorization, dpop}]})
// A verdict is "accepted", "refused", or the name of an exception that is none of the library's own.
import { readFileSync } from 'node:fs';
import * as oauth from 'oauth4webapi';

const { issuer, audience, jwks, requests } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const server = { issuer, jwks_uri: new URL('/jwks', issuer).href };
const options = { [oauth.customFetch]: async () => Response.json(jwks), [oauth.clockTolerance]: 0 };
const own = [oauth.OperationProcessingError, oauth.UnsupportedOperationError];

async function verdict({ method, url, authorization, dpop }) {
  const headers = new Headers();
  for (const value of authorization) headers.append('authorization', value);
  for (const value of dpop) headers.append('dpop', value);
  try {
    await oauth.validateJwtAccessToken(server, new Request(url, { method, headers }), audience, options);
    return 'accepted';
  } catch (error) {
    return own.some((kind) => error instanceof kind) ? 'refused' : error.constructor.name;
  }
}

const found = [];
for (const request of requests) found.push(await verdict(request));
console.log(JSON.stringify(found));
