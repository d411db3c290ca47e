// docs/options.md is what the option tables say. After a change of an option: run this file with -u.
import { expect, test } from 'vitest';
import { loadCommands } from '../../src/commands/index.js';
import { optionReference } from '../../src/options/reference.js';
import { globalOptions } from '../../src/options/shared.js';

const commands = await loadCommands();

test('docs/options.md is what the option tables say', async () => {
  await expect(optionReference(commands, globalOptions)).toMatchFileSnapshot('../../docs/options.md');
});
