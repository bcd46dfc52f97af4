// The how-to's backend, done right: Hono with jose, as their own documentation has it. Keys by createRemoteJWKSet (so
// that rotation works), the scheme checked, issuer, audience, algorithms and required claims said.
// node backend.mjs ISSUER JWKS_URI AUDIENCE ALGORITHMS(comma separated) [PORT]
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { createRemoteJWKSet, jwtVerify } from 'jose';

const [issuer, jwksUri, audience, algorithms, port = '0'] = process.argv.slice(2);
const jwks = createRemoteJWKSet(new URL(jwksUri));
const app = new Hono();

app.use('*', async (c, next) => {
  const token = c.req.header('authorization')?.match(/^Bearer +([^\s]+)$/i)?.[1];
  if (token === undefined) {
    c.header('WWW-Authenticate', 'Bearer');
    return c.json({ error: 'No token provided' }, 401);
  }
  try {
    const { payload } = await jwtVerify(token, jwks, {
      issuer, audience, algorithms: algorithms.split(','), requiredClaims: ['exp'],
    });
    c.set('claims', payload);
  } catch (error) {
    c.header('WWW-Authenticate', 'Bearer error="invalid_token"');
    return c.json({ error: 'Invalid token', code: error.code }, 401);
  }
  return next();
});

app.get('/protected', (c) => c.json({ message: 'Access granted' }));
app.get('/whoami', (c) => c.json(c.get('claims')));

serve({ fetch: app.fetch, port: Number(port), hostname: '127.0.0.1' }, (info) => {
  console.log(`listening on http://127.0.0.1:${info.port}`);
});
