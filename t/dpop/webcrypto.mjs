// What the libraries expect of JavaScript's surroundings, and Node.js has only from 19 on.
import { webcrypto } from 'node:crypto';

globalThis.crypto ??= webcrypto;
globalThis.CryptoKey ??= webcrypto.CryptoKey;
