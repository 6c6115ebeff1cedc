// Registry is an OCI registry on loopback for the tests: go-containerregistry's own, in memory, with the referrers API.
//
//	registry [-referrers=false] [-tls-cert FILE -tls-key FILE] [-htpasswd user:password [-token 30s]] [-delay 20ms]
//
// It listens on 127.0.0.1, on a port that the system chooses, and prints it as the only line of its standard output. It ends
// when its standard input does, so it never outlives who started it.
//
// With -htpasswd alone it wants basic authentication. With -token, too, it wants bearer tokens, which its own /token gives to that
// user: each for the scope that was asked for, and for no longer than the duration.
package main

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

const (
	library = "github.com/google/go-containerregistry"
	service = "pratique-test-registry"
	// maxTokens protects the memory: the oldest tokens have expired long before there are so many.
	maxTokens = 100_000
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		version, err := libraryVersion()
		if err != nil {
			fail(err)
		}
		fmt.Println("registry", version)
		return
	}
	if err := run(); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "registry:", err)
	os.Exit(1)
}

// The version of the library that is linked in, as Go recorded it.
func libraryVersion() (string, error) {
	info, ok := debug.ReadBuildInfo()
	if ok {
		for _, module := range info.Deps {
			if module.Path == library {
				return module.Version, nil
			}
		}
	}
	return "", fmt.Errorf("this build does not say which version of %s it has", library)
}

func run() error {
	referrers := flag.Bool("referrers", true, "answer the referrers API")
	certificate := flag.String("tls-cert", "", "serve HTTPS with this PEM certificate")
	key := flag.String("tls-key", "", "the key of -tls-cert")
	login := flag.String("htpasswd", "", "user:password that may do everything; nobody else may do anything")
	lifetime := flag.Duration("token", 0, "want bearer tokens, which /token gives, and which live so long")
	delay := flag.Duration("delay", 0, "wait so long before each answer")
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("unknown argument %q", flag.Arg(0))
	}
	user, password, hasLogin := strings.Cut(*login, ":")
	if *login != "" && !hasLogin {
		return errors.New("-htpasswd is user:password")
	}
	if *lifetime > 0 && !hasLogin {
		return errors.New("-token needs -htpasswd")
	}

	handler := registry.New(registry.WithReferrersSupport(*referrers), registry.Logger(log.New(io.Discard, "", 0)))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	scheme := "http"
	if *certificate != "" {
		scheme = "https"
	}
	address := listener.Addr().(*net.TCPAddr)
	switch {
	case *lifetime > 0:
		handler = (&tokens{
			user: user, password: password, lifetime: *lifetime, live: map[string]token{}, next: handler,
			realm: fmt.Sprintf("%s://%s/token", scheme, address),
		}).handler()
	case hasLogin:
		handler = basic(user, password, handler)
	}
	if *delay > 0 {
		handler = delayed(*delay, handler)
	}
	fmt.Println(address.Port)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	if *certificate != "" {
		return server.ServeTLS(listener, *certificate, *key)
	}
	return server.Serve(listener)
}

func delayed(delay time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		time.Sleep(delay)
		next.ServeHTTP(writer, request)
	})
}

func isLogin(request *http.Request, user, password string) bool {
	givenUser, givenPassword, ok := request.BasicAuth()
	sameUser := subtle.ConstantTimeCompare([]byte(givenUser), []byte(user)) == 1
	samePassword := subtle.ConstantTimeCompare([]byte(givenPassword), []byte(password)) == 1
	return ok && sameUser && samePassword
}

func refuse(writer http.ResponseWriter, challenge string) {
	writer.Header().Set("WWW-Authenticate", challenge)
	writer.Header().Set("Content-Type", "application/json")
	writer.WriteHeader(http.StatusUnauthorized)
	_, _ = io.WriteString(writer, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`)
}

func basic(user, password string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		if !isLogin(request, user, password) {
			refuse(writer, fmt.Sprintf(`Basic realm=%q`, service))
			return
		}
		next.ServeHTTP(writer, request)
	})
}

type token struct {
	scopes  []string
	expires time.Time
}

// tokens is the token authentication of the CNCF Distribution project in one process: the registry and who issues its tokens.
type tokens struct {
	user, password, realm string
	lifetime              time.Duration
	next                  http.Handler

	lock sync.Mutex
	live map[string]token
}

func (t *tokens) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/token", t.issue)
	mux.HandleFunc("/", t.guard)
	return mux
}

// issue answers the GET of a login and the POST of a refresh token, which here is the password.
func (t *tokens) issue(writer http.ResponseWriter, request *http.Request) {
	if err := request.ParseForm(); err != nil {
		http.Error(writer, "not a form", http.StatusBadRequest)
		return
	}
	refreshed := request.Method == http.MethodPost && request.PostForm.Get("grant_type") == "refresh_token" &&
		request.PostForm.Get("refresh_token") == t.password
	if !refreshed && !isLogin(request, t.user, t.password) {
		http.Error(writer, `{"details":"incorrect username or password"}`, http.StatusUnauthorized)
		return
	}
	random := make([]byte, 16)
	if _, err := rand.Read(random); err != nil {
		http.Error(writer, "no random numbers", http.StatusInternalServerError)
		return
	}
	name := hex.EncodeToString(random)
	t.lock.Lock()
	if len(t.live) >= maxTokens {
		clear(t.live)
	}
	t.live[name] = token{scopes: request.Form["scope"], expires: time.Now().Add(t.lifetime)}
	t.lock.Unlock()
	field := "token"
	if refreshed {
		field = "access_token"
	}
	writer.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(writer).Encode(map[string]any{field: name, "expires_in": int(t.lifetime.Seconds())})
}

func (t *tokens) guard(writer http.ResponseWriter, request *http.Request) {
	wanted := scope(request)
	name, isBearer := strings.CutPrefix(request.Header.Get("Authorization"), "Bearer ")
	t.lock.Lock()
	held, known := t.live[name]
	t.lock.Unlock()
	if !isBearer || !known || time.Now().After(held.expires) || !grants(held.scopes, wanted) {
		challenge := fmt.Sprintf(`Bearer realm=%q,service=%q`, t.realm, service)
		if wanted != "" {
			challenge += fmt.Sprintf(`,scope=%q`, wanted)
		}
		refuse(writer, challenge)
		return
	}
	t.next.ServeHTTP(writer, request)
}

// scope is what the request needs: `repository:NAME:pull`, or with push; nothing for the address that only asks for the version.
func scope(request *http.Request) string {
	parts := strings.Split(strings.TrimPrefix(request.URL.Path, "/v2/"), "/")
	for index, part := range parts {
		if index > 0 && slices.Contains([]string{"manifests", "blobs", "referrers", "tags"}, part) {
			actions := "pull"
			if request.Method != http.MethodGet && request.Method != http.MethodHead {
				actions = "pull,push"
			}
			return fmt.Sprintf("repository:%s:%s", strings.Join(parts[:index], "/"), actions)
		}
	}
	return ""
}

// grants says whether a token for the scopes `held` does for `wanted`.
func grants(held []string, wanted string) bool {
	if wanted == "" {
		return true
	}
	return slices.ContainsFunc(held, func(scope string) bool {
		return scope == wanted || scope == strings.TrimSuffix(wanted, ":pull")+":pull,push"
	})
}
