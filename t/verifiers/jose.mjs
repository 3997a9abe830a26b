// Verifies JWTs with npm's jose, as an API would: { jwks, issuer, audience, tokens } on standard input, and on standard
// output for each token its { header, claims }, or { error }. The argument is a folder with node_modules.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const jose = await import(pathToFileURL(createRequire(`${process.argv[2]}/`).resolve('jose')));

async function verify(token, keys, { issuer, audience }) {
  try {
    const { protectedHeader, payload } = await jose.jwtVerify(token, keys, { issuer, audience, typ: 'at+jwt' });
    return { header: protectedHeader, claims: payload };
  } catch (error) {
    return { error: error.code ?? String(error) };
  }
}

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const input = JSON.parse(Buffer.concat(chunks));
const keys = jose.createLocalJWKSet(input.jwks);
console.log(JSON.stringify(await Promise.all(input.tokens.map((token) => verify(token, keys, input)))));
