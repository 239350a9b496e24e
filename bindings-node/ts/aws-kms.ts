export { awsKms, type AwsKmsOptions } from './host/aws-kms.js';
