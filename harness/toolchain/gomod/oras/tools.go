//go:build tools

package toolchain

import _ "oras.land/oras/cmd/oras"
