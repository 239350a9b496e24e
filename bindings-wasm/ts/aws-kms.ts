export { awsKms, type AwsKmsOptions } from '../../hosts/ts/src/aws-kms.js';
