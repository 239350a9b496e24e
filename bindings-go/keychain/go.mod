module strongroom.dev/go/keychain

go 1.24

require (
	github.com/danieljoos/wincred v1.2.3
	github.com/godbus/dbus/v5 v5.2.4
	github.com/keybase/go-keychain v0.0.1
	strongroom.dev/go v0.1.0
)

require golang.org/x/sys v0.27.0 // indirect

replace strongroom.dev/go => ../
