package main

import (
	"io"
	"os"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/farmtrust/farmtrust/internal/logging"
)

// openLog opens the log of the whole process. Without a file it writes only fatal
// errors, to stderr: operators watch a table that is repainted in place, and log
// entries would break it up. The function that it returns closes the file.
func openLog(path string, stderr io.Writer) (*zap.Logger, func() error, error) {
	cores := []zapcore.Core{logging.NewCore(stderr, logging.Text, zap.DPanicLevel)}
	closeFile := func() error { return nil }
	if path != "" {
		file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, nil, usageErrorf("open log: %w", err)
		}
		closeFile = file.Close
		cores = append(cores, logging.NewCore(file, logging.JSON, zap.InfoLevel))
	}
	return zap.New(zapcore.NewTee(cores...)), closeFile, nil
}
