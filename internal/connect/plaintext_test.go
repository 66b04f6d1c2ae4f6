package connect_test

import (
	"errors"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/connect"
)

// settingsOf reads the settings of an address and these variables.
func settingsOf(t *testing.T, address string, permitted bool, variables ...string) error {
	t.Helper()
	ignoreConfigFile(t)
	t.Setenv("TEMPORAL_ADDRESS", address)
	for _, v := range variables {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	_, err := connect.Settings(connect.Options{Log: zap.NewNop(), Plaintext: permitted})
	return err
}

func TestSettings_PlaintextStaysOnThisMachine(t *testing.T) {
	for _, address := range []string{
		"localhost:7233", "LocalHost:7233", "127.0.0.1:7233", "127.8.8.8:7233", "[::1]:7233", "localhost",
		"unix:/run/temporal.sock", "unix:///run/temporal.sock", "dns:///localhost:7233", "passthrough:///127.0.0.1:7233",
	} {
		t.Run(address, func(t *testing.T) {
			if err := settingsOf(t, address, false); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSettings_PlaintextToAnotherMachineIsRefused(t *testing.T) {
	for _, address := range []string{
		"temporal:7233", "10.0.0.1:7233", "127.0.0.1.example.com:7233", "localhost.example.com:7233", "[2001:db8::1]:7233", "0.0.0.0:7233",
		"dns:///temporal:7233", "dns://127.0.0.1/temporal:7233", "passthrough:///temporal:7233", "unix.example.com:7233", "temporal",
	} {
		t.Run(address, func(t *testing.T) {
			err := settingsOf(t, address, false)
			var plain *connect.PlaintextError
			if !errors.As(err, &plain) || plain.Address != address || strings.Contains(err.Error(), "\n") {
				t.Fatalf("got %v", err)
			}
			for _, part := range []string{"TEMPORAL_TLS=true", "FARMTRUST_PLAINTEXT=true"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
		})
	}
}

func TestSettings_TLSWithAnybodyIsPlaintext(t *testing.T) {
	err := settingsOf(t, "temporal:7233", false, "TEMPORAL_TLS=true", "TEMPORAL_TLS_DISABLE_HOST_VERIFICATION=true")
	var plain *connect.PlaintextError
	if !errors.As(err, &plain) || !plain.Unverified || !strings.Contains(err.Error(), "unset TEMPORAL_TLS_DISABLE_HOST_VERIFICATION") {
		t.Errorf("got %v", err)
	}
}

func TestSettings_WhatMakesPlaintextRight(t *testing.T) {
	for name, c := range map[string]struct {
		permitted bool
		variable  string
	}{
		"the flag":     {true, "TEMPORAL_TLS=false"},
		"the variable": {false, "FARMTRUST_PLAINTEXT=true"},
		"TLS":          {false, "TEMPORAL_TLS=true"},
		"an API key":   {false, "TEMPORAL_API_KEY=key"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := settingsOf(t, "temporal:7233", c.permitted, c.variable); err != nil {
				t.Error(err)
			}
		})
	}
}
