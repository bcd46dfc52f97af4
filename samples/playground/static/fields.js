// What the fields of a token mean, and where that is written.

const rfc = (number, section) => `RFC ${number}, ${section}`;

export const HEADER = {
  alg: ["The algorithm that signed it", rfc(7515, "4.1.1")],
  typ: ["What kind of token it is; at+jwt is an access token", rfc(9068, "2.1")],
  kid: ["Which of the issuer’s keys signed it", rfc(7515, "4.1.4")],
  jku: ["Where the signer says its keys are: never followed", rfc(7515, "4.1.2")],
  jwk: ["A key that the token brings along: never trusted", rfc(7515, "4.1.3")],
  x5c: ["A certificate that the token brings along", rfc(7515, "4.1.6")],
  x5u: ["Where the signer says its certificate is: never followed", rfc(7515, "4.1.5")],
  crit: ["Extensions that a verifier must understand", rfc(7515, "4.1.11")],
  cty: ["What the payload is, if it is a token itself", rfc(7515, "4.1.10")],
  b64: ["Whether the payload is encoded", rfc(7797, "3")],
  zip: ["Compression, which only encrypted tokens may use", rfc(7516, "4.1.3")],
};

export const CLAIMS = {
  iss: ["Who issued it: compared character by character", rfc(7519, "4.1.1")],
  sub: ["Whom it speaks for", rfc(7519, "4.1.2")],
  aud: ["Which service it is meant for", rfc(7519, "4.1.3")],
  exp: ["When it expires", rfc(7519, "4.1.4")],
  nbf: ["Not valid before", rfc(7519, "4.1.5")],
  iat: ["When it was issued", rfc(7519, "4.1.6")],
  jti: ["Its own name, by which this one token can be revoked", rfc(7519, "4.1.7")],
  client_id: ["The client that it was issued to", rfc(9068, "2.2")],
  scope: ["What it allows, separated by spaces", rfc(9068, "2.2.3")],
  cnf: ["The key that its sender must prove", rfc(7800, "3.1")],
  sid: ["The session that it belongs to", "OpenID Connect Front-Channel Logout, 3"],
  azp: ["The party that it was issued to", "OpenID Connect Core, 2"],
  nonce: ["Ties an ID token to one login", "OpenID Connect Core, 2"],
  auth_time: ["When the user logged in", rfc(9068, "2.2.1")],
  acr: ["How strongly the user was authenticated", rfc(9068, "2.2.1")],
  amr: ["How the user logged in", rfc(8176, "1")],
  act: ["Who acts for the subject", rfc(8693, "4.1")],
  roles: ["Roles of the subject", rfc(9068, "2.2.3.1")],
  groups: ["Groups of the subject", rfc(9068, "2.2.3.1")],
  email: ["The user’s address", "OpenID Connect Core, 5.1"],
};

export const TIMES = new Set(["exp", "nbf", "iat", "auth_time"]);
