//go:build tools

package toolchain

import _ "github.com/coredns/coredns"
