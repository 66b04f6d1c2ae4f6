package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/farmtrust/farmtrust/internal/keyring"
)

// keyList is a key ring, without what is secret of it.
type keyList struct {
	// File is the path of the key ring as it was given.
	File string `json:"file"`
	// Keys are its keys in their order: the first one is used for what is new.
	Keys []listedKey `json:"keys"`
}

// listedKey is one key of a ring.
type listedKey struct {
	// ID names the key in the file, and beside what it sealed or encrypted.
	ID string `json:"id"`
	// Fingerprint is the same for the same key, and tells nothing else about it.
	Fingerprint string `json:"fingerprint"`
}

func (a *app) keysCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "keys",
		Short: "Make, list and change the key rings that seal and encrypt",
		Long: `Makes, lists and changes key rings: files with keys of 256 bits. Workers seal with one
what a rollback restores, and encrypt with another what Temporal stores. The first key
of a ring is used for what is new, all of them for what is old.

To change the key: add one on the machine where the ring is kept, bring the file to
every other place that uses it, then let the new one be the first, and bring the file
there again. Programs that are running take the changed file without a restart. Remove
the old key when Temporal keeps no history any more that was written with it.

A key ring is a secret, and cannot be made again: keep a copy where passwords are kept.
No command shows a key. Nothing here connects to Temporal.`,
		Example: `  farmtrust keys new payloads.keys
  farmtrust keys list payloads.keys`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var names []string
			for _, sub := range c.Commands() {
				names = append(names, sub.Name())
			}
			return usageErrorf("say what to do with which file: %s %s FILE", c.CommandPath(), strings.Join(names, "|"))
		},
	}
	c.AddCommand(
		a.newKeysCommand(),
		a.keyCommand("add FILE", "Add a random key behind the others",
			"Adds a random key behind the others: it is not used for anything new before it is the\nfirst one.",
			"farmtrust keys add payloads.keys", func(path, _ string) (string, error) {
				id, err := keyring.Add(path)
				return fmt.Sprintf("%s: added %s; once every place that uses the ring has this file: farmtrust keys use %s %s", path, id, path, id), err
			}),
		a.keyCommand("use FILE ID", "Use a key for what is new",
			"Makes a key the first one. Who has a ring without this key cannot read what is\nwritten from now on: bring the file with the key everywhere before.",
			"farmtrust keys use payloads.keys 20261129-3fa291", func(path, id string) (string, error) {
				return fmt.Sprintf("%s: %s is used for what is new", path, id), keyring.Use(path, id)
			}),
		a.keyCommand("list FILE", "List the keys of a ring, without what is secret of them",
			"Lists the keys of a ring, the first one first. Copies of a ring have the same\nfingerprints.",
			"farmtrust keys list payloads.keys", nil),
		a.keyCommand("remove FILE ID", "Remove a key that nothing needs any more",
			"Removes a key, which is not the first one. What was written with it cannot be read any\nmore, and a workflow that must read it stops until the key is back: it is needed until\nTemporal has deleted every history that was written with it.",
			"farmtrust keys remove payloads.keys 20251130-81c07e", func(path, id string) (string, error) {
				return fmt.Sprintf("%s: removed %s", path, id), keyring.Remove(path, id)
			}),
	)
	return c
}

// newKeysCommand returns the command that makes a key ring.
func (a *app) newKeysCommand() *cobra.Command {
	var keep bool
	create := a.keyCommand("new FILE", "Make a key ring with one random key",
		"Makes a key ring with one random key, in a file that only its owner can read. A file that\nexists is not touched.",
		"farmtrust keys new payloads.keys", func(path, _ string) (string, error) {
			switch err := keyring.Create(path); {
			case errors.Is(err, fs.ErrExist) && keep:
				return path + ": kept", nil
			case errors.Is(err, fs.ErrExist):
				return "", fmt.Errorf("%w; farmtrust keys add %s adds a key to it", err, path)
			default:
				return path + ": made", err
			}
		})
	create.Flags().BoolVar(&keep, "keep", false, "a file that exists is no error, so that this may run at each start")
	return create
}

// keyCommand returns a command that changes a key ring, tells what was done, and shows
// the ring. Without a change it only shows it. Its arguments are those that use names.
func (a *app) keyCommand(use, short, long, example string, change func(path, id string) (string, error)) *cobra.Command {
	wanted := strings.Fields(use)[1:]
	return &cobra.Command{
		Use: use, Short: short, Long: long, Example: "  " + example,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != len(wanted) {
				return usageErrorf("give %s, and nothing else", strings.Join(wanted, " and "))
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			path, id := args[0], strings.Join(args[1:], "")
			if change != nil {
				done, err := change(path, id)
				if err != nil {
					return &exitError{code: exitUsage, err: err}
				}
				a.tell("%s", done)
			}
			return a.showKeys(path)
		},
	}
}

func (a *app) showKeys(path string) error {
	ring, err := keyring.Open(path)
	if err != nil {
		return &exitError{code: exitUsage, err: err}
	}
	list := keyList{File: path}
	for _, k := range ring.Keys() {
		list.Keys = append(list.Keys, listedKey{ID: k.ID, Fingerprint: k.Fingerprint()})
	}
	return a.show(list, func(w io.Writer) error {
		for i, k := range list.Keys {
			role := "for what is old"
			if i == 0 {
				role = "for what is new"
			}
			if err := a.say(w, "%s  %s  %s", k.ID, k.Fingerprint, role); err != nil {
				return err
			}
		}
		return nil
	})
}
