// The Cassandra store: the contract of stores, one owner at a time.
import { openStore } from '../../../src/adapters/cassandra/store.js';
import { describeOutbox } from '../../contract/outbox-contract.js';
import { describeStore } from '../../contract/store-contract.js';
import { storeUrlOf } from './shared-server.js';

const open = async (directory: string) => await openStore(await storeUrlOf(directory));

describeStore('Cassandra', { open, greatCommit: 10_000 });
describeOutbox('Cassandra', open);
