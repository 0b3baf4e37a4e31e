package main

import (
	"log/slog"
	"net/http"
	"time"
)

// logRequests logs each request with its flags, so that a failure can be attributed to a variation.
func logRequests(logger *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(recorder, r)

		level := slog.LevelInfo
		if recorder.status >= http.StatusInternalServerError {
			level = slog.LevelError
		}
		logger.LogAttrs(r.Context(), level, "request",
			slog.String("route", r.Pattern),
			slog.Int("status", recorder.status),
			slog.Duration("duration", time.Since(start)),
			slog.GroupAttrs("flags", flagAttrs(flags(r.Context()).evaluated())...))
	})
}

// flagAttrs returns an attribute for each flag.
func flagAttrs(rows []flagRow) []slog.Attr {
	attrs := make([]slog.Attr, len(rows))
	for i, row := range rows {
		fields := []slog.Attr{slog.Any("value", row.value)}
		if row.details.Variant != "" {
			fields = append(fields, slog.String("variant", row.details.Variant))
		}
		if row.details.ErrorCode != "" {
			fields = append(fields, slog.String("error", string(row.details.ErrorCode)))
		}
		attrs[i] = slog.GroupAttrs(row.details.FlagKey, fields...)
	}
	return attrs
}

// statusRecorder records the status of a response.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements [http.ResponseWriter].
func (r *statusRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap is used by [http.ResponseController].
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
