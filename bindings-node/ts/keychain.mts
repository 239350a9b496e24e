export { KeychainError, osKeychain } from './keychain.js';
