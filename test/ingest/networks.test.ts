// Sets of networks: as node:net's BlockList, which walks through a list, for any networks and addresses.
import { BlockList } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseAddress, parseForwarded } from '../../src/ingest/address.js';
import { networksOf, networksOfLines } from '../../src/ingest/networks.js';
import { assertProperty } from '../core/property-options.js';

/** Few bits vary, so that networks hold one another and addresses meet them. */
const octet = fc.constantFrom(0, 1, 127, 128, 255);
const v4 = fc.tuple(octet, octet, octet, octet).map((parts) => parts.join('.'));
const group = fc.constantFrom('0', '1', '7fff', '8000', 'ffff');
const v6 = fc.tuple(group, group, group, group).map((parts) => `${parts.join(':')}:0:0:${parts[3]}:1`);
const network = fc.oneof(
  fc.record({ family: fc.constant('ipv4' as const), address: v4, bits: fc.integer({ min: 0, max: 32 }) }),
  fc.record({ family: fc.constant('ipv6' as const), address: v6, bits: fc.integer({ min: 0, max: 128 }) }),
);

test('they hold the addresses that BlockList says', () => {
  assertProperty(
    'networks',
    3000,
    fc.property(
      fc.array(network, { maxLength: 12 }),
      fc.array(fc.oneof(v4, v6), { maxLength: 20 }),
      (list, asked) => {
        const blocked = new BlockList();
        // An IPv6 network as wide as ::/80 holds all mapped addresses; for BlockList, IPv4 is a world of its own.
        const apart = list.filter(
          ({ family, address, bits }) => family === 'ipv4' || !(/^0:0:0/.test(address) || bits < 49),
        );
        for (const { family, address, bits } of apart) blocked.addSubnet(address, bits, family);
        const networks = networksOf(
          apart.map(({ address, bits }) => `${address}/${bits}`),
          'test',
        );
        for (const text of asked) {
          const family = text.includes(':') ? 'ipv6' : 'ipv4';
          expect(networks.has(parseAddress(text)!.words), text).toBe(blocked.check(text, family));
        }
      },
    ),
  );
});

test('a file has one a line, with comments and single addresses', () => {
  const networks = networksOfLines(
    '# hosters\n198.51.100.0/24 # one\n\r\n  2001:db8::/32\n203.0.113.7\n',
    'hosters.txt',
  );
  const held = (text: string) => networks.has(parseAddress(text)!.words);
  expect(networks.count).toBe(3);
  expect(
    ['198.51.100.0', '198.51.100.255', '2001:db8:ffff::1', '203.0.113.7', '::ffff:203.0.113.7'].map(held),
  ).toEqual(Array(5).fill(true));
  expect(['198.51.101.0', '2001:db9::', '203.0.113.6', '203.0.113.8', '::203.0.113.7'].map(held)).toEqual(
    Array(5).fill(false),
  );
  expect(networksOf([], 'nothing').has(parseAddress('::')!.words)).toBe(false);
});

test.each([
  '300.1.1.1/8',
  '10.0.0.0/33',
  '::/129',
  '10.0.0.0/',
  'fe80::1%eth0/64',
  'example.com',
  '10.0.0.0/8/8',
])('%s is refused, with its line', (cidr) => {
  expect(() => networksOfLines(`10.0.0.0/8\n${cidr}`, 'list.txt')).toThrow(
    /^list\.txt, line 2: ".*" is no network$/,
  );
});

test('addresses are read as proxies write them, and come out in one spelling', () => {
  const read = (text: string) => parseForwarded(text)?.text;
  expect(read(' 192.0.2.1 ')).toBe('192.0.2.1');
  expect(read('192.0.2.1:4711')).toBe('192.0.2.1');
  expect(read('"[2001:DB8:0::1]:4711"')).toBe('2001:db8::1');
  expect(read('[2001:db8::1]')).toBe('2001:db8::1');
  expect(read('::ffff:c000:201')).toBe('192.0.2.1');
  for (const text of [
    'unknown',
    '',
    '_hidden',
    '192.0.2.1:x',
    '192.0.2.1, 192.0.2.2',
    '192.0.2.01',
    'ı92.0.2.1',
  ]) {
    expect(read(text), text).toBeUndefined();
  }
});
