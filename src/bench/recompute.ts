// The batch recomputation alone: every verdict and total of a lake, without a store to compare with.
import { openLakeNow } from '../batch/lake-access.js';
import { prepare, recompute } from '../batch/recompute.js';
import { openSession } from '../batch/session.js';
import { DEFAULT_METHOD } from '../core/method.js';

const lake = await openLakeNow(process.argv[2]!);
const session = await openSession();
await prepare(session);
await recompute(session, {
  files: lake.files,
  method: DEFAULT_METHOD,
  positions: lake.positions,
  period: undefined,
  admissions: [],
});
const cells = await session.number('SELECT count(*) FROM cells');
await session.close();
console.log(JSON.stringify({ cells }));
