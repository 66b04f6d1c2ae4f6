package main

import (
	"cmp"
	"errors"
	"flag"
	"os"

	"github.com/farmtrust/farmtrust/internal/payload"
)

// payloadFlags are the flags of commands that read or write payloads.
type payloadFlags struct{ clear, acceptClear *bool }

// addPayloadFlags adds them.
func addPayloadFlags(flags *flag.FlagSet) payloadFlags {
	return payloadFlags{
		clear:       flags.Bool("clear-payloads", false, "store in Temporal in clear what would be encrypted: names of servers and accounts,\nand texts of errors"),
		acceptClear: flags.Bool("accept-clear-payloads", false, "encrypt, and still read what is stored in clear: until no workflow runs that began\nwithout encryption"),
	}
}

// defaultPayloadKeys is the key ring for payloads where nothing else names one.
func defaultPayloadKeys() string { return os.Getenv(payload.KeysVariable) }

// open opens the key ring that a configuration names, or else the environment.
func (f payloadFlags) open(configured string) (payload.Options, error) {
	path := cmp.Or(configured, defaultPayloadKeys())
	switch {
	case path == "" && !*f.clear:
		return payload.Options{}, errNoPayloadKeys
	case path != "" && *f.clear:
		return payload.Options{}, errors.New("-clear-payloads contradicts the key ring for payloads (" + path + "): leave out one of them")
	}
	return payload.Open(path, *f.acceptClear)
}

// errNoPayloadKeys says how to get a key ring, and how to do without.
var errNoPayloadKeys = errors.New("no key ring for payloads: without one, Temporal stores names of servers and accounts, and texts of errors, in clear. " +
	"Make one with \"farmtrust keys new payloads.keys\", and write keys: {payloads: file:payloads.keys} into the configuration, or set " +
	payload.KeysVariable + "; or give -clear-payloads")
