// The sentences: what an outcome means, what the parts of a challenge say, what the claims of a JWT are.

// What happened in a call: what the gateway made of it, and why.
export function explain({ outcome, cache, path, status }, { revoked, cacheSeconds }) {
  switch (outcome) {
    case 'active':
      if (cache !== 'HIT') {
        return 'Allowed. The gateway asked the authorization server what the token stands for, and sent the request on with a JWT in '
          + `the token's place. It keeps the answer for ${cacheSeconds} seconds.`;
      }
      return revoked
        ? 'Still allowed, although the token is revoked: nobody told the gateway here, and the answer in its cache is from before.'
        : 'Allowed. The gateway still had the answer about this token in its cache: the authorization server was not asked.';
    case 'missing':
      return 'Refused: no token was sent. The gateway says what it wants. Neither the authorization server nor the API heard of it.';
    case 'malformed':
      return 'Refused: what was sent cannot be a token, for there is a space in it. The gateway did not even ask the authorization server.';
    case 'inactive':
      return revoked
        ? 'Refused. The cache entry has ended, so the gateway asked again, and the authorization server says that the token is good no more.'
        : 'Refused. It looks like a token, so the gateway asked, but the authorization server knows of no such token, or of none that is still good.';
    case 'revoked':
      return 'Refused: the gateway has been told that this token is revoked. What its cache says does not matter.';
    case 'insufficient_scope':
      return `Refused: the token is good, but not good for ${path}. A scope is missing, and the API heard nothing of it.`;
    case 'expired':
      return 'Refused: the token has expired. The gateway checks the time on every request, on a cached answer too. Log in again.';
    default:
      return `Refused with ${status}: the gateway cannot tell, and what it cannot tell it does not let through.`;
  }
}

// What became of a token that has just been revoked, where the gateway was told and where not.
export function explainRevocation(told, untold) {
  if (told.status >= 400 && untold.status < 400) {
    return 'Refused at once where the gateway was told that the token is revoked; still allowed where it was not, until its cache entry ends.';
  }
  return `The token is revoked. Where the gateway was told it answered ${told.status}, where it was not, ${untold.status}.`;
}

// The parts of a WWW-Authenticate challenge (RFC 9110 11.6.1): [{ text, sentence }].
export function explainChallenge(challenge) {
  const [scheme] = challenge.split(' ', 1);
  const parts = [{ text: scheme, sentence: 'Come with a bearer token in the Authorization header (RFC 6750).' }];
  for (const [text, name, quoted, plain] of challenge.slice(scheme.length).matchAll(/([\w-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/g)) {
    parts.push({ text, sentence: explainPart(name, plain ?? quoted.replace(/\\(.)/g, '$1')) });
  }
  if (!parts.some(({ text }) => text.startsWith('error='))) {
    parts.push({ text: 'no error', sentence: 'Nothing was sent that could be wrong. A client that has just not tried yet is told what it needs, no more.' });
  }
  return parts;
}

function explainPart(name, value) {
  if (name === 'realm') return `What is protected here goes by the name “${value}”.`;
  if (name === 'scope') return `The token must allow ${value.split(' ').join(' and ')}: ask the authorization server for that.`;
  if (name === 'error') return errors[value] ?? `An error that this page does not know: ${value}.`;
  return `${name} is ${value}.`;
}

const errors = {
  invalid_token: 'A token was sent, but it is not good: malformed, unknown, expired or revoked. Get another one. Which of these it was, a gateway tells its own log; this one tells the page, too.',
  insufficient_scope: 'The token is good, but it does not allow this. The same token will not do better next time.',
};

// What the registered claims of an access token are (RFC 7519, RFC 9068).
export const claims = {
  sub: 'who logged in',
  client_id: 'this page',
  scope: 'what it allows',
  aud: 'for which API',
  iss: 'who issued it',
  iat: 'when it was issued',
  nbf: 'when it begins',
  exp: 'when it ends',
  jti: 'its own number',
  roles: 'a claim of the server\'s own',
};
