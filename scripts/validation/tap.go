// Package tap writes results in the form of TAP 13: the part of it that the validation programs of runtime-tools call.
// They import it by this name; Debian has no package of it. Every line goes to standard output at once; numbers count from 1.
package tap

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// T counts the results of one program.
type T struct {
	done int
	todo bool
}

// New begins with nothing counted.
func New() *T { return &T{} }

// Header writes the version and, when the number of results is known, the plan.
func (t *T) Header(planned int) {
	fmt.Println("TAP version 13")
	if planned > 0 {
		fmt.Printf("1..%d\n", planned)
	}
}

// AutoPlan writes the plan behind the results.
func (t *T) AutoPlan() { fmt.Printf("1..%d\n", t.done) }

// Ok writes one result.
func (t *T) Ok(passed bool, description string) {
	t.done++
	word, mark := "ok", ""
	if !passed {
		word = "not ok"
	}
	if t.todo {
		mark = " # TODO"
	}
	fmt.Printf("%s %d%s - %s\n", word, t.done, mark, description)
}

// Pass writes a passed result.
func (t *T) Pass(description string) { t.Ok(true, description) }

// Fail writes a failed result.
func (t *T) Fail(description string) { t.Ok(false, description) }

// Skip writes results that were not looked for.
func (t *T) Skip(count int, description string) {
	for ; count > 0; count-- {
		t.done++
		fmt.Printf("ok %d # SKIP %s\n", t.done, description)
	}
}

// Todo gives a counter whose failures are expected.
func (t *T) Todo() *T { return &T{done: t.done, todo: true} }

// Diagnostic writes a comment.
func (t *T) Diagnostic(text string) {
	for _, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		fmt.Printf("# %s\n", line)
	}
}

// Diagnosticf writes a comment by format.
func (t *T) Diagnosticf(format string, a ...interface{}) { t.Diagnostic(fmt.Sprintf(format, a...)) }

// YAML writes a block that belongs to the last result; JSON is YAML.
func (t *T) YAML(value interface{}) error {
	text, err := json.MarshalIndent(value, "  ", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(os.Stdout, "  ---\n  %s\n  ...\n", text)
	return err
}
