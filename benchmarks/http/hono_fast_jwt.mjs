// Hono with fast-jwt and the issuer's one key: issuer, audience, algorithm and expiry are checked, nothing is cached.
// node hono_fast_jwt.mjs ISSUER JWKS_URI AUDIENCE ALGORITHM PORT
import { createPublicKey } from 'node:crypto';
import { serve } from '@hono/node-server';
import { createVerifier } from 'fast-jwt';
import { Hono } from 'hono';

const [issuer, jwksUri, audience, algorithm, port] = process.argv.slice(2);
const { keys } = await (await fetch(jwksUri)).json();
const verify = createVerifier({
  key: createPublicKey({ key: keys[0], format: 'jwk' }).export({ type: 'spki', format: 'pem' }),
  algorithms: [algorithm], allowedIss: issuer, allowedAud: audience, requiredClaims: ['exp'], cache: false,
});
const app = new Hono();

app.use('*', async (c, next) => {
  const token = c.req.header('authorization')?.match(/^Bearer +([^\s]+)$/i)?.[1];
  if (token === undefined) {
    c.header('WWW-Authenticate', 'Bearer');
    return c.json({ error: 'No token provided' }, 401);
  }
  try {
    c.set('claims', verify(token));
  } catch (error) {
    c.header('WWW-Authenticate', 'Bearer error="invalid_token"');
    return c.json({ error: 'Invalid token', code: error.code }, 401);
  }
  return next();
});

app.get('/protected', (c) => c.json({ message: 'Access granted' }));

serve({ fetch: app.fetch, port: Number(port), hostname: '127.0.0.1' });
