package embedded

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/temporal"
)

const (
	clusterName = "active"
	storeName   = "sqlite"
	off         = "disabled"
)

// startTemporal starts the four services of a Temporal server. They find each other
// by static addresses, because the usual membership protocol would only take time.
func startTemporal(p ports, sql *config.SQL, a *access, o Options) (temporal.Server, error) {
	services, hosts := map[string]config.Service{}, map[primitives.ServiceName]static.Hosts{}
	for name, rpc := range map[primitives.ServiceName]config.RPC{
		// Without an HTTPPort there is no HTTP API, which any web page could post to.
		primitives.FrontendService: {GRPCPort: p.frontend},
		primitives.HistoryService:  {GRPCPort: p.history},
		primitives.MatchingService: {GRPCPort: p.matching},
		primitives.WorkerService:   {GRPCPort: p.worker},
	} {
		rpc.BindOnIP = loopback
		services[string(name)] = config.Service{RPC: rpc}
		hosts[name] = static.SingleLocalHost(localAddress(rpc.GRPCPort))
	}
	server, err := temporal.NewServer(
		temporal.WithConfig(newServerConfig(p, sql, services)),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithStaticHosts(hosts),
		temporal.WithTLSConfigFactory(a.temporalTLS()),
		temporal.WithLogger(log.NewZapLogger(o.Logger)),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper { return authorization.NewNoopClaimMapper() }),
		temporal.WithDynamicConfigClient(changedDefaults(o)),
	)
	if err != nil {
		return nil, fmt.Errorf("configure the Temporal server: %w", err)
	}
	if err := server.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start the Temporal server: %w", err), server.Stop())
	}
	return server, nil
}

func newServerConfig(p ports, sql *config.SQL, services map[string]config.Service) *config.Config {
	return &config.Config{
		Global: config.Global{Membership: config.Membership{MaxJoinDuration: 30 * time.Second, BroadcastAddress: loopback}},
		Persistence: config.Persistence{
			DefaultStore: storeName, VisibilityStore: storeName, NumHistoryShards: 1,
			DataStores: map[string]config.DataStore{storeName: {SQL: sql}},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10, MasterClusterName: clusterName, CurrentClusterName: clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{clusterName: {
				Enabled: true, InitialFailoverVersion: 1,
				RPCAddress: localAddress(p.frontend),
			}},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		Archival: config.Archival{
			History: config.HistoryArchival{State: off}, Visibility: config.VisibilityArchival{State: off},
		},
		NamespaceDefaults: config.NamespaceDefaults{Archival: config.ArchivalNamespaceDefaults{
			History: config.HistoryArchivalNamespaceDefaults{State: off}, Visibility: config.VisibilityArchivalNamespaceDefaults{State: off},
		}},
		PublicClient: config.PublicClient{HostPort: localAddress(p.frontend)},
		Services:     services,
	}
}

// changedDefaults returns the settings of Temporal's dynamic configuration that
// differ from their defaults.
func changedDefaults(o Options) dynamicconfig.StaticClient {
	settings := dynamicconfig.StaticClient{
		// Without it a new search attribute cannot be used for up to a minute.
		dynamicconfig.ForceSearchAttributesCacheRefreshOnRead.Key(): true,
		// One UI that polls lists and counts can exceed the default of 10 requests
		// a second.
		dynamicconfig.FrontendMaxNamespaceVisibilityRPSPerInstance.Key(): 100,
		// This server makes no outbound requests.
		dynamicconfig.EnableServerVersionCheck.Key(): false,
	}
	if o.ContinueAsNewAfter > 0 {
		settings[dynamicconfig.HistoryCountSuggestContinueAsNew.Key()] = o.ContinueAsNewAfter
	}
	return settings
}
