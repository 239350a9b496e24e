export { awsKms } from './aws-kms.js';
export type * from './aws-kms.js';
