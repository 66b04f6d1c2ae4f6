package ingest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/delivery"
)

// metricsTimeout bounds a request for metrics and its answer, which are small.
const metricsTimeout = 10 * time.Second

// metrics serves what is counted, for Prometheus to fetch.
type metrics struct {
	listener net.Listener
	server   *http.Server
}

// openMetrics listens on an address; nil where that is empty.
func openMetrics(ctx context.Context, address string, d *delivery.Deliverer, log *zap.Logger) (*metrics, error) {
	if address == "" {
		return nil, nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w: name an address of this machine that is free", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		if err := d.WriteMetrics(w); err != nil {
			log.Debug("metrics were not fetched whole", zap.Error(err))
		}
	})
	return &metrics{listener, &http.Server{
		Handler: mux, ReadTimeout: metricsTimeout, WriteTimeout: metricsTimeout, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}}, nil
}

// serve serves until ctx is done. Events come in without it, so that its end is only told.
func (m *metrics) serve(ctx context.Context, log *zap.Logger) {
	if m == nil {
		return
	}
	stop := context.AfterFunc(ctx, func() { _ = m.server.Close() })
	defer stop()
	if err := m.server.Serve(m.listener); !errors.Is(err, http.ErrServerClosed) {
		log.Warn("metrics are no longer served", zap.Error(err))
	}
}
