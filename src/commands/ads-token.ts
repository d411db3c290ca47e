// Makes a token with which an advertiser's programs and browsers see its own campaigns.
import { UsageError } from '../errors.js';
import { command } from '../options/command.js';
import { onOff, optionalText } from '../options/option.js';
import { expiresOption, tokenKeyOption } from '../options/serve.js';

export const adsTokenCommand = command({
  name: 'token',
  summary: 'make a token for the read API and the dashboard',
  description:
    'Prints a signed token (JWT). Nothing is stored: every server with the same CLICK_AGG_TOKEN_KEY takes it until it ' +
    'ends. Whoever has it sees the totals of this advertiser’s campaigns, as the ads table has them at that moment.',
  options: {
    advertiser: optionalText({ flag: 'advertiser', value: 'ID', about: 'for this advertiser' }),
    admin: onOff({ flag: 'admin', flagOnly: true, about: 'for an administrator, who sees everything' }),
    ...expiresOption,
    ...tokenKeyOption,
  },
  examples: [
    ['click-agg ads token --advertiser adv-7 --expires 30d', 'with CLICK_AGG_TOKEN_KEY set'],
    ['click-agg ads token --admin --expires 8h', 'for oneself'],
  ],
  async run({ options, terminal }) {
    const { advertiser, admin, expires, tokenKey } = options;
    if ((advertiser === undefined) !== admin) throw new UsageError('give --advertiser ID or --admin');
    if (advertiser === '') throw new UsageError('--advertiser must name one');
    const { tokensBy } = await import('../serve/tokens.js');
    const expiresAtMs = Date.now() + expires;
    const token = await tokensBy(tokenKey).issue({ advertiserId: advertiser, expiresAtMs });
    const ends = new Date(expiresAtMs).toISOString();
    if (terminal.wantsJson)
      await terminal.json({ token, advertiser_id: advertiser ?? null, expires_at: ends });
    else await terminal.print(`${token}\n`);
    return undefined;
  },
});
