module strongroom.dev/go/sqlitestore

go 1.24

require (
	github.com/mattn/go-sqlite3 v1.14.53
	strongroom.dev/go v0.1.0
)

replace strongroom.dev/go => ../
