// The batch recomputation alone: every verdict and total of a lake, without a store to compare with; by version 1 of the
// method with `--invalid-traffic off` behind the lake.
import { openLakeNow } from '../batch/lake-access.js';
import { prepare, recompute } from '../batch/recompute.js';
import { openSession } from '../batch/session.js';
import { DEFAULT_METHOD, withInvalidTraffic } from '../core/method.js';

const lake = await openLakeNow(process.argv[2]!);
const session = await openSession();
await prepare(session);
await recompute(session, {
  files: lake.files,
  method: withInvalidTraffic(DEFAULT_METHOD, process.argv[4] !== 'off'),
  positions: lake.positions,
  period: undefined,
  admissions: [],
});
const cells = await session.number('SELECT count(*) FROM cells');
await session.close();
console.log(JSON.stringify({ cells }));
