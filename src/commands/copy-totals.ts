// Makes a store the copy of another, for instance before it follows a run that has counted for long.
import { join } from 'node:path';
import { openDataDir } from '../engine/data-dir.js';
import { UsageError, UserError } from '../errors.js';
import { copyTotals } from '../followers/copy-totals.js';
import { command } from '../options/command.js';
import { dataDirOption } from '../options/shared.js';
import { storeUrl } from '../options/store.js';
import { openReaderIfAny, openStore, shownName } from '../stores/open-store.js';

export const copyTotalsCommand = command({
  name: 'copy-totals',
  summary: 'fill a store from another one',
  description:
    'Copies totals, ledger, positions, dead letters, revisions and invoices of one store into an empty one, which can ' +
    'follow the first from then on (run --store FIRST --store COPY). A run may go on counting into a store on a server ' +
    'meanwhile. Broken off, it is run again and brings what is missing; so it does for a store that follows and has ' +
    'fallen too far behind.',
  options: {
    ...dataDirOption,
    from: storeUrl({ flag: 'from', about: 'the store to copy: duckdb or the URL of a server' }),
    to: storeUrl({ flag: 'to', about: 'the store to fill: duckdb or the URL of a server' }),
  },
  examples: [
    ['click-agg copy-totals --from duckdb --to postgres://agg@db/clicks', 'from the file to a server'],
    [
      'click-agg copy-totals --from postgres://agg@db/clicks --to clickhouse://agg@ch/clicks',
      'while a run goes on',
    ],
  ],
  async run({ options, terminal, signal }) {
    const { dataDir: path } = options;
    const places = { from: { dataDir: path, store: options.from }, to: { dataDir: path, store: options.to } };
    const names = {
      from: await of('--from', () => shownName(places.from)),
      to: await of('--to', () => shownName(places.to)),
    };
    if (names.from === names.to) throw new UsageError('--from and --to name the same store');
    // Opening it to write would make one where a name is mistyped.
    const counted = await of('--from', () => openReaderIfAny(places.from));
    if (!counted) throw new UserError(`${names.from} holds no totals`, { hint: 'Check --from.' });
    await counted.close();
    const dataDir = await openDataDir(path);
    const from = await of('--from', () => openStore(places.from, { signal }));
    const bar = terminal.progress('copying', undefined);
    try {
      const to = await of('--to', () => openStore(places.to, { signal }));
      try {
        const copied = await copyTotals({
          ...{ from, to, names, signal, folder: join(dataDir.path, 'copies') },
          onProgress: (done, total) => bar.update(done, `of ${total} totals`),
        });
        bar.stop();
        const { commits, cells, letters } = copied;
        if (terminal.wantsJson) await terminal.json(copied);
        else {
          await terminal.print(
            `${names.to} is ${names.from} at commit ${commits}: ${cells} totals and ${letters} dead letters were written\n`,
          );
        }
      } finally {
        await to.close();
      }
    } finally {
      bar.stop();
      await from.close();
    }
    return undefined;
  },
});

/** What a store says of the option --store is about another one here. */
async function of<T>(flag: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(error.message.replace('--store', flag), {
      ...(error.hint === undefined ? {} : { hint: error.hint.replace('--store', flag) }),
      exitCode: error.exitCode,
      cause: error,
    });
  }
}
