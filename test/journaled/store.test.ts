// A journaled store keeps the contract of stores, over a database in memory.
import { openJournaledStore } from '../../src/adapters/journaled/store.js';
import { describeOutbox } from '../contract/outbox-contract.js';
import { describeStore } from '../contract/store-contract.js';
import { MemoryServer } from './memory-database.js';

const servers = new Map<string, MemoryServer>();

function open(directory: string) {
  const server = servers.get(directory) ?? new MemoryServer();
  servers.set(directory, server);
  return openJournaledStore(server.connect());
}

describeStore('Journaled (in memory)', { open });
describeOutbox('Journaled (in memory)', open);
