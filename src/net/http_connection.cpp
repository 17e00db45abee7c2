#include "http_connection.hpp"

#include "http_answer_parser.hpp"
#include "tcp_connect.hpp"

#include <fmt/format.h>

#include <utility>
#include <vector>

namespace repartee::net {
namespace {

constexpr std::size_t proxy_header_bytes_max = 8 << 10, proxy_read_bytes = 2 << 10;

std::string connect_request(const Url& target, const Proxy& proxy)
{
    const std::string where = host_and_port(target.host, target.port);
    std::string text = "CONNECT " + where + " HTTP/1.1\r\nHost: " + where + "\r\n";
    if (!proxy.authorization.empty()) text += "Proxy-Authorization: " + proxy.authorization + "\r\n";
    return text + "\r\n";
}

Error proxy_error(Code code, const Proxy& proxy, const std::string& what)
{
    return Error{code, "The proxy " + host_and_port(proxy.host, proxy.port) + " " + what};
}

Result<void> judge_proxy_answer(const HttpAnswerParser& answer, const Proxy& proxy, const Url& target)
{
    const int status = answer.status();
    if (status == 407)
        return proxy_error(Code::upstream_rejected, proxy,
                           "wants a name and a password. Put them into https_proxy, like http://name:password@host:port.");
    if (status / 100 != 2)
        return proxy_error(Code::closed, proxy,
                           fmt::format("refused to connect to {} (status {}). Check its rules, or list the host in no_proxy.",
                                       host_and_port(target.host, target.port), status));
    if (answer.has_surplus()) return proxy_error(Code::protocol, proxy, "sent bytes of its own into the connection. Check what https_proxy names.");
    return {};
}

Task<> open_tunnel(ByteStream& stream, const Proxy& proxy, const Url& target)
{
    const std::string request = connect_request(target, proxy);
    const auto written = co_await stream.write(request);
    if (!written) co_return written;
    HttpAnswerParser answer(true, proxy_header_bytes_max);
    std::vector<std::byte> buffer(proxy_read_bytes);
    while (!answer.header_done()) {
        const auto n = co_await stream.read_some(buffer);
        if (!n && n.error().code != Code::closed) co_return n.error();
        if (!n) co_return proxy_error(Code::closed, proxy, "closed the connection before it answered. Check what https_proxy names.");
        const bool sound = answer.feed(std::string_view(reinterpret_cast<const char*>(buffer.data()), *n));
        if (!sound) co_return proxy_error(Code::protocol, proxy, "sent a malformed answer: " + answer.error() + ". Check what https_proxy names.");
    }
    co_return judge_proxy_answer(answer, proxy, target);
}

/// What stands between TCP and the first request.
Task<> prepare(ByteStream& stream, const HttpRoute& route, ExchangeGuard& guard)
{
    if (!route.url.tls()) co_return Result<void>();
    if (route.proxy) {
        const auto open = co_await open_tunnel(stream, *route.proxy, route.url);
        if (!open) co_return open;
    }
    guard.begin(ExchangeGuard::Stage::none);  // the handshake has a limit of its own, and a better message
    const milliseconds left = guard.connect_left();
    co_return co_await stream.tls_handshake_as_client(*route.tls, route.url.host, left);
}

}  // namespace

std::string HttpRoute::key() const
{
    std::string text = fmt::format("{}://{} {}", url.scheme, host_and_port(url.host, url.port), fmt::ptr(tls.get()));
    if (proxy) text += fmt::format(" {} {}", host_and_port(proxy->host, proxy->port), proxy->authorization);
    return text;
}

std::string HttpRoute::target() const
{
    const bool whole = proxy && !url.tls();
    return whole ? url.scheme + "://" + url.host_header() + url.target : url.target;
}

std::string HttpRoute::proxy_authorization() const { return proxy && !url.tls() ? proxy->authorization : std::string(); }

Task<std::unique_ptr<HttpConnection>> open_http_connection(HttpRoute route, ExchangeGuard& guard)
{
    const std::string host = route.proxy ? route.proxy->host : route.url.host;
    const std::string port = route.proxy ? route.proxy->port : route.url.port;
    guard.begin(ExchangeGuard::Stage::connect);
    const milliseconds left = guard.connect_left();
    auto connected = co_await ByteStream::connect(host, port, left, guard.stop());
    if (!connected) co_return connected.error();

    auto connection = std::make_unique<HttpConnection>();
    connection->stream = std::move(*connected);
    connection->key = route.key();
    connection->tls = route.tls;
    guard.watch(connection->stream);
    const auto prepared = co_await prepare(connection->stream, route, guard);
    if (!prepared) {
        const auto verdict = guard.verdict();
        guard.release();
        co_return verdict.value_or(prepared.error());
    }
    co_return connection;
}

}  // namespace repartee::net
