//go:build !hazmat

package main

import strongroom "strongroom.dev/go"

// The released package: real clocks, its own IVs.

var testExtras []string

type newVault struct {
	Options vaultOptions `json:"options"`
}

func (n newVault) make() (*strongroom.Vault, error) {
	return strongroom.NewVault(n.Options.options()...)
}
