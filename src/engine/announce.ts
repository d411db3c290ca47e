// A run that can be watched: what it says of its commits goes to those who listen on this machine and, where Redis is
// given, to dashboards anywhere. Redis that is gone holds nothing up: dashboards look at the store meanwhile.
import { Announcer } from '../live/announcer.js';

/** A message of two thousand cells takes a busy server a while; nobody waits for it here. */
const ANSWER_WAIT_MS = 2_000;

export interface RunVoice {
  readonly announcer: Announcer;
  close(): Promise<void>;
}

/** An announcer, connected to the Redis channel if there is a URL. UserError: Redis refuses the user. */
export async function openVoice(
  { redis, liveChannel }: { redis: string | undefined; liveChannel: string },
  warn: (line: string) => void,
): Promise<RunVoice> {
  const announcer = new Announcer();
  if (redis === undefined) return { announcer, async close() {} };
  const { connectRedis } = await import('../adapters/redis/connection.js');
  const connection = await connectRedis(redis, { onChange: warn, answerWaitMs: ANSWER_WAIT_MS });
  const silent = announcer.listen((message) => {
    // A lost message is told by the connection; dashboards look again by themselves.
    void connection.publish(liveChannel, message);
  });
  return {
    announcer,
    async close() {
      silent();
      await connection.close();
    },
  };
}
