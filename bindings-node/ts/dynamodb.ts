export { DynamoStore } from './host/dynamo-store.js';
