//go:build !amd64

package kernel

var native []*Set
