#pragma once
#include "repartee/base/metrics.hpp"
#include "repartee/net/byte_stream.hpp"
#include "repartee/net/http_message.hpp"
#include "repartee/net/proxy.hpp"
#include "repartee/net/tls_context.hpp"
#include "repartee/net/url.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>

namespace repartee::net {

/// A request's body in pieces: sent as it comes, never copied together.
class BodySource {
public:
    virtual ~BodySource() = default;
    /// In all, when known (Content-Length); nullopt: chunked.
    virtual std::optional<std::uint64_t> bytes() const = 0;
    /// The next piece, valid until the next call; empty at the end. A failure ends the request with it.
    virtual Task<std::string_view> next() = 0;
    /// Begins anew, for a repetition. False: what was read is gone, and the request is not repeated.
    virtual bool rewind() = 0;
};

/// A body that is in memory already, e.g. a form's head, a recording, a form's end.
std::shared_ptr<BodySource> body_of(std::vector<std::string> pieces);

struct HttpRequest {
    std::string method = "GET";
    Url url;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
    std::shared_ptr<BodySource> source{};  ///< in place of `body` when set
};

/// How long each stage may take. 0: no limit, for `total` only.
struct HttpTimes {
    std::chrono::milliseconds connect{5'000};      ///< name, TCP, proxy and TLS together; also the wait for the host's turn
    std::chrono::milliseconds send_idle{15'000};   ///< between two bytes that the peer takes
    std::chrono::milliseconds first_byte{30'000};  ///< from the last byte sent to the status line
    std::chrono::milliseconds idle{15'000};        ///< between two bytes of the answer
    std::chrono::milliseconds total{120'000};
};

/// An answer whose header has come. Destroyed before its end it closes the connection: that is how a request is stopped.
class HttpAnswer {
public:
    HttpAnswer(HttpAnswer&&) noexcept;
    HttpAnswer& operator=(HttpAnswer&&) = delete;
    ~HttpAnswer();

    int status() const;
    std::string_view header(std::string_view lower_case_name) const;  ///< empty when absent
    bool is_success() const { return status() >= 200 && status() < 300; }

    /// The next bytes of the body, valid until the next read; empty at its end (the connection is then free for the next request).
    /// Code::timeout (which stage, which limit), Code::closed (cut short), Code::protocol, Code::cancelled.
    Task<std::string_view> read();
    /// The rest; Code::too_large beyond `bytes_max`.
    Task<std::string> read_all(std::size_t bytes_max);

private:
    friend class HttpClient;
    struct State;
    explicit HttpAnswer(std::shared_ptr<State> state);
    std::shared_ptr<State> state_;
};

struct HttpClientSettings {
    ProxyRules proxies;
    std::size_t idle_connections_max = 8;             ///< of one host
    std::size_t idle_connections_total_max = 32;
    std::chrono::milliseconds idle_limit{30'000};     ///< an unused connection is closed after
    std::size_t header_bytes_max = 64 << 10;
};

/// HTTP/1.1 for providers: one object a worker, everything on its executor. Connections are kept and used again per scheme, host, port, proxy and
/// TLS context; one that the peer closes while idle is noticed and dropped.
/// A request is repeated once, by itself, in one case: a used connection turned out closed before one byte of an answer came, and the body can begin
/// anew.
class HttpClient {
public:
    HttpClient(asio::any_io_executor executor, HttpClientSettings settings, Metrics& metrics);
    ~HttpClient();
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;

    /// Ends when the answer's header has come; 1xx answers are passed over, redirects are not followed. `tls` may be null for http URLs.
    /// A `stop` closes the connection at once and ends the call with Code::cancelled, in every stage, also later in HttpAnswer::read().
    /// Any status is a success here. Errors: Code::timeout, Code::closed, Code::tls, Code::protocol, Code::invalid_value, Code::cancelled,
    /// Code::upstream_rejected (the proxy wants a password), Code::not_configured (https without `tls`), and those of a BodySource.
    Task<HttpAnswer> send(HttpRequest request, std::shared_ptr<const TlsContext> tls, HttpTimes times, std::stop_token stop);

    asio::any_io_executor executor() const;
    std::size_t idle_connections() const;

private:
    struct State;
    std::shared_ptr<State> state_;  ///< shared with requests in flight
};

}  // namespace repartee::net
