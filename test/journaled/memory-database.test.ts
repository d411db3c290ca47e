// The database in memory that the tests of journaled stores use keeps the contract itself.
import { describeRowDatabase } from '../contract/row-database-contract.js';
import { MemoryServer } from './memory-database.js';

const servers = new Map<string, MemoryServer>();

describeRowDatabase('Memory', {
  async open(directory) {
    const server = servers.get(directory) ?? new MemoryServer();
    servers.set(directory, server);
    return server.connect();
  },
});
