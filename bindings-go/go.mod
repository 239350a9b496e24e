module strongroom.dev/go

go 1.24
