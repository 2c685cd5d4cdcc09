//go:build tools

// Package tools names the Centrifugo that the tests run against. A module of its own, so that go.sum
// pins every byte that is built; `go install …@version` would ask for whatever is newest below it.
package tools

import _ "github.com/centrifugal/centrifugo/v6"
