// The ClickHouse store: the contract of stores and of their letters.
import { afterAll } from 'vitest';
import { openStore } from '../../../src/adapters/clickhouse/store.js';
import { describeOutbox } from '../../contract/outbox-contract.js';
import { describeStore } from '../../contract/store-contract.js';
import { dropStores, storeIn } from './databases.js';

afterAll(dropStores);

const open = async (directory: string) => openStore(await storeIn(directory));
describeStore('ClickHouse', { open });
describeOutbox('ClickHouse', open);
