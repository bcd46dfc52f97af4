// oauth2-mock-server, as its readers start it: one key of each kind that it makes. The form field `lifetime` asks for
// tokens that live for so many seconds, by the package's own event.
import { Events, OAuth2Server } from 'oauth2-mock-server';

const server = new OAuth2Server();
for (const alg of process.argv.slice(2)) await server.issuer.keys.generate(alg);
server.service.on(Events.BeforeTokenSigning, (token, request) => {
  const lifetime = Number(request.body?.lifetime);
  if (lifetime) token.payload.exp = token.payload.iat + lifetime;
});
await server.start(0, '127.0.0.1');
console.log(`listening on ${server.issuer.url}`);
