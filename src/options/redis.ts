// Where Redis is, for the commands that can use one, and the channel on which a run tells what it counts.
import { type OptionSpec, optionalText, text } from './option.js';

/** `--redis`, with what the command does with it. */
export function redisOption(about: string, group?: string): OptionSpec<string | undefined> {
  return optionalText({
    flag: 'redis',
    ...(group === undefined ? {} : { group }),
    value: 'redis://…',
    // A URL may hold a password.
    secret: true,
    about,
  });
}

export const channelOption = {
  liveChannel: text({
    flag: 'live-channel',
    value: 'NAME',
    default: 'click-agg:live',
    about: 'the Redis channel for it: one for each store',
  }),
};
