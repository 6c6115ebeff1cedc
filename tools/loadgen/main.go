// Command loadgen asks an HTTP server for verdicts, as fast as it answers, and checks each one.
//
//	loadgen -url http://127.0.0.1:8443/validate -bodies set.jsonl -clients 50 -warmup 1s -duration 5s
//
// It is a closed loop: each client has one connection and sends its next request when it has read the answer to the
// last. Standard output gets `{"event":"measuring"}` when the warm-up is over, and one line with the result at the end.
// Exit 0 whatever the answers were; 2 for wrong usage or when no client could connect.
//
// -bodies has one JSON object a line, see Entry. A request is never sent twice as it is: its uid is new, and so are the
// texts that the entry names as unique.
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// maxAnswerBytes protects our memory from a server that never ends its answer.
	maxAnswerBytes = 8 << 20
	// maxExamples is how many different errors and wrong answers the result quotes.
	maxExamples = 5
	// errorPause keeps a client whose server is gone from spinning.
	errorPause = 20 * time.Millisecond
)

// options is the command line.
type options struct {
	url      *url.URL
	bodies   string
	clients  int
	warmup   time.Duration
	duration time.Duration
	count    int64
	timeout  time.Duration
	prefix   string
	suffix   string
	tls      *tls.Config
}

// Result is what a run came to. Everything but Warmup counts the measured period only.
type Result struct {
	Requests          int64    `json:"requests"`
	Errors            int64    `json:"errors"`
	Wrong             int64    `json:"wrong_verdicts"`
	WarmupRequests    int64    `json:"warmup_requests"`
	WarmupErrors      int64    `json:"warmup_errors"`
	WarmupWrong       int64    `json:"warmup_wrong_verdicts"`
	Clients           int      `json:"clients"`
	Seconds           float64  `json:"seconds"`
	RequestsPerSecond float64  `json:"requests_per_second"`
	Latency           Latency  `json:"latency_ms"`
	CPUSeconds        float64  `json:"own_cpu_seconds"`
	Examples          []string `json:"examples"`
}

// verdict is what an answer says: an AdmissionReview, or one as OPA's data API wraps it.
type verdict struct {
	Response *response `json:"response"`
	Result   *struct {
		Response *response `json:"response"`
	} `json:"result"`
}

type response struct {
	UID     string `json:"uid"`
	Allowed *bool  `json:"allowed"`
}

// wrongAnswer is an answer that was understood and is not the expected one.
type wrongAnswer struct{ text string }

func (w wrongAnswer) Error() string { return w.text }

// check returns nil if body gives the expected verdict on the request with this uid.
func check(body []byte, uid []byte, allowed bool) error {
	var said verdict
	if err := json.Unmarshal(body, &said); err != nil {
		return fmt.Errorf("the answer is not JSON of the right shape: %w", err)
	}
	got := said.Response
	if got == nil && said.Result != nil {
		got = said.Result.Response
	}
	if got == nil || got.Allowed == nil {
		return fmt.Errorf("the answer has no verdict: %s", clip(body))
	}
	if got.UID != string(uid) {
		return wrongAnswer{"the answer does not echo the uid"}
	}
	if *got.Allowed != allowed {
		return wrongAnswer{fmt.Sprintf("allowed is %t, expected %t: %s", *got.Allowed, allowed, clip(body))}
	}
	return nil
}

func clip(text []byte) []byte { return text[:min(len(text), 600)] }

// client is one connection and what it has seen.
type client struct {
	run       *run
	requests  []*template
	next      int
	conn      net.Conn
	reader    *bufio.Reader
	answer    bytes.Buffer
	latencies []int64 // nanoseconds, of the measured period
	errors    [2]int64
	wrong     [2]int64
	good      [2]int64 // [warm-up, measured]
	examples  []string
}

// run is what all clients share.
type run struct {
	options options
	address string
	serial  atomic.Uint64 // numbers the requests, so that no two are alike
	left    atomic.Int64  // requests still to be sent in the measured period, if counted
	phase   atomic.Int32
}

const (
	warming int32 = iota
	measuring
	over
)

func (c *client) loop() {
	for {
		phase := c.run.phase.Load()
		if phase == over {
			return
		}
		if phase == measuring && c.run.options.count > 0 && c.run.left.Add(-1) < 0 {
			return
		}
		request := c.requests[c.next]
		c.next = (c.next + 1) % len(c.requests)
		request.stamp(c.run.serial.Add(1))
		started := time.Now() // it counts where it began
		err := c.ask(request)
		elapsed := time.Since(started)
		var bad wrongAnswer
		switch {
		case err == nil:
			c.good[phase]++
		case errors.As(err, &bad):
			c.wrong[phase]++
		default:
			c.errors[phase]++
			c.close()
			time.Sleep(errorPause)
		}
		if err != nil {
			c.remember(err)
		} else if phase == measuring {
			c.latencies = append(c.latencies, int64(elapsed))
		}
	}
}

func (c *client) remember(err error) {
	if len(c.examples) < maxExamples {
		c.examples = append(c.examples, err.Error())
	}
}

// ask sends one request and checks the answer.
func (c *client) ask(request *template) error {
	if c.conn == nil {
		if err := c.connect(); err != nil {
			return err
		}
	}
	if err := c.conn.SetDeadline(time.Now().Add(c.run.options.timeout)); err != nil {
		return err
	}
	if _, err := c.conn.Write(request.wire); err != nil {
		return err
	}
	answer, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return err
	}
	c.answer.Reset()
	n, err := c.answer.ReadFrom(io.LimitReader(answer.Body, maxAnswerBytes+1))
	if err != nil {
		return err
	}
	if n > maxAnswerBytes {
		return fmt.Errorf("the answer is larger than %d bytes", maxAnswerBytes)
	}
	if answer.Close {
		defer c.close()
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("HTTP status %d: %s", answer.StatusCode, clip(c.answer.Bytes()))
	}
	return check(c.answer.Bytes(), request.uid, request.allowed)
}

func (c *client) connect() error {
	dialer := net.Dialer{Timeout: c.run.options.timeout} // Go sets TCP_NODELAY by default
	conn, err := dialer.Dial("tcp", c.run.address)
	if err != nil {
		return err
	}
	if c.run.options.tls != nil {
		secure := tls.Client(conn, c.run.options.tls)
		if err := secure.Handshake(); err != nil {
			return errors.Join(err, conn.Close())
		}
		conn = secure
	}
	c.conn = conn
	c.reader = bufio.NewReaderSize(conn, 16<<10)
	return nil
}

func (c *client) close() {
	if c.conn != nil {
		_ = c.conn.Close() // nothing of value is left in it
		c.conn = nil
	}
}

// measure runs the whole load and returns what came of it.
func measure(o options, entries []Entry, started func()) (*Result, error) {
	r := &run{options: o, address: o.url.Host}
	if o.url.Port() == "" {
		r.address = net.JoinHostPort(o.url.Hostname(), map[string]string{"http": "80", "https": "443"}[o.url.Scheme])
	}
	r.left.Store(o.count)
	clients := make([]*client, o.clients)
	for i := range clients {
		c := &client{run: r, next: i * len(entries) / o.clients}
		for _, entry := range entries {
			made, err := newTemplate(entry, o)
			if err != nil {
				return nil, err
			}
			c.requests = append(c.requests, made)
		}
		if err := c.connect(); err != nil {
			return nil, fmt.Errorf("%s cannot be reached: %w", o.url, err)
		}
		clients[i] = c
	}
	runtime.GC()
	if o.warmup == 0 {
		r.phase.Store(measuring)
	}
	var group sync.WaitGroup
	for _, c := range clients {
		group.Add(1)
		go func() { defer group.Done(); c.loop() }()
	}
	time.Sleep(o.warmup)
	began, usage := time.Now(), cpuSeconds()
	r.phase.Store(measuring)
	started()
	if o.count == 0 {
		time.Sleep(o.duration)
		r.phase.Store(over)
	}
	group.Wait()
	elapsed := time.Since(began).Seconds()
	result := &Result{Clients: o.clients, Seconds: elapsed, CPUSeconds: cpuSeconds() - usage, Examples: []string{}}
	var latencies []int64
	seen := map[string]bool{}
	for _, c := range clients {
		c.close()
		result.WarmupRequests += c.good[warming] + c.wrong[warming] + c.errors[warming]
		result.WarmupErrors += c.errors[warming]
		result.WarmupWrong += c.wrong[warming]
		result.Requests += c.good[measuring] + c.wrong[measuring] + c.errors[measuring]
		result.Errors += c.errors[measuring]
		result.Wrong += c.wrong[measuring]
		latencies = append(latencies, c.latencies...)
		for _, example := range c.examples {
			if len(result.Examples) < maxExamples && !seen[example] {
				seen[example] = true
				result.Examples = append(result.Examples, example)
			}
		}
	}
	result.RequestsPerSecond = float64(len(latencies)) / elapsed // of right answers only
	result.Latency = summarize(latencies)
	return result, nil
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}

func parse(arguments []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("loadgen", flag.ContinueOnError)
	address := flags.String("url", "", "where to POST to, http or https")
	flags.StringVar(&o.bodies, "bodies", "", "file with one entry a line")
	flags.IntVar(&o.clients, "clients", 1, "connections, each with one request at a time")
	flags.DurationVar(&o.warmup, "warmup", 0, "time before the measured period")
	flags.DurationVar(&o.duration, "duration", 0, "length of the measured period")
	flags.Int64Var(&o.count, "count", 0, "in place of -duration: requests in the measured period")
	flags.DurationVar(&o.timeout, "timeout", 10*time.Second, "for one request")
	flags.StringVar(&o.prefix, "prefix", "", "text before each body, such as {\"input\":")
	flags.StringVar(&o.suffix, "suffix", "", "text behind each body, such as }")
	authority := flags.String("ca", "", "PEM file with the authority of an https server")
	if err := flags.Parse(arguments); err != nil {
		return o, err
	}
	var err error
	if o.url, err = url.Parse(*address); err != nil {
		return o, err
	}
	if (o.url.Scheme != "http" && o.url.Scheme != "https") || o.url.Host == "" {
		return o, errors.New("-url must begin with http:// or https:// and name a host")
	}
	if o.bodies == "" || o.clients < 1 || (o.duration > 0) == (o.count > 0) || o.warmup < 0 || flags.NArg() > 0 {
		return o, errors.New("needed are -bodies, -clients of at least 1, and one of -duration and -count")
	}
	if o.url.Scheme == "https" {
		pem, err := os.ReadFile(*authority)
		if err != nil {
			return o, fmt.Errorf("-ca: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return o, errors.New("-ca: there is no certificate in the file")
		}
		o.tls = &tls.Config{RootCAs: pool, ServerName: o.url.Hostname(), MinVersion: tls.VersionTLS12}
	}
	return o, nil
}

func main() {
	runtime.GOMAXPROCS(1) // measured: with two, it takes more of the machine that it measures and is no faster
	o, err := parse(os.Args[1:])
	if err != nil {
		fail(err)
	}
	entries, err := readEntries(o.bodies)
	if err != nil {
		fail(err)
	}
	output := json.NewEncoder(os.Stdout)
	result, err := measure(o, entries, func() {
		if err := output.Encode(map[string]string{"event": "measuring"}); err != nil {
			fail(err)
		}
	})
	if err != nil {
		fail(err)
	}
	if err := output.Encode(result); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "loadgen: "+strconv.Quote(err.Error()))
	os.Exit(2)
}
