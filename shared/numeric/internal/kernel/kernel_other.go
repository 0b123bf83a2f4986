//go:build !amd64 && !arm64

package kernel

var native []*Set
