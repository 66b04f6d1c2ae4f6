package host

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/cert"
	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/notify"
	"github.com/farmtrust/farmtrust/internal/preflight"
	"github.com/farmtrust/farmtrust/internal/source"
	"github.com/farmtrust/farmtrust/internal/version"
	"github.com/farmtrust/farmtrust/internal/winrm"
)

// newActivities wires the activities of a configuration, for worker self. They do not
// know of Temporal's runs. The function that it returns closes the connections to
// servers.
func newActivities(c *config.Config, self client.Worker, log *zap.Logger) (*activities.Activities, func(), error) {
	certificates, err := newCertificates(c)
	if err != nil {
		return nil, nil, err
	}
	connections, err := newConnections(c)
	if err != nil {
		return nil, nil, err
	}
	remote := winrm.New(connections.findConnection, log, winrm.WithConcurrentCalls(c.Worker.ConcurrentCalls))
	return &activities.Activities{
		Farms: farms{c}, ConfigurationHash: farms{c}.hash, Worker: self.String(), Version: version.Read().Build(), Certificates: certificates, Remote: remote, Logons: remote, Now: time.Now, Poll: pollInterval,
	}, remote.Close, nil
}

// newNotifier returns what tells operators; nil where nobody is to be told.
func newNotifier(c *config.Config) (activities.Notifier, error) {
	if c.Notify == nil {
		return nil, nil
	}
	receiver := notify.Receiver{URL: c.Notify.URL, Bearer: c.Notify.Bearer}
	if c.Notify.CA != "" {
		ca, err := preflight.ReadCAs(c.Notify.CA)
		if err != nil {
			return nil, fmt.Errorf("notify.ca: %w", err)
		}
		receiver.CA = ca
	}
	return notify.New(receiver, c.Site), nil
}

// Inspector inspects the farms of a configuration from this process, without Temporal.
type Inspector struct {
	activities *activities.Activities
	close      func()
}

// NewInspector returns an inspector, which the caller closes. It fails where a file of
// CAs that the configuration names cannot be used.
func NewInspector(c *config.Config, log *zap.Logger) (*Inspector, error) {
	self, err := identifyWorker(c)
	if err != nil {
		return nil, err
	}
	a, closeRemote, err := newActivities(c, self, log)
	if err != nil {
		return nil, err
	}
	return &Inspector{a, closeRemote}, nil
}

// Inspect observes every server of a farm and compares, as a worker does. A server that
// cannot be observed is part of the inspection.
func (i *Inspector) Inspect(ctx context.Context, farmName string) (farm.Inspection, error) {
	return i.activities.InspectFarm(ctx, farmName)
}

// Close closes the connections to servers.
func (i *Inspector) Close() { i.close() }

// farms looks up farms in the configuration.
type farms struct{ config *config.Config }

// hash is the same for the same configuration of a farm.
func (f farms) hash(name string) string {
	found, err := f.config.Farm(name)
	if err != nil {
		return ""
	}
	return f.config.HashFarm(found)
}

// Farm implements [activities.Farms].
func (f farms) Farm(name string) (farm.Farm, bool) {
	found, err := f.config.Farm(name)
	return found.Farm, err == nil
}

// certificates has the certificate source of each farm, by farm name.
type certificates map[string]source.Source

func newCertificates(c *config.Config) (certificates, error) {
	all := certificates{}
	for _, f := range c.Farms {
		switch s := f.Source; {
		case s.Directory != nil:
			all[f.Name] = source.Directory{Path: s.Directory.Path, Password: s.Directory.Password, Opened: &source.Opened{}}
		case s.SelfSigned != nil:
			all[f.Name] = source.SelfSigned{
				Directory: source.Directory{Path: s.SelfSigned.Path, Password: s.SelfSigned.Password, Opened: &source.Opened{}},
				Subject:   s.SelfSigned.Subject, ValidFor: s.SelfSigned.ValidFor, LeadTime: f.Certificate.LeadTime,
			}
		default:
			return nil, fmt.Errorf("farm %s: no certificate source is configured", f.Name)
		}
	}
	return all, nil
}

// Newest implements [activities.Certificates].
func (c certificates) Newest(ctx context.Context, farmName string) (*cert.Bundle, error) {
	return c[farmName].Newest(ctx)
}

// Find implements [activities.Certificates].
func (c certificates) Find(ctx context.Context, farmName string, t farm.Thumbprint) (*cert.Bundle, error) {
	return c[farmName].Find(ctx, t)
}

// Replacement implements [activities.Certificates].
func (c certificates) Replacement(ctx context.Context, farmName string, compromised farm.Thumbprint) (*cert.Bundle, error) {
	return c[farmName].Replacement(ctx, compromised)
}

// Forget implements [activities.Certificates].
func (c certificates) Forget(ctx context.Context, farmName string, old farm.Thumbprint) (bool, error) {
	return c[farmName].Forget(ctx, old)
}

// connections has the settings for reaching servers, by connection name.
type connections map[string]winrm.Connection

// newConnections reads the CA certificates of each connection. Passwords are read
// only when a session is opened.
func newConnections(c *config.Config) (connections, error) {
	all := connections{}
	for name, s := range c.Connections {
		connection := winrm.Connection{Auth: winrm.Auth(s.Auth), User: s.User, Password: s.Password, AllowUnverified: s.AllowUnverified}
		if s.CA != "" {
			ca, err := preflight.ReadCAs(s.CA)
			if err != nil {
				return nil, fmt.Errorf("connections.%s.ca: %w", name, err)
			}
			connection.CA = ca
		}
		all[name] = connection
	}
	return all, nil
}

func (c connections) findConnection(name string) (winrm.Connection, error) {
	connection, ok := c[name]
	if !ok {
		return winrm.Connection{}, fmt.Errorf("connection %q is not configured", name)
	}
	return connection, nil
}
