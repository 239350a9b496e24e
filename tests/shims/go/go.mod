module strongroom.dev/shim

go 1.24

require strongroom.dev/go v0.0.0

replace strongroom.dev/go => ../../../bindings-go
