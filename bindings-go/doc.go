// Package strongroom seals single sensitive fields of a multi-tenant product,
// so that whoever steals every row and every file holds nothing.
//
// Start with [NewVault], the handle with which a process works: it holds the
// plaintext DEKs of one session and the rules for them. The vault makes no call
// to a KMS and reads no store; it says what must be asked ([Vault.UnwrapRequest])
// and checks the answer ([Vault.Admit]). KmsVault is the ready-made loop around
// it for one org.
//
// A vault without [WithCmks] trusts the rows that it is given: whoever writes
// the store could then have it wrap for a CMK of their own. Always list the CMKs.
//
// The package is the core, a static library, behind cgo. Where cgo is off it
// compiles and every call returns [ErrNoCgo].
package strongroom
