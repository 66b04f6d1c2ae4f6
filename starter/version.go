package main

import (
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/spf13/cobra"

	"github.com/farmtrust/farmtrust/internal/version"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show the version, commit and Go version of this build",
		Long: `Shows the version of this program, the commit that it was built from, and the version
of Go that built it. It does not connect to Temporal.`,
		Example: `  farmtrust version
  farmtrust version -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			info := version.Read()
			return a.show(info, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, cmd.Root().Name(), info)
				return err
			})
		},
	}
}

// renameProgram has the help and the examples of all commands name the program
// as it was called. In them the root's name stands at the beginning of a line
// or behind a quotation mark; elsewhere it is an ordinary word.
func renameProgram(root *cobra.Command, called string) {
	name := root.Name()
	replace := strings.NewReplacer("\n  "+name+" ", "\n  "+called+" ", `"`+name+" ", `"`+called+" ", "`"+name+" ", "`"+called+" ")
	for _, c := range withSubcommands(root) {
		c.Long = replace.Replace(c.Long)
		c.Example = strings.TrimPrefix(replace.Replace("\n"+c.Example), "\n")
	}
	// A command's name has no blanks; what it is shown as may have some.
	root.Use = path.Base(called)
	root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: called}
}
