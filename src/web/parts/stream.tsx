// How far the stream has come: the watermark, what waits in the log, and whether anybody counts at all.
import type { StatusAnswer } from '../../serve/api.js';
import { useWatch, type Watched } from '../feed/use-watch.js';
import { bytes, count, duration, ms, timeWithSeconds } from '../format.js';
import { Answered, Card } from './card.js';

const PARTITIONS_SHOWN = 12;

/** The status, for the card and for notices. */
export function useStatus(): Watched<StatusAnswer> {
  return useWatch('status', {});
}

/** The card. */
export function Stream({ watched }: { watched: Watched<StatusAnswer> }) {
  const live = watched.answer?.live;
  return (
    <Card
      title="Stream"
      aside={
        live !== undefined && (
          <span class={`state ${live ? 'good' : 'idle'}`}>{live ? 'counting' : 'not running'}</span>
        )
      }
    >
      <Answered watched={watched} lines={5}>
        {(answer) => <Facts answer={answer} />}
      </Answered>
    </Card>
  );
}

function Facts({ answer }: { answer: StatusAnswer }) {
  const { as_of, run, lag, since_commit_ms: sinceMs, partitions } = answer;
  const [watermarkMs, completeMs] = [ms(as_of.watermark), ms(as_of.complete_to)];
  return (
    <>
      <dl class="facts">
        <Fact
          name="Watermark"
          value={watermarkMs === undefined ? 'none yet' : timeWithSeconds(watermarkMs)}
        />
        {watermarkMs !== undefined && <Fact name="Behind the clock" value={behindClock(watermarkMs)} />}
        {watermarkMs !== undefined && completeMs !== undefined && watermarkMs !== completeMs && (
          <Fact name="Complete up to" value={timeWithSeconds(completeMs)} />
        )}
        {lag !== null && <Fact name="Waiting in the log" value={`${count(lag)} records`} />}
        {run && <Fact name="Records per second" value={count(run.records_per_second)} />}
        {sinceMs !== null && <Fact name="Last commit" value={`${duration(sinceMs)} ago`} />}
        {run && <Fact name="Memory" value={bytes(run.memory_bytes)} />}
        {as_of.method_hash && <Fact name="Method" value={as_of.method_hash} code />}
      </dl>
      {partitions && partitions.length > 1 && (
        <details class="partitions">
          <summary>{partitions.length} partitions</summary>
          <table>
            <thead>
              <tr>
                <th scope="col">Partition</th>
                <th scope="col">Position</th>
                <th scope="col">Waiting</th>
                <th scope="col">Watermark</th>
              </tr>
            </thead>
            <tbody>
              {partitions.slice(0, PARTITIONS_SHOWN).map((one) => {
                const at = ms(one.watermark);
                return (
                  <tr key={one.partition}>
                    <th scope="row">{one.partition}</th>
                    <td>{count(one.position)}</td>
                    <td>{one.lag === null ? '–' : count(one.lag)}</td>
                    <td>{at === undefined ? '–' : timeWithSeconds(at)}</td>
                  </tr>
                );
              })}
            </tbody>
          </table>
          {partitions.length > PARTITIONS_SHOWN && (
            <p class="hint">and {partitions.length - PARTITIONS_SHOWN} more</p>
          )}
        </details>
      )}
    </>
  );
}

function Fact({ name, value, code }: { name: string; value: string; code?: boolean }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd class={code ? 'code' : undefined}>{value}</dd>
    </div>
  );
}

/** Clicks of a replay are of another day; theirs is no delay. */
function behindClock(watermarkMs: number): string {
  const behind = Date.now() - watermarkMs;
  return behind < 1_000 ? 'under a second' : duration(behind);
}
