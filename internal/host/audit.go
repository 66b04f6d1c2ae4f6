package host

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/audit"
	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/keyring"
)

// markInterval is how often the worker's log has the mark of the audit log's last line: an
// end that was cut off is found by it.
const markInterval = time.Hour

// openAudit opens the audit log of a configuration; nil where it has none.
func openAudit(c *config.Config, self client.Worker, build string, keys *keyring.Ring, log *zap.Logger) (*audit.Log, error) {
	if c.Audit == nil {
		log.Info("no audit log is configured: what is decided and changed is recorded by Temporal alone",
			zap.String("remedy", "name a file under audit in "+c.Path))
		return nil, nil
	}
	mirrors, err := openMirrors(*c.Audit)
	if err != nil {
		return nil, err
	}
	record, err := audit.Open(audit.Options{
		Path: c.Audit.File, Keys: keys, Worker: self.String(), Build: build, Mirrors: mirrors, Log: log, Now: time.Now,
	})
	if err != nil {
		return nil, errors.Join(err, closeMirrors(mirrors))
	}
	log.Info("audit log", zap.String("file", c.Audit.File), zap.String("mark", record.Last().String()))
	return record, nil
}

func openMirrors(c config.Audit) (all []audit.Mirror, err error) {
	if c.Syslog != "" {
		m, err := audit.NewSyslog(c.Syslog, time.Now)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	if c.EventLog {
		m, err := audit.NewEventLog()
		if err != nil {
			return nil, errors.Join(err, closeMirrors(all))
		}
		all = append(all, m)
	}
	return all, nil
}

func closeMirrors(all []audit.Mirror) error {
	var failed []error
	for _, m := range all {
		failed = append(failed, m.Close())
	}
	return errors.Join(failed...)
}

// tellMarks writes the mark of the last line to the worker's log while ctx lasts, where
// there are new lines.
func tellMarks(ctx context.Context, record *audit.Log, log *zap.Logger) {
	ticker := time.NewTicker(markInterval)
	defer ticker.Stop()
	for told := record.Last(); ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if last := record.Last(); last != told {
				log.Info("audit log", zap.String("mark", last.String()))
				told = last
			}
		}
	}
}

// closeAudit closes the audit log of a worker that has stopped.
func closeAudit(record *audit.Log, log *zap.Logger) {
	last := zap.String("mark", record.Last().String())
	if err := record.Close(); err != nil {
		log.Warn("audit log: a copy was not closed", last, zap.Error(err))
		return
	}
	log.Info("audit log: closed", last)
}
