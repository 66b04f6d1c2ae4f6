package pull

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/farmtrust/farmtrust/internal/config"
)

// azureOptions has requests tried once: the caller tries again itself, and more slowly.
func azureOptions() policy.ClientOptions {
	return policy.ClientOptions{Retry: policy.RetryOptions{MaxRetries: -1}}
}

// signIn returns what gets tokens for an identity. It calls nothing.
func signIn(i config.AzureIdentity) (azcore.TokenCredential, error) {
	switch i.As {
	case config.ManagedIdentity:
		options := &azidentity.ManagedIdentityCredentialOptions{}
		if i.Client != "" {
			options.ID = azidentity.ClientID(i.Client)
		}
		return azidentity.NewManagedIdentityCredential(options)
	case config.WorkloadIdentity:
		return azidentity.NewWorkloadIdentityCredential(nil)
	}
	password, err := i.Secret.Resolve()
	if err != nil {
		return nil, err
	}
	return azidentity.NewClientSecretCredential(i.Tenant, i.Client, string(password.Bytes()), nil)
}

// explainAzure puts an error of Azure on one line, with what to do about it. An error of
// the network names the address, which may have a signature that lets in: only what is in
// it is kept.
func explainAzure(what string, err error) error {
	if err == nil {
		return nil
	}
	if network, is := errors.AsType[*url.Error](err); is {
		return fmt.Errorf("%s: %w", what, network.Err)
	}
	response, is := errors.AsType[*azcore.ResponseError](err)
	if !is {
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("%s: %w", what, &azureError{response.StatusCode, response.ErrorCode})
}

// azureError is what a service of Azure answered.
type azureError struct {
	status int
	code   string
}

// Error has the remedy where it is known.
func (e *azureError) Error() string {
	text := fmt.Sprintf("Azure answered %d %s", e.status, http.StatusText(e.status))
	if e.code != "" {
		text += " (" + e.code + ")"
	}
	switch e.status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return text + ": check that the key, the signature or the identity of the configuration is right, has not expired and may read and remove messages there"
	case http.StatusNotFound:
		return text + ": correct the address in the configuration, or make what it names"
	}
	return text
}
