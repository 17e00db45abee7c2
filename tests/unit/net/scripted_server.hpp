#pragma once
#include "repartee/net/listener.hpp"
#include "repartee/net/task_group.hpp"
#include "repartee/net/tls_context.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace repartee::testing {

using namespace std::chrono_literals;

inline awaitable<void> turns(int count)
{
    const auto executor = co_await asio::this_coro::executor;
    for (int i = 0; i < count; ++i) co_await asio::post(executor, asio::use_awaitable);
}

/// One request with its body, as it came; empty at the end of the stream.
inline awaitable<std::string> read_request(net::ByteStream& stream)
{
    std::string text;
    std::vector<std::byte> buffer(64 << 10);
    for (;;) {
        const auto end = text.find("\r\n\r\n");
        if (end != std::string::npos) {
            const auto length = text.find("Content-Length: ");
            const bool chunked = text.find("Transfer-Encoding: chunked") < end;
            const std::size_t body = length < end ? std::stoul(text.substr(length + 16)) : 0;
            if (chunked ? text.ends_with("0\r\n\r\n") : text.size() >= end + 4 + body) co_return text;
        }
        const auto n = co_await stream.read_some(buffer);
        if (!n) co_return std::string();
        text.append(reinterpret_cast<const char*>(buffer.data()), *n);
    }
}

/// True when the peer has ended the connection; reads until then.
inline awaitable<bool> peer_ends(net::ByteStream& stream)
{
    std::vector<std::byte> buffer(64 << 10);
    for (;;) {
        const auto n = co_await stream.read_some(buffer);
        if (!n) co_return n.error().code == Code::closed;
    }
}

/// A server on loopback: a script for each connection in order, the last one for all that follow. Destroyed with the test's io_context.
class ScriptedServer {
public:
    using Script = std::function<awaitable<void>(net::ByteStream&)>;

    ScriptedServer(asio::any_io_executor executor, std::vector<Script> scripts, const net::TlsContext* tls = nullptr)
        : executor_(executor), scripts_(std::move(scripts)), tls_(tls), listener_(bound(executor)), group_(executor, "scripted server")
    {
        group_.spawn(accept());
    }

    std::string port() const { return std::to_string(listener_.port()); }
    int accepted() const { return accepted_; }

    /// Waits for the scripts: the clients must have gone.
    awaitable<void> end()
    {
        listener_.close();
        co_await group_.wait_all();
    }

private:
    static net::Listener bound(asio::any_io_executor executor)
    {
        net::HostPort where;
        where.host = "127.0.0.1";
        return net::Listener::bind(executor, where).value();
    }

    awaitable<void> accept()
    {
        for (;;) {
            const auto accepted = co_await listener_.accept();
            if (!accepted) co_return;
            group_.spawn(serve(*accepted, static_cast<std::size_t>(accepted_++)));
        }
    }

    awaitable<void> serve(int native_socket, std::size_t index)
    {
        auto stream = net::ByteStream::adopt_tcp(executor_, native_socket);
        if (tls_) {
            const auto secured = co_await stream.tls_handshake_as_server(*tls_, 10s);
            if (!secured) co_return;
        }
        awaitable<void> run = scripts_[std::min(index, scripts_.size() - 1)](stream);
        co_await std::move(run);
    }

    asio::any_io_executor executor_;
    std::vector<Script> scripts_;
    const net::TlsContext* tls_;
    net::Listener listener_;
    net::TaskGroup group_;
    int accepted_ = 0;
};

/// Answers every request of a connection with this text, in pieces.
inline ScriptedServer::Script answer_all(std::string answer, std::size_t piece_bytes = 100'000)
{
    return [answer, piece_bytes](net::ByteStream& stream) -> awaitable<void> {
        const std::string text = answer;
        const std::size_t step = piece_bytes;
        for (;;) {
            const std::string request = co_await read_request(stream);
            if (request.empty()) co_return;
            for (std::size_t at = 0; at < text.size(); at += step) {
                const auto piece = std::string_view(text).substr(at, step);
                const auto written = co_await stream.write(piece);
                if (!written) co_return;
                if (text.size() > step) co_await turns(2);
            }
        }
    };
}

/// For localhost, both sides.
struct TestTls {
    std::shared_ptr<const net::TlsContext> server, trusting, strict;

    TestTls()
    {
        char name[] = "/tmp/repartee-http-XXXXXX";
        const std::string folder = ::mkdtemp(name);
        const auto files = net::ensure_self_signed(folder).value();
        server = std::make_shared<net::TlsContext>(net::TlsContext::server(files.certificate_file, files.key_file).value());
        trusting = std::make_shared<net::TlsContext>(net::TlsContext::client(files.certificate_file).value());
        strict = std::make_shared<net::TlsContext>(net::TlsContext::client({}).value());
        std::filesystem::remove_all(folder);
    }
};

}  // namespace repartee::testing
