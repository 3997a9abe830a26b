// One call of the API through the gateway, and what can be seen of it from here.

import { ask } from './ask.js';

// The headers are for this demo's eyes: its gateway adds them (nginx.conf.in), yours need not.
export async function call(path, token) {
  const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  const response = await ask(path, { headers });
  return {
    path,
    token,
    status: response.status,
    outcome: response.headers.get('Phantom-Token-Status'),
    cache: response.headers.get('Phantom-Token-Cache'), // absent if the authorization server's answer was not needed
    time: response.headers.get('Phantom-Token-Time'),
    challenge: response.headers.get('WWW-Authenticate'),
    received: response.ok ? await response.json() : null, // the demo's API answers with the request that it received
  };
}
