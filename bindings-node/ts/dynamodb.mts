export { DynamoStore } from './dynamodb.js';
