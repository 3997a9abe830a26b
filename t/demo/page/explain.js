// The sentences: what an outcome means, what the parts of a challenge say, what the claims of a JWT are.

// What happened in a call: what the gateway made of it, and why.
export function explain({ outcome, cache, path, proof, status }, { revoked, cacheSeconds }) {
  switch (outcome) {
    case 'active':
      return explainAllowed({ cache, revoked, cacheSeconds })
        + (proof ? ' The proof showed that the key was there, to which the token is bound.' : '');
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
    case 'bound':
      return 'Refused: the token is bound to a key, and came as a bearer token, without a proof. Whoever found it can do nothing with it.';
    case 'dpop_proof':
      return 'Refused: the proof is good for another key, but not for the one that the token is bound to.';
    case 'dpop_replay':
      return 'Refused: the gateway has seen this proof before. A proof counts once.';
    case 'dpop_nonce':
      return 'Refused: the proof must hold a number that the gateway gives out, and this one is missing or old. The page tries again with the one that came along.';
    default:
      return `Refused with ${status}: the gateway cannot tell, and what it cannot tell it does not let through.`;
  }
}

function explainAllowed({ cache, revoked, cacheSeconds }) {
  if (cache !== 'HIT') {
    return 'Allowed. The gateway asked the authorization server what the token stands for, and sent the request on with a JWT in '
      + `the token's place. It keeps the answer for ${cacheSeconds} seconds.`;
  }
  return revoked
    ? 'Still allowed, although the token is revoked: nobody told the gateway here, and the answer in its cache is from before.'
    : 'Allowed. The gateway still had the answer about this token in its cache: the authorization server was not asked.';
}

// What became of a bound token that was replayed without its key.
export function explainReplay(replays) {
  const refused = replays.filter(({ status }) => status >= 400).length;
  return refused === replays.length
    ? 'Refused each time: the token is of no use by itself, with a proof of another key, or with a proof that was used before.'
    : `Refused ${refused} of ${replays.length} times: the rest got through without the key, which must not happen.`;
}

// What became of a token that has just been revoked, where the gateway was told and where not.
export function explainRevocation(told, untold) {
  if (told.status >= 400 && untold.status < 400) {
    return 'Refused at once where the gateway was told that the token is revoked; still allowed where it was not, until its cache entry ends.';
  }
  return `The token is revoked. Where the gateway was told it answered ${told.status}, where it was not, ${untold.status}.`;
}

// The challenges of WWW-Authenticate (RFC 9110 11.6.1), which fetch joins to one line: [{ scheme, text, parameters }].
export function readChallenges(line) {
  const found = [];
  for (const { index, 0: text, 1: name, 2: quoted, 3: plain } of line.matchAll(/([\w-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))|[\w-]+/g)) {
    if (name === undefined) found.push({ scheme: text, begin: index, parameters: [] });
    else found.at(-1).parameters.push({ text, name, value: plain ?? quoted.replace(/\\(.)/g, '$1') });
  }
  return found.map(({ scheme, begin, parameters }, i) => (
    { scheme, text: line.slice(begin, found[i + 1]?.begin).replace(/[,\s]+$/, ''), parameters }));
}

// The parts of these challenges: [{ text, sentence }].
export function explainChallenges(challenges) {
  const parts = challenges.flatMap(({ scheme, parameters }) => [
    { text: scheme, sentence: schemes[scheme] ?? `A scheme that this page does not know: ${scheme}.` },
    ...parameters.map(({ text, name, value }) => ({ text, sentence: explainParameter(name, value) })),
  ]);
  if (!parts.some(({ text }) => text.startsWith('error='))) {
    parts.push({ text: 'no error', sentence: 'Nothing was sent that could be wrong. A client that has just not tried yet is told what it needs, no more.' });
  }
  return parts;
}

function explainParameter(name, value) {
  if (name === 'realm') return `What is protected here goes by the name “${value}”.`;
  if (name === 'scope') return `The token must allow ${value.split(' ').join(' and ')}: ask the authorization server for that.`;
  if (name === 'algs') return 'What the proof may be signed with.';
  if (name === 'error') return errors[value] ?? `An error that this page does not know: ${value}.`;
  return `${name} is ${value}.`;
}

const schemes = {
  Bearer: 'Come with a bearer token in the Authorization header (RFC 6750).',
  DPoP: 'Come with a token that is bound to a key, and with a proof that you have the key (RFC 9449).',
};

const errors = {
  invalid_token: 'A token was sent, but it is not good: malformed, unknown, expired, revoked, or bound to a key and sent without. Get another one, or come with its proof. Which of these it was, a gateway tells its own log; this one tells the page, too.',
  insufficient_scope: 'The token is good, but it does not allow this. The same token will not do better next time.',
  invalid_dpop_proof: 'The proof is not good: another key\'s, another request\'s, too old, or used before. Make a new one.',
  use_dpop_nonce: 'The proof must hold the number in the header DPoP-Nonce of this answer. Try again with it.',
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
  acr: 'how the login was done',
  auth_time: 'when it was done',
  cnf: 'which key it is bound to',
};

// What stands in a proof (RFC 9449 4.2).
export const proofParts = {
  typ: 'what this is',
  alg: 'how it is signed',
  jwk: 'the key\'s public part',
  jti: 'its own number, for one use',
  htm: 'the request\'s method',
  htu: 'the request\'s address',
  iat: 'when it was made',
  ath: 'the hash of the token',
  nonce: 'the gateway\'s number',
};
