module strongroom.dev/fleet

go 1.24

require (
	github.com/aws/aws-sdk-go-v2 v1.47.7
	github.com/aws/aws-sdk-go-v2/service/kms v1.62.4
	strongroom.dev/go v0.1.0
	strongroom.dev/go/awskms v0.1.0
)

require (
	github.com/aws/aws-sdk-go-v2/internal/configsources v1.5.10 // indirect
	github.com/aws/aws-sdk-go-v2/internal/endpoints/v2 v2.8.10 // indirect
	github.com/aws/smithy-go v1.28.8 // indirect
)

replace (
	strongroom.dev/go => ../../../../bindings-go
	strongroom.dev/go/awskms => ../../../../bindings-go/awskms
)
