export { KeychainError, osKeychain } from './host/keychain-os.js';
