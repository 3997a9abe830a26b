// One call of the API through the gateway, and what can be seen of it from here.

import { ask } from './ask.js';

// With a proof the token is sent as one that is bound to a key, without as a bearer token.
// The headers that we read are for this demo's eyes: its gateway adds them (nginx.conf.in), yours need not.
export async function call(path, { token, proof } = {}) {
  const headers = {
    ...(token && { Authorization: `${proof ? 'DPoP' : 'Bearer'} ${token}` }),
    ...(proof && { DPoP: proof }),
  };
  const response = await ask(path, { headers });
  return {
    path,
    headers,
    proof,
    status: response.status,
    outcome: response.headers.get('Phantom-Token-Status'),
    cache: response.headers.get('Phantom-Token-Cache'), // absent if the authorization server's answer was not needed
    time: response.headers.get('Phantom-Token-Time'),
    challenge: response.headers.get('WWW-Authenticate'),
    nonce: response.headers.get('DPoP-Nonce'),
    received: response.ok ? await response.json() : null, // the demo's API answers with the request that it received
  };
}
