// k6 against both samples. Its environment: HTTP_URL, GRPC_TARGET, PROTO_DIR, PROTO, CALLERS (JSON: {caller: token}),
// WANTED (JSON: {need: {caller: code}}). Each answer is a check with the name "kind, need: caller".
import { check } from 'k6';
import http from 'k6/http';
import grpc from 'k6/net/grpc';

const callers = JSON.parse(__ENV.CALLERS);
const wanted = JSON.parse(__ENV.WANTED);
const service = 'bearward.sample.v1.ProtectedService';
const client = new grpc.Client();
client.load([__ENV.PROTO_DIR], __ENV.PROTO);

export const options = { vus: 4, iterations: 40, noConnectionReuse: false, discardResponseBodies: false };

const httpCalls = {
  'any token': (headers) => http.get(`${__ENV.HTTP_URL}/protected`, { headers }),
  'notes:read': (headers) => http.get(`${__ENV.HTTP_URL}/notes`, { headers }),
  'notes:write': (headers) => http.post(`${__ENV.HTTP_URL}/notes`, '{"text": "k6"}', { headers }),
};
const grpcCalls = { 'any token': ['Access', {}], 'notes:read': ['ListNotes', {}], 'notes:write': ['AddNote', { text: 'k6' }] };

function httpVerdict(response) {
  return response.status < 300 ? 'accepted' : response.json('code');
}

function grpcVerdict(response) {
  if (response.status === grpc.StatusOK) return 'accepted';
  return String(response.trailers['bearward-code']);
}

export default function run() {
  client.connect(__ENV.GRPC_TARGET, { plaintext: true });
  for (const [caller, token] of Object.entries(callers)) {
    const carried = token === null ? {} : { authorization: `Bearer ${token}` };
    for (const need of Object.keys(httpCalls)) {
      const code = wanted[need][caller];
      check(httpCalls[need](carried), { [`HTTP, ${need}: ${caller}`]: (answer) => httpVerdict(answer) === code });
      const [method, message] = grpcCalls[need];
      const answer = client.invoke(`${service}/${method}`, message, { metadata: carried });
      check(answer, { [`gRPC, ${need}: ${caller}`]: (said) => grpcVerdict(said) === code });
    }
  }
  client.close();
}
