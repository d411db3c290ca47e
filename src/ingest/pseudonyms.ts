// `--pseudonymise`: addresses and users as keyed hashes. Equal stays equal and different stays different, which is all
// that the counting method asks of either, so no total changes. An address becomes one of fd00::/8, which the internet
// does not route, made of the 16 canonical bytes, so that two spellings of an address stay one.
import { createHmac } from 'node:crypto';
import { formatIp } from '../core/ip-address.js';
import type { Address } from './address.js';

/** Two users in a thousand billion billion share a hash of so many hex digits. */
const USER_HEX_DIGITS = 32;

export interface Pseudonyms {
  ip(address: Address): string;
  user(userId: string): string;
}

/** Pseudonyms by this key: who has it can find out whether a known address is in the log, and nobody else can. */
export function pseudonymsOf(key: string): Pseudonyms {
  const bytes = Buffer.alloc(16);
  const words = new Uint32Array(4);
  return {
    ip(address) {
      for (let word = 0; word < 4; word++) bytes.writeUInt32BE(address.words[word]!, 4 * word);
      const hash = createHmac('sha256', key).update('ip_address\0').update(bytes).digest();
      hash[0] = 0xfd;
      for (let word = 0; word < 4; word++) words[word] = hash.readUInt32BE(4 * word);
      return formatIp(words, 0);
    },
    user(userId) {
      const hash = createHmac('sha256', key).update('user_id\0').update(userId).digest('hex');
      return `p_${hash.slice(0, USER_HEX_DIGITS)}`;
    },
  };
}
