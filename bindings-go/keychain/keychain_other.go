//go:build !linux && !windows && !(darwin && cgo)

package keychain

const maxSecret = 0

func ready() error { return ErrUnavailable }

// entries are never opened here.
type entries struct{ service string }

func (entries) get(string) ([]byte, error)  { return nil, ErrUnavailable }
func (entries) set(string, []byte) error    { return ErrUnavailable }
func (entries) remove(string) error         { return ErrUnavailable }
func (entries) accounts() ([]string, error) { return nil, ErrUnavailable }
