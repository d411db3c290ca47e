// The register when processes sleep and answers are lost: whoever is told to have swapped the head has, and nobody else.
import { afterAll, expect, test } from 'vitest';
import { parseAddress } from '../../../src/adapters/clickhouse/address.js';
import { Connections } from '../../../src/adapters/clickhouse/connections.js';
import { HeadRegister } from '../../../src/adapters/clickhouse/head.js';
import { dropStores, sql, storeIn } from './databases.js';

afterAll(dropStores);

/** Connections on which something happens around the statement that makes a head. */
class Disturbed extends Connections {
  constructor(
    url: string,
    private readonly around: (tell: () => Promise<void>) => Promise<void>,
  ) {
    super(parseAddress(url), { patient: true });
  }

  override async tellOnce(statement: string): Promise<void> {
    const tell = () => super.tellOnce(statement);
    await (statement.startsWith('CREATE TABLE') ? this.around(tell) : tell());
  }
}

const head = (revision: number, by: string) => ({ revision, text: `${revision} by ${by}` });

async function withRegisters(
  name: string,
  around: (tell: () => Promise<void>, other: HeadRegister) => Promise<void>,
  work: (registers: { disturbed: HeadRegister; other: HeadRegister; url: string }) => Promise<void>,
): Promise<void> {
  const url = await storeIn(name);
  const plain = new Connections(parseAddress(url), { patient: true });
  const other = new HeadRegister(plain);
  const connections = new Disturbed(url, (tell) => around(tell, other));
  await other.swap(0, head(1, 'other'));
  await work({ disturbed: new HeadRegister(connections), other, url });
  await Promise.all([plain.close(), connections.close()]);
}

/** Others swap the head until it is of this revision. */
async function swapUpTo(register: HeadRegister, from: number, to: number): Promise<void> {
  for (let revision = from + 1; revision <= to; revision++) {
    expect(await register.swap(revision - 1, head(revision, 'other'))).toBe(true);
  }
}

for (const [name, newest] of [
  ['a few', 3],
  ['many', 12],
] as const) {
  test(`one that sleeps just before it makes a head finds ${name} made by others, and has made none`, async () => {
    const sleepy = async (tell: () => Promise<void>, other: HeadRegister) => {
      await swapUpTo(other, 1, newest);
      await tell();
    };
    await withRegisters(name, sleepy, async ({ disturbed, other, url }) => {
      expect(await disturbed.swap(1, head(2, 'sleeper'))).toBe(false);
      for (const register of [disturbed, other]) expect(await register.read()).toEqual(head(newest, 'other'));
      const left = await sql(
        url,
        `SELECT count() FROM system.tables WHERE database = '{db}' AND name < 'head_2'
        AND name LIKE 'head%'`,
      );
      expect(Number(left[0]![0])).toBeLessThanOrEqual(5);
    });
  });
}

test('one that sleeps just after it made a head has made it, though another follows at once', async () => {
  const sleepy = async (tell: () => Promise<void>, other: HeadRegister) => {
    await tell();
    await swapUpTo(other, 2, 4);
  };
  await withRegisters('followed', sleepy, async ({ disturbed, other }) => {
    expect(await disturbed.swap(1, head(2, 'sleeper'))).toBe(true);
    expect(await other.read()).toEqual(head(4, 'other'));
  });
});

test('an answer that is lost is made up for, whether the head was made or not', async () => {
  for (const [name, made] of [
    ['made', true],
    ['not made', false],
  ] as const) {
    let lost = 0;
    const lossy = async (tell: () => Promise<void>) => {
      if (made || lost > 0) await tell();
      if (lost++ === 0) throw Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
    };
    await withRegisters(name, lossy, async ({ disturbed, other }) => {
      expect(await disturbed.swap(1, head(2, 'loser'))).toBe(true);
      expect(lost).toBe(made ? 1 : 2);
      expect(await disturbed.swap(1, head(2, 'somebody'))).toBe(false);
      expect(await other.read()).toEqual(head(2, 'loser'));
    });
  }
});
