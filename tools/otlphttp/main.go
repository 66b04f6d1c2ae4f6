// Command otlphttp sends each line of its standard input as a log record, by the exporter
// of a configuration of the OpenTelemetry Collector. It is the part of a collector that a
// door for events hears: the receiver of Windows' events runs on Windows alone.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/envprovider"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/otlphttpexporter"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"
)

func main() {
	if err := run(context.Background(), os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, path string) error {
	e, err := newExporter(ctx, path)
	if err != nil {
		return err
	}
	if err := e.Start(ctx, componenttest.NewNopHost()); err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		logs := plog.NewLogs()
		logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetStr(lines.Text())
		if err := e.ConsumeLogs(ctx, logs); err != nil {
			return err
		}
	}
	return errors.Join(lines.Err(), e.Shutdown(ctx))
}

// newExporter returns the exporter otlphttp that a configuration sets up.
func newExporter(ctx context.Context, path string) (exporter.Logs, error) {
	resolver, err := confmap.NewResolver(confmap.ResolverSettings{
		URIs:              []string{"file:" + path},
		ProviderFactories: []confmap.ProviderFactory{fileprovider.NewFactory(), envprovider.NewFactory()},
	})
	if err != nil {
		return nil, err
	}
	whole, err := resolver.Resolve(ctx)
	if err != nil {
		return nil, err
	}
	own, err := whole.Sub("exporters::otlphttp")
	if err != nil {
		return nil, err
	}
	factory := otlphttpexporter.NewFactory()
	config := factory.CreateDefaultConfig()
	if err := errors.Join(own.Unmarshal(&config), confmap.Validate(config)); err != nil {
		return nil, err
	}
	settings := exporter.Settings{
		ID: component.NewID(factory.Type()), TelemetrySettings: componenttest.NewNopTelemetrySettings(), BuildInfo: component.NewDefaultBuildInfo(),
	}
	if settings.Logger, err = zap.NewProduction(); err != nil {
		return nil, err
	}
	return factory.CreateLogs(ctx, settings, config)
}
