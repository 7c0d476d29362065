//go:build tools

package toolchain

import _ "github.com/google/go-containerregistry/cmd/crane"
