// A small log with everything in it, as `kcat -J` writes it, for the command tests. Two partitions; times are
// seconds after 10:00:00Z. The default method: delay 3 min, lateness 10 min, double click 60 s, bots above 30.
export const TEN_MS = Date.UTC(2026, 1, 22, 10);

export interface StoryClick {
  partition?: number;
  second: number;
  id: string;
  ad?: string;
  campaign?: string;
  user?: string;
  ip?: string;
  country?: string;
}

/** Numbers the clicks in each partition, from `next` on, and advances it. */
export function envelopes(clicks: readonly (StoryClick | string)[], next: number[] = [0, 0]): string {
  return clicks
    .map((click) => {
      const partition = typeof click === 'string' ? 0 : (click.partition ?? 0);
      const offset = next[partition]!++;
      const second = typeof click === 'string' ? 0 : click.second;
      const payload = typeof click === 'string' ? click : payloadOf(click);
      const envelope = {
        topic: 'clicks',
        partition,
        offset,
        ts: TEN_MS + second * 1000 + 200,
        key: null,
        payload,
      };
      return `${JSON.stringify(envelope)}\n`;
    })
    .join('');
}

function payloadOf({
  second,
  id,
  ad = 'ad-1',
  campaign = 'camp-1',
  user,
  ip,
  country = 'DE',
}: StoryClick): string {
  return JSON.stringify({
    click_id: id,
    event_time: TEN_MS + second * 1000,
    ad_id: ad,
    campaign_id: campaign,
    user_id: user ?? `user-of-${id}`,
    ip_address: ip ?? '198.51.100.7',
    country,
    device_type: 'mobile',
  });
}

/** 31 clicks of one address within a minute, over ten ads. */
export const BURST: StoryClick[] = Array.from({ length: 31 }, (_, i) => ({
  ...{ second: 300 + i, id: `burst-${i}`, partition: i % 2 },
  ...{ ad: `ad-${i % 10}`, ip: i % 3 === 0 ? '2001:db8::b07' : '2001:0DB8:0:0::0b07' },
}));

/** The first hour: 2 good clicks, 2 double clicks, a redelivery, a burst, an invalid record, and a too-late click. */
export const FIRST_HOUR: (StoryClick | string)[] = [
  { second: 5, id: 'first', user: 'u', ip: '192.0.2.1' },
  { second: 50, id: 'double', user: 'u', ip: '192.0.2.1' },
  { second: 64, id: 'double-too', user: 'u', ip: '192.0.2.1' },
  { second: 65, id: 'second', user: 'u', ip: '192.0.2.1' },
  { second: 65, id: 'second', user: 'u', ip: '192.0.2.1' },
  '{"click_id":"broken","event_time":',
  ...BURST,
  { second: 1200, id: 'moves-0', partition: 0 },
  { second: 1200, id: 'moves-1', partition: 1 },
  { second: 10, id: 'too-late', ad: 'ad-2', campaign: 'camp-2', user: 'w' },
  { second: 70, id: 'too-late-double', user: 'u', ip: '192.0.2.1' },
];

/** Moves both watermarks to 11:57. */
export const SECOND_HOUR: StoryClick[] = [
  { second: 7200, id: 'later-0', partition: 0 },
  { second: 7200, id: 'later-1', partition: 1 },
];
