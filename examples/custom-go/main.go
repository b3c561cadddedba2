// A worker for runtime Custom: it reads the variables that Headrace sets, handles entries of its
// group, acknowledges them, takes over what dead workers left, and stops cleanly on SIGTERM.
package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	count      = 100
	block      = 2 * time.Second // shorter than terminationGracePeriodSeconds
	maxTries   = 4
	reclaimGap = 5 * time.Second
)

type worker struct {
	redis                         *redis.Client
	stream, group, reserved, name string
	minIdle                       time.Duration
}

func main() {
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	w, err := fromEnvironment()
	if err != nil {
		log.Fatal(err)
	}
	if err := w.run(ctx); err != nil {
		log.Fatal(err)
	}
}

func fromEnvironment() (*worker, error) {
	if mode := os.Getenv("HEADRACE_REDIS_MODE"); mode != "" && mode != "Standalone" {
		return nil, fmt.Errorf("HEADRACE_REDIS_MODE=%s: this example talks to Standalone only", mode)
	}
	w := &worker{
		stream:   os.Getenv("HEADRACE_STREAM"),
		group:    os.Getenv("HEADRACE_GROUP"),
		reserved: os.Getenv("HEADRACE_RESERVED_CONSUMER"),
		minIdle:  time.Minute,
	}
	endpoint, _, _ := strings.Cut(os.Getenv("HEADRACE_REDIS_ENDPOINTS"), ",")
	if w.stream == "" || w.group == "" || w.reserved == "" || endpoint == "" {
		return nil, errors.New("HEADRACE_STREAM, _GROUP, _RESERVED_CONSUMER and _REDIS_ENDPOINTS must be set")
	}
	if text := os.Getenv("MIN_IDLE"); text != "" {
		minIdle, err := time.ParseDuration(text)
		if err != nil {
			return nil, err
		}
		w.minIdle = minIdle
	}
	// A name of its own for each process: nobody may act for another.
	suffix := make([]byte, 4)
	if _, err := rand.Read(suffix); err != nil {
		return nil, err
	}
	pod := os.Getenv("HEADRACE_POD")
	if pod == "" {
		pod, _ = os.Hostname()
	}
	w.name = pod + "-" + hex.EncodeToString(suffix)
	database, _ := strconv.Atoi(os.Getenv("HEADRACE_REDIS_DATABASE"))
	options := &redis.Options{Addr: endpoint, DB: database, MaxRetries: -1, Protocol: 2}
	if directory := os.Getenv("HEADRACE_REDIS_CREDENTIALS_DIR"); directory != "" {
		// Read for each connection: a rotated Secret needs no restart.
		options.CredentialsProviderContext = func(context.Context) (string, string, error) {
			password, err := os.ReadFile(filepath.Join(directory, "password"))
			if err != nil {
				return "", "", err
			}
			user, _ := os.ReadFile(filepath.Join(directory, "username")) // may be absent
			return strings.TrimRight(string(user), "\r\n"), strings.TrimRight(string(password), "\r\n"), nil
		}
	}
	if os.Getenv("HEADRACE_REDIS_TLS") == "true" {
		config, err := tlsConfig()
		if err != nil {
			return nil, err
		}
		options.TLSConfig = config
	}
	w.redis = redis.NewClient(options)
	return w, nil
}

func tlsConfig() (*tls.Config, error) {
	config := &tls.Config{ServerName: os.Getenv("HEADRACE_REDIS_TLS_SERVER_NAME")}
	if file := os.Getenv("HEADRACE_REDIS_TLS_CA_FILE"); file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		config.RootCAs.AppendCertsFromPEM(pem)
	}
	if file := os.Getenv("HEADRACE_REDIS_TLS_CERT_FILE"); file != "" {
		pair, err := tls.LoadX509KeyPair(file, os.Getenv("HEADRACE_REDIS_TLS_KEY_FILE"))
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// run reads until ctx ends. What was read by then is still handled; nothing is left behind.
func (w *worker) run(ctx context.Context) error {
	log.Printf("consumer %s of group %s on stream %s", w.name, w.group, w.stream)
	var reclaimed time.Time
	for ctx.Err() == nil {
		if time.Since(reclaimed) > reclaimGap {
			w.report(w.reclaim(context.Background()))
			reclaimed = time.Now()
		}
		// Not ctx: a read that is cut off may have delivered entries that nobody would handle.
		answer, err := w.redis.XReadGroup(context.Background(), &redis.XReadGroupArgs{
			Group: w.group, Consumer: w.name, Streams: []string{w.stream, ">"}, Count: count, Block: block,
		}).Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			w.report(err) // NOGROUP too: the operator makes the group again
			time.Sleep(time.Second)
			continue
		}
		for _, stream := range answer {
			for _, entry := range stream.Messages {
				w.settle(context.Background(), entry)
			}
		}
	}
	return w.leave(context.Background())
}

// settle handles one entry and acknowledges it only then. A failed one stays pending, and comes
// again by reclaim.
func (w *worker) settle(ctx context.Context, entry redis.XMessage) {
	if err := handle(entry.Values); err != nil {
		log.Printf("entry %s failed: %v", entry.ID, err)
		return
	}
	w.report(w.redis.XAck(ctx, w.stream, w.group, entry.ID).Err())
}

func handle(fields map[string]any) error {
	if fields["type"] != "flight.landed" {
		return fmt.Errorf("no handler for type %v", fields["type"])
	}
	fmt.Printf("handled %s\n", fields["payload"])
	return nil
}

// reclaim takes over what other consumers have left alone for minIdle, except the reserved one:
// what it holds waits for its time. XAUTOCLAIM would take from it too. After maxTries deliveries
// an entry is left where it is: `reclaim` in the manifest dead-letters it.
func (w *worker) reclaim(ctx context.Context) error {
	consumers, err := w.redis.XInfoConsumers(ctx, w.stream, w.group).Result()
	if err != nil {
		return err
	}
	for _, consumer := range consumers {
		if consumer.Name == w.reserved || consumer.Pending == 0 {
			continue
		}
		pending, err := w.redis.XPendingExt(ctx, &redis.XPendingExtArgs{
			Stream: w.stream, Group: w.group, Consumer: consumer.Name,
			Idle: w.minIdle, Start: "-", End: "+", Count: count,
		}).Result()
		if err != nil {
			return err
		}
		for _, one := range pending {
			if one.RetryCount >= maxTries {
				continue
			}
			// MinIdle again: another worker may have been faster.
			claimed, err := w.redis.XClaim(ctx, &redis.XClaimArgs{
				Stream: w.stream, Group: w.group, Consumer: w.name, MinIdle: w.minIdle, Messages: []string{one.ID},
			}).Result()
			if err != nil {
				return err
			}
			for _, entry := range claimed {
				w.settle(ctx, entry)
			}
		}
	}
	return nil
}

// leave deletes this consumer if it holds nothing; with entries it stays, or they would be lost.
func (w *worker) leave(ctx context.Context) error {
	const script = `
if #redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2]) == 0 then
  return redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
end
return -1`
	return w.redis.Eval(ctx, script, []string{w.stream}, w.group, w.name).Err()
}

func (w *worker) report(err error) {
	if err != nil {
		log.Printf("redis: %v", err)
	}
}
