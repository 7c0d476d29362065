//go:build tools

package toolchain

import _ "sigs.k8s.io/kind"
